"""The driver behind ./examples/quickstart, which installs and builds before it calls this.

Starts 3 prefill, 2 decode and 1 router sidecars on this machine, sends a request trace through them
as a gateway would, and prints how well the mesh did. Exit code 0 only if all replicas agree at the
end, every routed prefix was really where the router said, and every sidecar ended in good order.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Dict, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "examples"), str(ROOT / "ipc" / "python")]

import radixmesh  # noqa: E402
from gateway.chat import REQUESTS, chat_workload  # noqa: E402
from gateway.converge import wait_for_agreement  # noqa: E402
from gateway.engine import Engine  # noqa: E402
from gateway.failure import Failure  # noqa: E402
from gateway.launch import LoopbackMesh, Sidecar, loopback_mesh  # noqa: E402
from gateway.progress import Progress  # noqa: E402
from gateway.report import Report, tokens_per_node, write_json  # noqa: E402
from gateway.request import Request, best_hit_tokens  # noqa: E402
from gateway.router_view import RouterView  # noqa: E402
from gateway.run import Gateway  # noqa: E402
from gateway.tokens import expand  # noqa: E402
from gateway.trace import read_trace  # noqa: E402
from gateway.wire_meter import WireMeter  # noqa: E402

BUILD = Path(os.environ.get("RADIXMESH_BUILD", ROOT / "build"))
BINARY = BUILD / "sidecar" / "radixmesh-sidecar"
CLI = BUILD / "cli" / "radixmesh"


def parse_options(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="quickstart",
        description="Sends a request trace through a mesh of six sidecars on this machine.",
        epilog="Exit codes: 0 all replicas agree and every routed prefix was really there; 1 not "
        "so, or something failed; 2 a wrong option; 130 stopped by Ctrl-C.",
    )
    parser.add_argument(
        "--trace",
        metavar="FILE",
        help="requests in the Mooncake format, one JSON object a line with input_length and "
        "hash_ids (default: a chat workload made here)",
    )
    parser.add_argument(
        "--requests",
        metavar="N",
        type=_count,
        help=f"only the first N requests (default: the whole trace; {REQUESTS} without --trace)",
    )
    parser.add_argument(
        "--capacity",
        metavar="TOKENS",
        type=_count,
        default=1_000_000,
        help="KV memory of each simulated engine (default: %(default)s)",
    )
    parser.add_argument(
        "--page-size",
        metavar="TOKENS",
        type=_count,
        default=16,
        help="(default: %(default)s)",
    )
    parser.add_argument("--policy", help="the router's --policy (default: the sidecar's own)")
    parser.add_argument(
        "--kill",
        action="store_true",
        help="kill -9 a prefill sidecar in the middle of the run and start it again, empty",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the mesh running, and print how to look at it and how to stop it",
    )
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    # For the shell script: a wrong option must show before minutes of building.
    parser.add_argument("--check-options", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return value


def run(options: argparse.Namespace, requests: List[Request], mesh: LoopbackMesh) -> Report:
    """Sends the requests through the running mesh and waits until it agrees."""

    def engine_of(sidecar: Sidecar) -> Engine:
        return Engine(sidecar.addr, sidecar.client, options.capacity, options.page_size)

    router = mesh.of_role("router")[0].client
    engines = {s.addr: engine_of(s) for s in mesh.of_role("prefill") + mesh.of_role("decode")}
    meter = WireMeter(_statuses(mesh))
    gateway = Gateway(router, engines, RouterView(router), expand)
    progress = Progress(len(requests), sys.stderr)
    kill_after = (len(requests) + 1) // 2 if options.kill else None

    def after_each(done: int) -> None:
        progress.show(done)
        if done == kill_after:
            victim = mesh.of_role("prefill")[0]
            meter.end_life(victim.addr, victim.client.status())
            mesh.restart(victim)
            # Its pool is gone with it, and the router must hear of its new life before it may be
            # blamed for naming entries of the old one.
            engines[victim.addr] = engine_of(victim)
            gateway.view.note_change(engines[victim.addr])

    try:
        gateway.send_all(requests, after_each)
    finally:
        progress.close()
    agreement = wait_for_agreement(mesh.clients)
    return Report(
        totals=gateway.totals,
        best_hit_tokens=best_hit_tokens(requests),
        tokens_per_node=tokens_per_node(agreement.statuses),
        wire_bytes=meter.total(agreement.statuses),
        converge_seconds=agreement.seconds,
        policy=router.status()["policy"],
        difference=agreement.difference or "",
    )


def _statuses(mesh: LoopbackMesh) -> Dict[str, dict]:
    return {addr: client.status() for addr, client in mesh.clients.items()}


def what_is_kept(mesh: LoopbackMesh, request: Request) -> List[str]:
    """The commands for a mesh that goes on; leaves the request's prompt in its folder."""
    prompt = os.path.join(mesh.folder, "prompt")
    with open(prompt, "w", encoding="utf-8") as file:
        print(*expand(request).tolist(), sep=",", file=file)
    router = mesh.of_role("router")[0]
    sockets = shlex.quote(mesh.folder) + "/*.sock"
    program = shlex.quote(str(CLI))
    return [
        "",
        "The mesh goes on. To look at it, from its router's side:",
        f"  export RADIXMESH_SOCKET={shlex.quote(router.socket)}",
        f"  {program} status",
        f"  {program} nodes",
        f"  {program} match @{shlex.quote(prompt)}      # the last prompt",
        f"  {program} explain @{shlex.quote(prompt)}",
        "To stop it:",
        f'  for socket in {sockets}; do {program} --socket "$socket" drain; done',
        f"  rm -r {shlex.quote(mesh.folder)}",
    ]


def drive(options: argparse.Namespace) -> Tuple[Report, List[str], List[str]]:
    """The whole run: its report, one line for each sidecar that did not end in good order, and
    those about a mesh that goes on."""
    if options.json and not os.access(Path(options.json).resolve().parent, os.W_OK):
        raise Failure(f"cannot write {options.json}: no such folder, or no right to write there")
    if options.trace:
        requests = read_trace(options.trace, options.requests)
    else:
        requests = chat_workload(options.requests or REQUESTS)
    flags = ["--page-size", str(options.page_size), "--log-level", "warn"]
    # Each request waits until the router knows what the last one changed. So what it says of a node
    # must be there, and none of it may be a guess.
    flags += ["--speculation-seconds", "0"]
    if options.policy:
        flags += ["--policy", options.policy]
    with loopback_mesh(str(BINARY), flags, radixmesh.connect, options.keep) as mesh:
        print(f"quickstart: {len(requests):,} requests to 6 sidecars", file=sys.stderr)
        try:
            report = run(options, requests, mesh)
        except (Failure, radixmesh.RadixMeshError):
            # If a sidecar died, its own last words say more than what its death brought about.
            mesh.check_alive()
            raise
        # While a failure here still stops the mesh.
        kept = what_is_kept(mesh, requests[-1]) if options.keep else []
    return report, mesh.bad_endings, kept


def print_lines(lines: List[str]) -> None:
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stop_on(signal_number: int) -> None:
    """Makes the signal an exception, which passes through the mesh's way out. One that is ignored
    already, as nohup does, stays so."""

    def leave(number: int, _frame: Optional[object]) -> None:
        raise SystemExit(128 + number)

    if signal.getsignal(signal_number) != signal.SIG_IGN:
        signal.signal(signal_number, leave)


def main(arguments: List[str]) -> int:
    options = parse_options(arguments)
    if options.check_options:
        return 0
    stop_on(signal.SIGTERM)
    stop_on(signal.SIGHUP)
    try:
        report, failures, kept = drive(options)
        print_lines(report.lines() + kept)
        failures = report.failures() + failures
        if options.json:
            write_json(options.json, report)
    except (Failure, radixmesh.RadixMeshError) as error:
        failures = [str(error)]
    except KeyboardInterrupt:
        print("\nquickstart: stopped", file=sys.stderr)
        return 130
    for failure in failures:
        print(f"quickstart: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
