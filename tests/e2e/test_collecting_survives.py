"""Six engines with stamped slots read each other's, and collect their duplicates, while sidecars
are killed, stopped and started again. No read that may be used shows a wrong stamp, every pool's
balance is exact after every operation, and what was freed is what was counted.

    RADIXMESH_COLLECTING_OPERATIONS=100000    how many (default 4000)
    RADIXMESH_COLLECTING_SEED=1               which schedule
"""


import os
import random
import signal
import threading
import time

import pytest

from loopback import READY_S_MAX, wait_until
from stamped_engine import Fleet, StampedEngine

OPERATIONS = int(os.environ.get("RADIXMESH_COLLECTING_OPERATIONS", "4000"))
SEED = int(os.environ.get("RADIXMESH_COLLECTING_SEED", "1"))
LEASE_S = 2
FLAGS = ["--gc-period", 0.5, "--gc-lease", LEASE_S, "--max-radix-cache-size", 1200]
FLAGS += ["--heartbeat", 0.2, "--suspect-after", 1.2, "--tick", 4]
UPHEAVAL_PAUSE_S = 0.5
DISTURBED_MAX = 2
RUN_S_MAX = 60 + OPERATIONS / 100


class Upheaval:
    """Kills, stops and starts; what is done to a node is undone after a while."""

    def __init__(self, engines, seed):
        self.engines = engines
        self.done = {"killed": 0, "killed with engine": 0, "stopped": 0, "stopped in a call": 0}
        self._chance = random.Random(f"collecting {seed}")
        self._disturbed = {}

    def step(self):
        now = time.monotonic()
        for name, (due, undo) in list(self._disturbed.items()):
            if now >= due:
                del self._disturbed[name]
                undo()
        calm = [engine for engine in self.engines if engine.node.name not in self._disturbed]
        if len(self._disturbed) < DISTURBED_MAX:
            self._disturb(self._chance.choice(calm), now)

    def settle(self):
        for _, undo in self._disturbed.values():
            undo()
        self._disturbed.clear()

    def _disturb(self, engine, now):
        kind = self._chance.choice([*self.done, "killed", "stopped in a call"])
        self.done[kind] += 1
        if kind == "stopped in a call":
            # The engine waits for its sidecar, maybe with what it has read in its hands.
            engine.node.signal(signal.SIGSTOP)
            undo = self._go_on_in_a_call
        elif kind == "stopped":
            engine.lock.acquire()
            engine.node.signal(signal.SIGSTOP)
            undo = self._go_on
        else:
            engine.lock.acquire()
            engine.detach()
            engine.node.kill()
            if kind == "killed with engine":
                engine.begin_anew()
            undo = self._start
        # Longer and shorter than a lease.
        due = now + self._chance.uniform(0, 2 * LEASE_S)
        self._disturbed[engine.node.name] = (due, lambda: undo(engine))

    @staticmethod
    def _go_on(engine):
        engine.node.signal(signal.SIGCONT)
        engine.lock.release()

    @staticmethod
    def _go_on_in_a_call(engine):
        engine.node.signal(signal.SIGCONT)

    @staticmethod
    def _start(engine):
        engine.node.start()
        wait_until(engine.node.answers, f"{engine.node.name} answers", READY_S_MAX)
        engine.attach()
        engine.lock.release()


def test_a_stopped_owner_is_no_stopped_memory():
    """The model of the test itself: a slot that was given back shows no stamp, and is found out."""
    fleet = Fleet(1)

    class NoNode:
        name, addr = "p0", "127.0.0.1:1"

    engine = StampedEngine(NoNode, fleet, 1, slots=4)
    slots = engine.pool.take([11, 12])
    engine.pool.held |= set(slots)
    engine.pool.check()
    assert [engine.pool.stamps[slot][3] for slot in slots] == [11, 12]
    engine._drop(slots[:1])
    engine.pool.check()
    assert engine.pool.stamps[slots[0]] is None
    with pytest.raises(AssertionError):
        engine._drop(slots[:1])


@pytest.mark.parametrize(
    "flags",
    [
        ["--gc", "local-ref", "--gc-silent-reader", "lease"],
        ["--gc", "local-ref"],
        ["--gc", "global-ref", "--gc-silent-reader", "lease", "--topology", "ring"],
    ],
    ids=["local-ref, lease", "local-ref, block", "global-ref, ring"],
)
def test_no_read_that_may_be_used_shows_a_wrong_stamp(mesh_of, flags):
    mesh = mesh_of(prefill=4, decode=2, router=1, flags=[*FLAGS, *flags]).start()
    mesh.wait_alive()
    fleet = Fleet(SEED)
    engines = [StampedEngine(node, fleet, SEED) for node in mesh.holders]
    for engine in engines:
        engine.attach()
    threads = [threading.Thread(target=engine.run) for engine in engines]
    upheaval = Upheaval(engines, SEED)
    clock = threading.Event()
    deadline = time.monotonic() + RUN_S_MAX
    try:
        for thread in threads:
            thread.start()
        # A reader that is away blocks what is collected, and the first one may be away for long.
        while next(fleet.operations) < OPERATIONS // 3 or not any(e.freed_by_gc for e in engines):
            assert not [engine.failure for engine in engines if engine.failure]
            assert not fleet.wrong_reads
            assert time.monotonic() < deadline, "the engines hardly get on"
            upheaval.step()
            clock.wait(UPHEAVAL_PAUSE_S)
    finally:
        upheaval.settle()
        fleet.stop.set()
        for thread in threads:
            thread.join()
    print(f"\n{next(fleet.operations)} operations, {upheaval.done}, reads {fleet.reads}")
    assert [engine.failure for engine in engines if engine.failure] == []
    assert fleet.wrong_reads == []
    for engine in engines:
        engine.check_in_the_end()
    mesh.wait_agree(60.0)
    check_counts(engines)
    assert fleet.reads["accepted"] > OPERATIONS // 100, "hardly anything was read"
    for engine in engines:
        engine.detach()


def check_counts(engines):
    """Of engines whose sidecars live since they began."""
    collected = 0
    for engine in engines:
        counters = engine.node.client.status()["counters"]
        freed = counters.get("gc_tokens_freed", 0)
        assert freed == counters.get("gc_tokens_collected", 0), engine.node.name
        assert freed <= engine.freed_by_gc, engine.node.name
        collected += engine.freed_by_gc
    print(f"{collected} tokens of duplicates freed, as counted")
    assert collected > 0
