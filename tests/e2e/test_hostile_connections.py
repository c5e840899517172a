"""Strangers that hold connections lock nobody out: neither members nor the engine."""

import time

import pytest

import wire
from hostile import STRANGER, Cost, is_cut, ports
from loopback import wait_until
from zmtp import Zmtp

STRANGERS_MAX = 64  # of each socket
NODE_CONNECTIONS_MAX = 2
SLACK = 10  # members, and what is on its way
IDLE_S = 46  # a silent stranger is cut after 30 s, at the latest at the next look


def few_descriptors(node, number=256):
    node.wrapper = ["sh", "-c", f'ulimit -n {number}; exec "$0" "$@"']


def strangers(node, count, socket="control", identity=None, say=b""):
    """As many of them as are let in, held."""
    port, kind = ports(node)[socket]
    held = []
    for i in range(count):
        name = wire.identity(STRANGER + i) if identity is None else identity
        try:
            held.append(Zmtp(port, kind, name if kind == "DEALER" else b""))
        except OSError:
            continue  # cut amid its handshake
        if say is not None:
            held[-1].send(b"\x01C" if kind == "SUB" else say)
    return held


def still_open(held):
    return sum(not is_cut(each) for each in held)


def close(held):
    for each in held:
        each.close()


def all_is_well(mesh, node):
    """Members find each other, one that restarts too; the engine and a new client are served."""
    mesh.wait_alive()
    other = mesh["p1"]
    other.kill()
    other.start()
    mesh.wait_ready(other)
    mesh.wait_alive()
    with node.connect() as client:
        tokens = [int(time.monotonic() * 1000) % 2**31] * 8
        client.insert(tokens, [(0, 8)])
    mesh.wait_agree()


@pytest.fixture(scope="module")
def mesh(module_mesh_of):
    mesh = module_mesh_of(prefill=2, decode=1).start()
    mesh.wait_alive()
    return mesh


@pytest.mark.parametrize("socket", ["control", "bulk", "publish"])
@pytest.mark.parametrize("say", [None, b""], ids=["silent", "speaking"])
def test_strangers_beyond_the_bound_are_cut(mesh, socket, say):
    p0 = mesh["p0"]
    held = strangers(p0, 3 * STRANGERS_MAX, socket, say=say)
    wait_until(lambda: still_open(held) <= STRANGERS_MAX, "those beyond the bound are cut")
    assert still_open(held) >= STRANGERS_MAX - SLACK
    assert p0.client.status()["connections"] <= 3 * (STRANGERS_MAX + SLACK)
    all_is_well(mesh, p0)
    close(held)


def test_one_identity_with_many_connections(mesh):
    p0 = mesh["p0"]
    for who in (STRANGER, wire.node_id(mesh.cluster, mesh["d0"].addr)):
        held = [
            connection
            for life in range(40)
            for connection in strangers(p0, 1, identity=wire.identity(who, life + 1))
        ]
        wait_until(
            lambda: still_open(held) <= NODE_CONNECTIONS_MAX, "it has as many as a node may have"
        )
        all_is_well(mesh, p0)
        close(held)


def test_marker_topics_of_one_node_from_many_connections(mesh):
    p0 = mesh["p0"]
    who = wire.node_id(mesh.cluster, mesh["d0"].addr)
    held = []
    for _ in range(40):
        held.append(Zmtp(wire.publish_port(p0), "SUB"))
        held[-1].send(b"\x01\xff" + who.to_bytes(8, "big"))
    wait_until(lambda: still_open(held) <= NODE_CONNECTIONS_MAX, "most are cut")
    all_is_well(mesh, p0)
    close(held)


def test_connections_that_come_and_go(mesh):
    p0 = mesh["p0"]
    before = p0.descriptors()
    with Cost(p0, 50_000_000):
        for i in range(600):
            close(strangers(p0, 1, ("control", "bulk", "publish")[i % 3], say=None))
    wait_until(lambda: p0.descriptors() <= before + SLACK, "their descriptors are free again")
    all_is_well(mesh, p0)


def test_few_descriptors_are_kept_for_members_and_the_engine(mesh_of):
    """256 descriptors, and strangers that would take 600."""
    mesh = mesh_of(prefill=2, decode=1)
    p0 = mesh["p0"]
    few_descriptors(p0)
    mesh.start()
    mesh.wait_alive()
    held = [
        each
        for socket in ("control", "bulk", "publish")
        for each in strangers(p0, 200, socket, say=None)
    ]
    wait_until(lambda: still_open(held) <= 3 * 16, "few are left")
    assert p0.descriptors() < 256 - 64
    all_is_well(mesh, p0)
    close(held)


def test_silent_strangers_go_and_idle_members_stay(mesh_of):
    mesh = mesh_of(prefill=2, decode=1, router=1, flags=["--topology", "mesh"]).start()
    mesh.wait_alive()
    begin = time.monotonic()
    before = {node.name: node.client.status()["connections"] for node in mesh.nodes}
    held = [
        each for socket in ports(mesh["p0"]) for each in strangers(mesh["p0"], 5, socket, say=None)
    ]
    wait_until(lambda: time.monotonic() - begin > 25, "25 s", 30)
    assert still_open(held) == len(held), "not yet"
    wait_until(lambda: time.monotonic() - begin > IDLE_S, f"{IDLE_S} s", IDLE_S)
    assert still_open(held) == 0
    for node in mesh.nodes:
        status = node.client.status()
        assert status["connections_cut"] == (len(held) if node.name == "p0" else 0), node.name
        assert status["connections"] == before[node.name], node.name
    close(held)


@pytest.mark.parametrize("socket", ["control", "bulk"])
def test_two_strangers_of_one_identity_leave_no_descriptors(mesh_of, socket):
    """Where one takes the other's identity, and that one then says something, libzmq keeps the
    descriptor for good: the port is bound anew before there are too many."""
    mesh = mesh_of(prefill=2)
    p0 = mesh["p0"]
    few_descriptors(p0, 600)  # of which 46 are for each port
    mesh.start()
    mesh.wait_alive()
    before = p0.descriptors()
    port, kind = ports(p0)[socket]
    made = 0
    for _ in range(300):
        try:
            with Zmtp(port, kind, wire.identity(STRANGER)) as first:
                with Zmtp(port, kind, wire.identity(STRANGER)):
                    first.send(b"again")
                    made += 1
        except OSError:
            pass  # cut, or the port is just bound anew
    assert made > 100
    # One that got no further than to be connected is cut after 30 s.
    wait_until(lambda: p0.descriptors() < before + 50, "they are given back", 45)
    all_is_well(mesh, p0)
