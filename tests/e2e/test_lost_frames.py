"""Frames that TCP delivered and nobody saw: a shim between the sockets and the core of every node
loses, doubles and swaps them, of all kinds and on all channels. The mesh forms, agrees at the end,
and answers as a model of the engines does; nobody is taken for dead."""

import threading

import pytest

from loopback import binary, wait_until
from modelled_engine import Engine, check_lookups

STEPS = 600
WORK_S_MAX = 60.0
HEAL_S_MAX = 60.0
WORK_PAUSE_S = 0.005


@pytest.mark.parametrize("topology", ["mesh", "ring", "groups"])
def test_a_mesh_that_loses_frames_agrees(mesh_of, topology):
    mesh = mesh_of(prefill=2, decode=2, router=1, flags=["--topology", topology])
    for seed, node in enumerate(mesh.nodes):
        node.program = binary("radixmesh-sidecar-faulty")
        node.env["FRAME_FAULTS"] = f"lost=0.1 doubled=0.05 swapped=0.05 seed={seed}"
    mesh.start()
    engines = [Engine(node, f"lost frames {node.name}") for node in mesh.holders]
    for engine in engines:
        engine.attach()

    stop = threading.Event()
    threads = [
        threading.Thread(target=engine.run, args=(stop, WORK_PAUSE_S)) for engine in engines
    ]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all_worked(engines), "all engines worked", WORK_S_MAX)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [engine.failure for engine in engines if engine.failure] == []
    mesh.wait_agree(HEAL_S_MAX)
    wait_until(lambda: all_alive(mesh), "all are alive to each other", HEAL_S_MAX)
    check_lookups(mesh.nodes, engines)
    names = ("ops_held", "ops_duplicate", "replays_asked", "snapshots_asked")
    shown = {name: sum(counters(node).get(name, 0) for node in mesh.nodes) for name in names}
    print(f"\n{topology}: {sum(engine.steps for engine in engines)} steps, {shown}")
    assert shown["replays_asked"] > 0, "no frame was lost: no test"
    for node in mesh.nodes:
        assert counters(node).get("digest_mismatches", 0) == 0
        assert not any("event=dead" in line for line in node.lines()), node.last_words()
    for engine in engines:
        engine.detach()


def all_worked(engines):
    return all(engine.failure or engine.steps >= STEPS for engine in engines)


def counters(node):
    return node.client.status()["counters"]


def all_alive(mesh):
    return all(each.state == "alive" for node in mesh.nodes for each in node.client.nodes())
