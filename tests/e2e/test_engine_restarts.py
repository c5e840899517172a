"""A killed sidecar comes back: with the same engine it takes its entries back from its peers, with
another engine, or one that does not say who it is, they are gone everywhere."""

import pytest

import radixmesh
from modelled_engine import Engine, check_lookups
from loopback import alive_at, wait_until

FLAGS = ["--heartbeat", 0.1, "--suspect-after", 0.6]
STEPS = 200


def entries_of(mesh, addr):
    """What each node shows of that holder."""
    return [node.client.tree(addr, limit=10_000).entries for node in mesh.nodes]


@pytest.fixture
def mesh_at_work(mesh_of):
    """A mesh that agrees, and its engines, each with some entries."""
    mesh = mesh_of(prefill=2, decode=1, router=1, flags=FLAGS).start()
    engines = [Engine(node, f"restarts {node.name}", node.name.encode()) for node in mesh.holders]
    for engine in engines:
        engine.attach()
        for _ in range(STEPS):
            engine.step()
    mesh.wait_agree()
    return mesh, engines


def kill_and_start(engine, mesh, noticed):
    node = engine.node
    engine.detach()
    node.kill()
    if noticed:
        others = [other for other in mesh.running if other is not node]
        for other in others:
            wait_until(
                lambda other=other: node.addr not in alive_at(other), f"{other.name} notices"
            )
    node.start()
    wait_until(node.answers, f"{node.name} answers")


@pytest.mark.parametrize("noticed", [False, True], ids=["at once", "when all know that it died"])
def test_with_the_same_engine_its_entries_are_back_on_all_nodes(mesh_at_work, noticed):
    mesh, engines = mesh_at_work
    engine = engines[0]
    addr = engine.node.addr
    before = mesh.wait_agree()
    entries = entries_of(mesh, addr)[0]
    assert entries
    kill_and_start(engine, mesh, noticed)
    engine.attach()
    assert engine.lost_ops == 0
    status = engine.node.client.status()
    assert status["counters"]["states_recovered"] == 1
    assert status["local_tokens"] == len(engine.held.slots)
    mesh.wait_alive()
    after = mesh.wait_agree()
    assert after["digests"] == before["digests"]
    assert after["version_vector"][addr][0] > before["version_vector"][addr][0], "a new epoch"
    assert after["version_vector"][addr][1] == before["version_vector"][addr][1]
    assert all(each == entries for each in entries_of(mesh, addr))
    check_lookups(mesh.nodes, engines)
    for _ in range(STEPS):
        engine.step()
    mesh.wait_agree()
    check_lookups(mesh.nodes, engines)


@pytest.mark.parametrize("missing", [0, 1], ids=["what peers have", "more than peers have"])
def test_a_state_that_is_older_than_the_engine_knows_is_not_taken_back(mesh_at_work, missing):
    mesh, engines = mesh_at_work
    engine = engines[0]
    epoch, seq = mesh.wait_agree()["version_vector"][engine.node.addr]
    kill_and_start(engine, mesh, noticed=False)
    engine.attach(state=(epoch, seq + missing))
    held = engine.node.client.status()["local_tokens"]
    assert held == (0 if missing else len(engine.held.slots))


def test_a_state_of_no_engine_is_refused(mesh_of):
    (node,) = mesh_of(unified=1).start().nodes
    with pytest.raises(radixmesh.FixRequest, match="engine_token"):
        radixmesh.connect(node.socket, state=(1, 1))


@pytest.mark.parametrize("token", [b"another", None])
def test_with_another_engine_its_old_entries_are_gone_everywhere(mesh_at_work, token):
    mesh, engines = mesh_at_work
    engine = engines[0]
    addr = engine.node.addr
    kill_and_start(engine, mesh, noticed=False)
    engine.begin_anew(token)
    engine.attach()
    assert engine.node.client.status()["local_tokens"] == 0
    # Without a token what it does first says that it begins empty.
    engine.insert(None, [3] * 20)
    mesh.wait_alive()
    wait_until(
        lambda: all(len(each) == 1 for each in entries_of(mesh, addr)),
        "the old entries are gone, the new one is there",
    )
    mesh.wait_agree()
    check_lookups(mesh.nodes, engines)
    for _ in range(STEPS):
        engine.step()
    mesh.wait_agree()
    check_lookups(mesh.nodes, engines)


def test_a_whole_mesh_that_restarts_is_empty(mesh_at_work):
    """Nobody is left who could give anything back: the engine is told so at once."""
    mesh, engines = mesh_at_work
    for engine in engines:
        engine.detach()
    for node in mesh.nodes:
        node.kill()
    mesh.start()
    for engine in engines:
        engine.attach()
        assert engine.held.slots == {}, "the journal went back to the beginning"
        assert engine.node.client.status()["local_tokens"] == 0
    mesh.wait_alive()
    mesh.wait_agree()


def test_two_that_died_and_start_again_one_after_the_other(mesh_at_work):
    """The first one back knows nothing of the second's life; the third knows both."""
    mesh, engines = mesh_at_work
    first, second = engines[0], engines[1]
    for engine in (first, second):
        engine.detach()
        engine.node.kill()
    for engine in (second, first):
        engine.node.start()
        wait_until(engine.node.answers, f"{engine.node.name} answers")
        engine.attach()
        assert engine.lost_ops == 0, f"{engine.node.name} did not take back what the third has"
    mesh.wait_alive()
    mesh.wait_agree()
    check_lookups(mesh.nodes, engines)


def test_a_node_that_starts_while_another_is_dead_gets_ready(mesh_at_work):
    mesh, engines = mesh_at_work
    dead, late = engines[0], engines[1]
    dead.detach()
    dead.node.kill()
    for other in mesh.running:
        wait_until(lambda: dead.node.addr not in alive_at(other), f"{other.name} notices")
    late.detach()
    late.node.kill()
    late.node.start()
    wait_until(late.node.answers, "it answers")
    late.attach()
    wait_until(late.node.ready, "it is ready", 10)
