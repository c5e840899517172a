"""Nodes that know nothing but a service's name, as a headless service of Kubernetes gives it: they
form a mesh, and two that began apart become one."""

from __future__ import annotations

import signal
import time

import pytest

from loopback import wait_until

SERVICE = "service.mesh"
PORT = 7000


@pytest.fixture
def fleet_of(lab_of):
    """Four prefill nodes p0 to p3; what each asks is set by ask()."""

    def make(count: int):
        lab = lab_of(prefill=count)
        lab.name_all()
        return lab, lab.mesh

    return make


def ask(mesh, node, name: str, wait_s: float) -> None:
    node.flags = ["--cluster", mesh.cluster, "--role", "prefill", "--join", f"{name}:{PORT}"]
    node.flags += ["--join-wait", str(wait_s), "--local-cache-addr", node.addr]
    node.flags += ["--ipc", node.socket]


def number(node) -> str:
    return f"127.0.1.{node.rank + 1}"


def stands_for(lab, name: str, nodes) -> None:
    lab.zone[name] = {"a": [number(node) for node in nodes]}
    lab.tell()


def founder(node):
    return node.client.status()["founder"]


def wait_one_mesh(mesh, expected: str) -> None:
    for node in mesh.nodes:
        wait_until(lambda node=node: founder(node) == expected, f"{node.name} is in the mesh", 40)
    mesh.wait_alive()
    ranks = {}
    for node in mesh.nodes:
        ranks[node.addr] = node.client.status()["rank"]
    assert len(set(ranks.values())) == len(ranks), ranks
    for node in mesh.nodes:
        wait_until(
            lambda node=node: {each.addr: each.rank for each in node.client.nodes()} == ranks,
            f"{node.name} knows all ranks",
        )


def test_the_name_of_a_service_is_enough(fleet_of):
    lab, mesh = fleet_of(3)
    stands_for(lab, SERVICE, mesh.nodes)
    for node in mesh.nodes:
        ask(mesh, node, SERVICE, 1)
    mesh.start()
    wait_one_mesh(mesh, mesh["p0"].addr)
    for first, node in enumerate(mesh.nodes):
        node.client.insert([first] * 16, [(0, 16)])
    mesh.wait_agree()
    # A connection to itself that each made is gone, and hides nothing from it.
    counts = [node.client.status()["messages_misdirected"] for node in mesh.nodes]
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 2, "two seconds have passed")
    assert counts == [node.client.status()["messages_misdirected"] for node in mesh.nodes]
    # Who comes later, and who comes back, is let in.
    mesh["p0"].kill()
    said_before = len(mesh["p0"].lines())
    mesh.start("p0")
    wait_one_mesh(mesh, mesh["p0"].addr)
    wait_until(
        lambda: any("event=ready" in line for line in mesh["p0"].lines()[said_before:]),
        "it says that it is ready once more",
    )
    assert sum("event=mesh_begun" in line for node in mesh.nodes for line in node.lines()) == 1


def test_a_name_that_nobody_knows_is_waited_for_and_then_a_mesh_begins(fleet_of):
    lab, mesh = fleet_of(1)
    node = mesh["p0"]
    ask(mesh, node, "unknown.mesh", 3)
    node.start()
    wait_until(
        lambda: node.answers()
        and node.client.status()["why_not_ready"].startswith(
            "it is in no mesh yet: nobody is there to ask; it begins one in "
        ),
        "it says what it waits for",
    )
    status = node.client.status()
    assert status["founder"] is None and not status["ready"]
    mesh.wait_ready(node)
    assert founder(node) == node.addr
    node.wait_said("level=warning event=mesh_begun", "unknown.mesh:7000 does not resolve")


def test_an_own_address_at_which_nobody_listens_is_nobodys(fleet_of):
    """A pod of both families that announces one of its addresses."""
    lab, mesh = fleet_of(1)
    node = mesh["p0"]
    lab.add_address("fd00:7::1/64")
    lab.zone[SERVICE] = {"a": [number(node)], "aaaa": ["fd00:7::1"]}
    lab.tell()
    ask(mesh, node, SERVICE, 1)
    node.start()
    mesh.wait_ready(node)
    assert founder(node) == node.addr


def test_who_is_cut_off_from_the_others_begins_no_mesh(fleet_of):
    lab, mesh = fleet_of(3)
    stands_for(lab, SERVICE, mesh.nodes)
    for node in mesh.nodes:
        ask(mesh, node, SERVICE, 0.5)
    node = mesh["p1"].start()
    wait_until(
        lambda: node.answers()
        and node.client.status()["why_not_ready"].startswith(
            "it is in no mesh yet: of the 2 other addresses that it is to ask, 0 answer: it may be "
            "cut off from a mesh; silent: 127.0.1."
        ),
        "it says why it waits",
    )
    node.wait_said("event=not_in_a_mesh", f"{number(mesh['p0'])}:{PORT} (no connection)")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 3, "three seconds have passed")
    assert founder(node) is None
    mesh.start("p0")
    wait_until(lambda: founder(node) == mesh["p0"].addr, "it is let in by p0")


def test_two_meshes_that_began_apart_become_one_and_keep_their_entries(fleet_of):
    lab, mesh = fleet_of(4)
    low, high = mesh.nodes[:2], mesh.nodes[2:]
    stands_for(lab, "low.mesh", low)
    stands_for(lab, "high.mesh", high)
    for node in low:
        ask(mesh, node, "low.mesh", 1)
    for node in high:
        ask(mesh, node, "high.mesh", 0.5)
    mesh.start()
    for node in low:
        wait_until(lambda node=node: len(node.client.nodes()) == 2, f"{node.name} sees the other")
    for node in high:
        wait_until(lambda node=node: len(node.client.nodes()) == 2, f"{node.name} sees the other")
    assert {founder(node) for node in low} == {mesh["p0"].addr}
    assert {founder(node) for node in high} == {mesh["p2"].addr}
    before = [node.client.status()["rank"] for node in low]
    for first, node in enumerate(mesh.nodes):
        node.client.insert([first] * 16, [(16 * first, 16)])
    stands_for(lab, "low.mesh", mesh.nodes)
    stands_for(lab, "high.mesh", mesh.nodes)
    low[1].signal(signal.SIGHUP)  # it need not wait until it asks again
    wait_one_mesh(mesh, mesh["p0"].addr)
    mesh.wait_agree()
    assert [node.client.status()["rank"] for node in low] == before
    for first, holder in enumerate(mesh.nodes):
        for node in mesh.nodes:
            assert node.client.match_prefix([first] * 16, touch=False).depths == {holder.addr: 16}
            assert node.client.status()["ready"]
