"""Names that resolve late, never, otherwise than before, or to several addresses hold up nobody but
those whom they stand for."""

from __future__ import annotations

import signal
import time

import pytest

from loopback import alive_at, wait_until


def inserted_everywhere(mesh, first: int) -> None:
    """An op of each running holder is at all others soon."""
    for offset, node in enumerate(mesh.running):
        tokens = [first + offset] * 16
        node.client.insert(tokens, [(offset * 16, 16)])
        for other in mesh.running:
            wait_until(
                lambda: node.addr in other.client.match_prefix(tokens).depths,
                f"what {node.name} inserts is at {other.name}",
                2.0,
            )


def stay_together(mesh, seconds: float, first: int) -> None:
    """For so long all that run see each other alive, and hear of each other's ops."""
    everyone = {node.addr for node in mesh.running}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        inserted_everywhere(mesh, first)
        first += 100
        for node in mesh.running:
            assert everyone <= alive_at(node), f"{node.name} sees {alive_at(node)}"


@pytest.mark.parametrize("mood", [{"silent": True}, {"a": ["127.0.1.3"], "slow_s": 3}])
def test_a_dead_member_with_a_slow_name_holds_up_nobody(lab_of, mood):
    lab = lab_of(prefill=3)
    mesh = lab.mesh
    lab.name_all()
    mesh.start()
    mesh["p2"].kill()
    lab.zone["p2.mesh"] = mood
    lab.tell()
    stay_together(mesh, 8, first=1000)


def test_a_name_server_that_falls_silent_takes_no_mesh_apart(lab_of):
    lab = lab_of(prefill=2, router=1)
    mesh = lab.mesh
    lab.name_all()
    mesh.start()
    lab.zone.clear()
    lab.zone["*"] = {"silent": True}
    lab.tell()
    mesh["p0"].client.insert([7] * 16, [(0, 16)])
    wait_until(lambda: mesh["p0"].addr in mesh["p1"].client.match_prefix([7] * 16).depths, "an op")
    until = time.monotonic() + 6
    while time.monotonic() < until:
        for node in mesh.running:
            assert len(alive_at(node)) == 3
    # One that restarts meanwhile cannot be bound by name; the others are none the worse.
    mesh["p1"].kill()
    lab.zone["p1.mesh"] = {"a": ["127.0.1.2"]}
    lab.tell()
    mesh["p1"].start()
    wait_until(mesh["p1"].answers, "p1 runs")
    wait_until(lambda: len(alive_at(mesh["p0"])) == 3, "p1 is back", 15)


def test_one_name_for_both_families(lab_of):
    lab = lab_of(prefill=3)
    mesh = lab.mesh
    for node in mesh.nodes:
        lab.name(node, f"127.0.1.{node.rank + 1}", "::1")
    lab.add_address("fd00::1/128")
    # Each listens at a port of its own, as all have the address ::1.
    for node in mesh.nodes:
        node.addr = f"{node.name}.mesh:{7000 + node.rank}"
    for node in mesh.nodes:
        node.flags = [*mesh.common_flags(), "--local-cache-addr", node.addr, "--ipc", node.socket]
    mesh.start()
    mesh.wait_alive()
    inserted_everywhere(mesh, 1000)


def test_names_that_have_ipv6_alone(lab_of):
    lab = lab_of(prefill=3)
    mesh = lab.mesh
    for node in mesh.nodes:
        lab.add_address(f"fd00::{node.rank + 1}/128")
        lab.name(node, f"fd00::{node.rank + 1}")
    mesh.start()
    mesh.wait_alive()
    inserted_everywhere(mesh, 1000)


def test_localhost_in_both_families(lab_of):
    lab = lab_of(prefill=3, hosts="127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
    mesh = lab.mesh
    for node in mesh.nodes:
        node.addr = f"localhost:{7000 + node.rank}"
    for node in mesh.nodes:
        node.flags = [*mesh.common_flags(), "--local-cache-addr", node.addr, "--ipc", node.socket]
    mesh.start()
    mesh.wait_alive()
    inserted_everywhere(mesh, 1000)


def test_of_several_addresses_one_is_enough(lab_of):
    lab = lab_of(prefill=2)
    mesh = lab.mesh
    # At the first two nobody listens.
    for node in mesh.nodes:
        lab.name(node, f"127.0.1.{node.rank + 1}")
    mesh["p0"].start()
    lab.name(mesh["p0"], "127.0.9.1", "127.0.9.2", "127.0.1.1")
    mesh["p1"].start()
    mesh.wait_ready(*mesh.nodes)
    mesh.wait_alive()


def test_a_pod_that_moves_is_found_at_its_new_address(lab_of):
    lab = lab_of(prefill=3)
    mesh = lab.mesh
    lab.name_all()
    mesh.start()
    mesh["p2"].kill()
    lab.name(mesh["p2"], "127.0.5.5")
    mesh["p2"].start()
    wait_until(mesh["p2"].answers, "p2 runs")
    # Who asked just before the move asks again after a while.
    life = mesh["p2"].client.status()["epoch"]
    for node in mesh.nodes:
        wait_until(
            lambda node=node: life in [each.epoch for each in node.client.nodes()],
            f"{node.name} has found p2's new life",
            15,
        )
    wait_until(lambda: all(len(alive_at(node)) == 3 for node in mesh.nodes), "p2 is back", 15)
    inserted_everywhere(mesh, 1000)


def test_a_name_that_stands_for_somebody_else_is_asked_again(lab_of):
    lab = lab_of(prefill=3)
    mesh = lab.mesh
    lab.name_all()
    mesh["p2"].start()
    wait_until(mesh["p2"].answers, "p2 runs")
    lab.name(mesh["p2"], "127.0.1.2")  # p1's
    for node in (mesh["p0"], mesh["p1"]):
        node.start()
        wait_until(node.answers, f"{node.name} runs")
    wait_until(lambda: len(alive_at(mesh["p0"])) >= 2, "p0 and p1 see each other", 15)
    lab.name(mesh["p2"], "127.0.1.3")
    wait_until(lambda: all(len(alive_at(node)) == 3 for node in mesh.nodes), "p2 is found", 30)


def test_a_name_that_does_not_resolve_yet(lab_of):
    lab = lab_of(prefill=2)
    mesh = lab.mesh
    lab.name(mesh["p0"], "127.0.1.1")
    mesh["p0"].start()
    wait_until(mesh["p0"].answers, "p0 runs")
    lab.name(mesh["p1"], "127.0.1.2")
    mesh["p1"].start()
    wait_until(mesh["p1"].answers, "p1 runs")
    wait_until(lambda: all(len(alive_at(node)) == 2 for node in mesh.nodes), "both are seen", 40)


def test_sighup_asks_names_again_at_once(lab_of):
    lab = lab_of(prefill=2)
    mesh = lab.mesh
    lab.name(mesh["p0"], "127.0.1.1")
    # At that address nobody will ever listen; pauses between look-ups grow meanwhile.
    lab.name(mesh["p1"], "127.0.9.9")
    mesh["p0"].start()
    wait_until(mesh["p0"].answers, "p0 runs")
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 12, "the pauses have grown", 13)
    lab.name(mesh["p1"], "127.0.1.2")
    mesh["p1"].start()
    mesh["p0"].signal(signal.SIGHUP)
    wait_until(lambda: mesh["p1"].addr in alive_at(mesh["p0"]), "p1 is found at once", 3)
