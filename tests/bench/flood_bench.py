#!/usr/bin/python3
"""The engine's calls while a stranger floods its sidecar: paired runs without and with the flood,
the flooder on one core, the sidecar and its engine on another.

    PYTHONPATH=ipc/python tests/bench/flood_bench.py [--rate 10] [--seconds 2] [KIND ...]

Ends with 1 where the 99th percentile of a call is above three times that without the flood, or the
sidecar's memory grew by more than strangers may take.
"""

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import wire  # noqa: E402
from hostile import STRANGER, ports  # noqa: E402
from loopback import Mesh  # noqa: E402
from zmtp import MORE, Zmtp, message, part  # noqa: E402

FLOODER_CORE, NODE_CORE = 0, 1
RATIO_MAX = 3.0
# The sum of what lib/base/limits.h lets strangers take at the three ports.
GROWTH_BYTES_MAX = 400_000_000
SLICE_S = 0.01
TOKENS = 1024


def heartbeat(body):
    return wire.frame(wire.HEARTBEAT, STRANGER, 1, 0, 1, body)


HELLO = wire.frame(wire.HELLO, STRANGER, 5, 0, 1, wire.hello("another", "127.0.0.1:1"))
REPLAY = wire.frame(wire.REPLAY_REQUEST, STRANGER, 1, 0, 1, [1, 1, 1, 9])
# Of each: which port, and what is sent there again and again.
KINDS = {
    "heartbeats": ("control", message([heartbeat([1]) * 1500])),
    "small_heartbeats": ("control", message([heartbeat([])])),
    "hellos": ("control", message([HELLO])),
    "many_hellos": ("control", message([HELLO * 400])),
    "tiny_frames": ("control", message([b"\x00\x00\x00\x01\x96" * 13_000])),
    "garbage": ("control", message([os.urandom(60_000)])),
    "parts": ("control", part(b"", MORE) * 10_000),
    "questions": ("bulk", message([REPLAY * 18])),
    "topics": ("publish", b"".join(part(b"\x01\xff" + os.urandom(8)) for _ in range(1000))),
}


def flood(port, kind, data, bytes_per_s, seconds):
    """Connects again as soon as it is cut; how much it sent."""
    piece = data * max(1, int(bytes_per_s * SLICE_S) // len(data))
    end = time.monotonic() + seconds
    connection, due, sent = None, time.monotonic(), 0
    while time.monotonic() < end:
        try:
            if connection is None:
                connection = Zmtp(port, kind, wire.identity(STRANGER))
            connection.socket.settimeout(0.2)
            connection.socket.sendall(piece)
            sent += len(piece)
        except OSError:
            connection = None
        due = max(due + len(piece) / bytes_per_s, time.monotonic() - SLICE_S)
        time.sleep(max(0.0, due - time.monotonic()))  # tidy: backoff
    return sent


def flooder(port, kind, name, options):
    """A process of its own, which floods for a little longer than is measured."""
    command = ["taskset", "-c", str(FLOODER_CORE), sys.executable, __file__, "--flood-port"]
    command += [str(port), "--flood-kind", kind, "--rate", str(options.rate)]
    command += ["--seconds", str(options.seconds + 0.5), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def calls(client, seconds):
    """The time of each, in seconds: lookups, and every eighth an insert."""
    prompt = struct.pack(f"<{TOKENS}I", *range(TOKENS))
    times = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        if len(times) % 8 == 7:
            client.insert(prompt, [(0, TOKENS)])
        else:
            client.match_prefix(prompt)
        times.append(time.perf_counter() - begin)
    return times


def percentile(times, share):
    return sorted(times)[int(len(times) * share)] * 1e6


def measure(node, name, options):
    """Whether it is within the bounds; prints a line."""
    which, data = KINDS[name]
    port, kind = ports(node)[which]
    before, during, sent = [], [], 0
    memory = grown = node.memory_bytes()
    for _ in range(options.rounds):
        before += calls(node.client, options.seconds)
        process = flooder(port, kind, name, options)
        time.sleep(0.4)  # tidy: backoff
        during += calls(node.client, options.seconds)
        grown = max(grown, node.memory_bytes())
        sent += int(process.communicate()[0])
    ratio = percentile(during, 0.99) / percentile(before, 0.99)
    rate = sent / options.rounds / (options.seconds + 0.5) / 1e6
    print(
        f"{name:18} {rate:8.1f} MB/s   median {percentile(before, 0.5):6.0f} → "
        f"{percentile(during, 0.5):6.0f} µs   p99 {percentile(before, 0.99):6.0f} → "
        f"{percentile(during, 0.99):6.0f} µs ({ratio:.2f} x)   "
        f"longest {max(during) * 1e3:5.1f} ms   memory + {(grown - memory) / 1e6:.1f} MB",
        flush=True,
    )
    return ratio <= RATIO_MAX and grown - memory <= GROWTH_BYTES_MAX


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=10.0, help="MB/s that the flooder sends")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs of each kind")
    parser.add_argument("--flood-port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--flood-kind", help=argparse.SUPPRESS)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    options = parser.parse_args()
    kinds = options.kinds or list(KINDS)
    if options.flood_port:
        port, kind, data = options.flood_port, options.flood_kind, KINDS[kinds[0]][1]
        print(flood(port, kind, data, options.rate * 1e6, options.seconds))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        mesh = Mesh(Path(folder), prefill=2)
        try:
            for node in mesh.nodes:
                node.wrapper = ["taskset", "-c", str(NODE_CORE)]
            mesh.start()
            mesh.wait_alive()
            os.sched_setaffinity(0, {NODE_CORE})
            calls(mesh["p0"].client, 0.5)
            good = [measure(mesh["p0"], name, options) for name in kinds]
        finally:
            mesh.kill()
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
