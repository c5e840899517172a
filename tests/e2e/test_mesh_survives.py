"""Nine sidecars under a continuous workload while nodes are killed, stopped, drained and started
again, and others join and leave; then all agree, and answer as a model of the engines does.

    RADIXMESH_SURVIVAL_SECONDS=120    how long (default 10)
    RADIXMESH_SURVIVAL_SEED=1         which schedule

A short run has shorter timers, so that deaths are noticed in it; a run of a minute or more has the
sidecar's own.
"""

import os
import threading
import time

from modelled_engine import Engine, check_lookups
from loopback import READY_S_MAX, wait_until
from upheaval import Upheaval

SECONDS = float(os.environ.get("RADIXMESH_SURVIVAL_SECONDS", "10"))
SEED = int(os.environ.get("RADIXMESH_SURVIVAL_SEED", "1"))
FLAGS = [] if SECONDS >= 60 else ["--heartbeat", 0.2, "--suspect-after", 1.2, "--tick", 4]
WORK_PAUSE_S = 0.01  # six engines in one Python: the sidecars are to be busy, not this process
UPHEAVAL_PAUSE_S = 0.4
HEAL_S_MAX = 30.0

SPARED = ("p0", "r0")  # live through it all, though they may be stopped for a while
# A link is at most three connections each way, and two sockets of our own. A member that left is
# remembered, and so are its two sockets, until its entries are forgotten.
DESCRIPTORS_PER_LINK = 8
DESCRIPTORS_PER_LEFT = 2
# The op logs fill up to their bounds (64 MiB and 64 MiB), the trees do not grow.
GROWTH_BYTES_MAX = 160 * 1024 * 1024


class Crew:
    """The engines' threads."""

    def __init__(self):
        self.stop = threading.Event()
        self._threads = []

    def work(self, engine):
        thread = threading.Thread(target=engine.run, args=(self.stop, WORK_PAUSE_S))
        thread.start()
        self._threads.append(thread)

    def end(self):
        self.stop.set()
        for thread in self._threads:
            thread.join()


def picture_of(node, addrs):
    """Members that left may be forgotten here and remembered there: only `addrs` count."""
    status = node.client.status()
    parts = (status["version_vector"], status["digests"])
    return [[part.get(addr) for addr in addrs] for part in parts]


def wait_agree(mesh):
    addrs = [node.addr for node in mesh.running]

    def agree():
        pictures = [picture_of(node, addrs) for node in mesh.running]
        return all(each == pictures[0] for each in pictures)

    wait_until(agree, "all running nodes agree", HEAL_S_MAX)


def resources(nodes):
    return {node.name: (node.descriptors(), node.memory_bytes()) for node in nodes}


def check_resources(before, after, left, joined):
    more = left * DESCRIPTORS_PER_LEFT + joined * DESCRIPTORS_PER_LINK
    for name, (descriptors, memory) in before.items():
        print(f"{name}: descriptors {descriptors} -> {after[name][0]}, ", end="")
        print(f"RSS {memory >> 20} -> {after[name][1] >> 20} MiB")
        assert after[name][0] <= descriptors + more, f"{left} left, {joined} joined"
        assert after[name][1] - memory < GROWTH_BYTES_MAX


def test_nine_nodes_agree_after_whatever_happened_to_them(mesh_of):
    mesh = mesh_of(prefill=4, decode=3, router=2, flags=FLAGS).start()
    mesh.wait_alive()
    engines = {}
    for node in mesh.holders:
        engines[node.name] = Engine(node, f"{SEED} {node.name}", node.name.encode())
        engines[node.name].attach()
    mesh.wait_agree()
    spared = [mesh[name] for name in SPARED]
    before = resources(spared)
    crew = Crew()
    everyone = list(engines.values())

    def work(engine):
        everyone.append(engine)
        crew.work(engine)

    upheaval = Upheaval(mesh, engines, SEED, SPARED, work, FLAGS)
    print(f"\nseed {SEED}, {SECONDS:g} s")
    try:
        for engine in engines.values():
            crew.work(engine)
        upheaval.run(SECONDS, UPHEAVAL_PAUSE_S)
    finally:
        upheaval.settle()
        crew.end()
    healing = time.monotonic()
    assert [engine.failure for engine in everyone if engine.failure] == []
    for node in mesh.running:
        wait_until(node.ready, f"{node.name} is ready", READY_S_MAX)
    mesh.wait_alive()
    wait_agree(mesh)
    print(f"healed after {time.monotonic() - healing:.1f} s;", dict(upheaval.done))
    print(f"{sum(each.steps for each in everyone)} steps; lost:", dict(upheaval.lost_ops))
    check_lookups(mesh.running, list(engines.values()))
    assert upheaval.lost_ops["drained"] == 0, "who leaves in an orderly way loses nothing"
    assert upheaval.lost_ops["killed"] <= upheaval.burst_ops, "older ops had reached the peers"
    for node in mesh.running:
        assert "digest_mismatches" not in node.client.status()["counters"], node.name
    left = upheaval.done["left"]
    check_resources(before, resources(spared), left, upheaval.done["joined"] - left)
    for engine in engines.values():
        engine.detach()
