"""Who does not read, or reads a great deal, costs the others little: bounded memory, no engine's
insert waits, and it is repaired. Bounds are loose; what was measured is printed."""

import random
import signal
import threading
import time
from array import array

import pytest

from loopback import wait_until

INSERT_S_MAX = 1.0
VISIBLE_S_MAX = 1.0
# The op log (64 MiB), and a queue of 1,000 messages for each of the two connections.
GROWTH_BYTES_MAX = 200 * 1024 * 1024
LOAD_BYTES = 24 * 1000 * 1000
TOKENS = 2048
SNAPSHOT_TOKENS = 1_000_000
ENTRY_TOKENS = 256
PULL_S_MAX = 20.0


def some_tokens(chance, count):
    return array("I", chance.randbytes(4 * count))


def counter(node, *names):
    counters = node.client.status()["counters"]
    return sum(counters.get(name, 0) for name in names)


class Load:
    """Inserts of many tokens at one node; resets now and then, so that its tree stays small."""

    def __init__(self, node):
        self.node = node
        self.slowest_s = 0.0
        self.messages = 0
        self._chance = random.Random(node.name)

    def run(self, bytes_):
        published = counter(self.node, "op_bytes_published")
        with self.node.connect() as client:
            while counter(self.node, "op_bytes_published") - published < bytes_:
                for _ in range(100):
                    tokens = some_tokens(self._chance, TOKENS)
                    begin = time.monotonic()
                    client.insert(tokens, [(0, TOKENS)])
                    self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
                self.messages += 100
                client.reset()


def test_a_reader_that_stops_costs_bounded_memory_and_is_repaired(mesh_of):
    mesh = mesh_of(prefill=2, decode=1, router=1).start()
    loads = [Load(mesh["p0"]), Load(mesh["d0"])]
    others = [mesh["p0"], mesh["d0"], mesh["r0"]]
    slow = mesh["p1"]
    mesh.wait_agree()
    memory = {node: node.memory_bytes() for node in others}
    slow.signal(signal.SIGSTOP)
    threads = [threading.Thread(target=load.run, args=(LOAD_BYTES,)) for load in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    growth = {node.name: node.memory_bytes() - memory[node] for node in others}
    before = time.monotonic()
    slow.signal(signal.SIGCONT)
    mesh.wait_alive()
    mesh.wait_agree()
    grown = ", ".join(f"{name} {bytes_ >> 20} MiB" for name, bytes_ in growth.items())
    slowest_s = max(load.slowest_s for load in loads)
    print(f"\n{sum(load.messages for load in loads)} inserts of {TOKENS} tokens;", end="")
    print(f" grown: {grown}; slowest insert {slowest_s * 1000:.0f} ms;", end="")
    print(f" repaired in {time.monotonic() - before:.2f} s")
    assert max(growth.values()) < GROWTH_BYTES_MAX
    assert slowest_s < INSERT_S_MAX


def test_frames_that_a_full_queue_lost_are_asked_for_again(mesh_of):
    """It is no suspect yet: its connections live, and only frames are lost."""
    mesh = mesh_of(prefill=1, decode=1, router=1, flags=["--suspect-after", 30]).start()
    p0, r0 = mesh["p0"], mesh["r0"]
    mesh.wait_agree()
    r0.signal(signal.SIGSTOP)
    load = Load(p0)
    # More than a queue of 1,000 messages and the kernel's buffers hold.
    load.run(LOAD_BYTES)
    assert load.messages > 1000
    r0.signal(signal.SIGCONT)
    mesh.wait_agree()
    counters = r0.client.status()["counters"]
    names = ("ops_held", "replays_asked", "snapshots_asked")
    shown = {name: counters.get(name, 0) for name in names}
    print(f"\nafter {load.messages} inserts: {shown}")
    assert shown["replays_asked"] + shown["snapshots_asked"] > 0, "no frame was lost: no test"
    assert counter(r0, "epochs_begun", "digest_mismatches") == 0
    repair = next(each for each in r0.client.nodes() if each.addr == p0.addr).last_repair
    assert repair["how"] in ("replay", "snapshot")


def fill(node, count):
    chance = random.Random("a big cache")
    for i in range(0, count, ENTRY_TOKENS):
        node.client.insert(some_tokens(chance, ENTRY_TOKENS), [(i, ENTRY_TOKENS)])


def visible_latencies(here, there, while_):
    """Of small inserts at `here`, one after the other, as seen by asking `there`."""
    chance = random.Random("small")
    slowest_insert_s, latencies = 0.0, []
    while while_() or not latencies:
        tokens = some_tokens(chance, 16)
        begin = time.monotonic()
        here.client.insert(tokens, [(0, 16)])
        slowest_insert_s = max(slowest_insert_s, time.monotonic() - begin)
        deadline = begin + 10 * VISIBLE_S_MAX
        while here.addr not in there.client.match_prefix(tokens).depths:
            assert time.monotonic() < deadline, "it never arrived"
        latencies.append(time.monotonic() - begin)
    return slowest_insert_s, latencies


@pytest.mark.parametrize("from_donor", [False, True], ids=["between others", "from the donor"])
def test_live_ops_go_on_while_a_node_pulls_a_snapshot_of_a_million_tokens(mesh_of, from_donor):
    mesh = mesh_of(prefill=2, decode=2, router=1)
    late = mesh["d1"]
    early = [node for node in mesh.nodes if node is not late]
    for node in early:
        node.start()
    for node in early:
        wait_until(node.answers, f"{node.name} answers")
    mesh.wait_alive()
    p0 = mesh["p0"]
    fill(p0, SNAPSHOT_TOKENS)
    mesh.wait_agree()
    here, there = p0 if from_donor else mesh["p1"], mesh["d0"]
    quiet = visible_latencies(here, there, iter([True] * 50 + [False]).__next__)[1]
    late.start()
    begin = time.monotonic()

    def pulling():
        # Read from its log: its answers would be part of the load.
        taken = any(f"event=snapshot_taken node={p0.addr}" in line for line in late.lines())
        assert taken or time.monotonic() - begin < PULL_S_MAX, late.last_words()
        return not taken

    slowest_insert_s, latencies = visible_latencies(here, there, pulling)
    print(f"\nsnapshot of {SNAPSHOT_TOKENS} tokens: {time.monotonic() - begin:.2f} s;", end="")
    print(f" small inserts visible in at most {max(latencies) * 1000:.1f} ms", end="")
    print(f" (before: {max(quiet) * 1000:.1f} ms), of {len(latencies)};", end="")
    print(f" slowest insert {slowest_insert_s * 1000:.1f} ms")
    mesh.wait_alive()
    mesh.wait_agree()
    assert max(latencies) < VISIBLE_S_MAX
    assert slowest_insert_s < INSERT_S_MAX
    assert late.client.status()["counters"]["snapshots_taken"] >= 1
    for node in mesh.nodes:
        assert counter(node, "suspicions") == 0, "heartbeats went on"
