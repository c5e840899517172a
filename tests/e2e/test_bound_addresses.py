"""Where a node listens and where it says that it does: wildcards, mapped ports, firewalls, names of
which not all is here, and descriptors that run out."""

import resource
import socket
import subprocess

import pytest

from loopback import alive_at, wait_until
from mapped_mesh import MappedMesh
from name_lab import NameLab

HELD = list(range(1, 200))


@pytest.fixture
def mapped_of(mesh_of):
    made = []

    def make(flags=(), closed=(), **counts) -> MappedMesh:
        made.append(MappedMesh(mesh_of(**counts), flags, closed))
        return made[-1]

    yield make
    for mapped in made:
        mapped.close()


def inserted_everywhere(mesh, first):
    for offset, node in enumerate(each for each in mesh.holders if each.running):
        tokens = [first + offset] * 16
        node.client.insert(tokens, [(offset * 16, 16)])
        for other in mesh.running:
            wait_until(
                lambda: node.addr in other.client.match_prefix(tokens).depths,
                f"what {node.name} inserts is at {other.name}",
            )


def restarted(mesh, node):
    """It comes back and has caught up with all."""
    node.kill()
    node.start()
    mesh.wait_ready(node)
    mesh.wait_alive()
    mesh.wait_agree()


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "[::]", "*"])
@pytest.mark.parametrize("announced", ["127.0.0.1", "[::1]"])
def test_bound_to_a_wildcard_and_announced_as_a_number(mesh_of, wildcard, announced):
    if announced == "[::1]" and (wildcard == "0.0.0.0" or not socket.has_ipv6):
        pytest.skip("IPv4 alone is bound")
    mesh = mesh_of(prefill=3)
    for node in mesh.nodes:
        node.addr = f"{announced}:{node.reservation.port}"
    for node in mesh.nodes:
        node.flags = [*mesh.common_flags(), "--local-cache-addr", node.addr, "--ipc", node.socket]
        node.flags += ["--bind", wildcard]
    mesh.start()
    mesh.wait_alive()
    inserted_everywhere(mesh, 1000)
    restarted(mesh, mesh["p1"])


def test_a_wildcard_for_one_socket_alone(mesh_of):
    mesh = mesh_of(prefill=2)
    mesh["p0"].flags += ["--publish-bind", "0.0.0.0", "--bulk-bind", "0.0.0.0:0"]
    mesh.start()
    mesh.wait_alive()
    inserted_everywhere(mesh, 1000)
    line = mesh["p0"].wait_said("event=started")
    assert "publish=127.0.0.1:" in line and "bulk=127.0.0.1:" in line


def test_mapped_ports(mapped_of):
    mapped = mapped_of(prefill=2, decode=1, router=1)
    mesh = mapped.mesh.start()
    mesh.wait_alive()
    mesh["p0"].client.insert(HELD, [(0, len(HELD))])
    inserted_everywhere(mesh, 1000)
    for node in mesh.nodes:
        assert node.client.status()["counters"].get("introductions_refused", 0) == 0
    restarted(mesh, mesh["p1"])
    assert mesh["p1"].client.match_prefix(HELD).depths == {mesh["p0"].addr: len(HELD)}


def test_a_firewall_that_lets_the_three_named_ports_in(mapped_of):
    """Nothing else is open; a restarted node catches up by the bulk port."""
    mapped = mapped_of(prefill=2)
    mesh = mapped.mesh.start()
    for i in range(50):
        mesh["p0"].client.insert([i] * 64, [(0, 64)])
    mesh.wait_agree()
    restarted(mesh, mesh["p1"])
    assert mesh["p1"].client.match_prefix([7] * 64).depths == {mesh["p0"].addr: 64}


def test_a_closed_bulk_port_can_be_seen_and_is_mended_when_it_opens(mapped_of):
    mapped = mapped_of(prefill=2)
    mesh = mapped.mesh.start()
    p0, p1 = mesh.nodes
    for i in range(50):
        p0.client.insert([i] * 64, [(0, 64)])
    mesh.wait_agree()
    mapped.close_port("p0", "bulk")
    p1.kill()
    p1.start()
    wait_until(p1.answers, "p1 answers")
    wait_until(lambda: alive_at(p1) == {p0.addr, p1.addr}, "p1 sees p0")
    lag = wait_until(lambda: p1.client.status()["lag"][p0.addr]["lag_ops"], "p1 lags")
    assert lag >= 50
    p1.wait_said(f"event=member_trouble node={p0.addr} ", "its bulk address", seconds=30)
    mapped.open_port("p0", "bulk")
    mesh.wait_ready(p1)
    mesh.wait_agree()
    p1.wait_said("event=member_well")


@pytest.mark.parametrize("which", ["control", "publish", "bulk"])
def test_a_port_that_is_closed_for_a_while(mapped_of, which):
    mapped = mapped_of(prefill=2)
    mesh = mapped.mesh.start()
    mesh.wait_alive()
    mapped.close_port("p0", which)
    mesh["p0"].client.insert(HELD, [(0, len(HELD))])
    mapped.open_port("p0", which)
    mesh.wait_alive()
    mesh.wait_agree()
    inserted_everywhere(mesh, 1000)


def test_a_name_of_which_one_address_is_not_here(mesh_of):
    lab = NameLab(mesh_of(prefill=2))
    try:
        mesh = lab.mesh
        lab.name(mesh["p0"], "10.99.99.99", "127.0.1.1", "fd00::99")
        lab.name(mesh["p1"], "127.0.1.2")
        mesh.start()
        mesh.wait_alive()
        inserted_everywhere(mesh, 1000)
    finally:
        lab.mesh.kill()
        lab.close()


def test_a_guest_that_announces_anothers_publish_address_and_leaves(mesh_of):
    mesh = mesh_of(prefill=3).start()
    mesh.wait_alive()
    line = mesh["p0"].wait_said("event=started")
    publish = next(word for word in line.split() if word.startswith("publish="))[8:]
    guest = mesh.add("g0", "prefill", mesh["p1"])
    # Announced is p0's; bound is another port.
    guest.flags += ["--publish-addr", publish, "--publish-bind", "127.0.0.1:0"]
    guest.start()
    wait_until(guest.answers, "the guest answers")
    for node in mesh.nodes[:3]:
        wait_until(lambda: guest.addr in alive_at(node), f"{node.name} sees the guest")
    assert guest.stop() == 0
    guest._process = None
    for node in mesh.nodes[:3]:
        wait_until(lambda: guest.addr not in alive_at(node), f"{node.name} sees it go")
    inserted_everywhere(mesh, 1000)


def test_descriptors_that_run_out_while_somebody_joins(mesh_of):
    mesh = mesh_of(prefill=2).start()
    mesh.wait_alive()
    p0 = mesh["p0"]
    _, hard = resource.prlimit(p0.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(p0.pid, resource.RLIMIT_NOFILE, (p0.descriptors(), hard))
    joiner = mesh.add("j0", "prefill", mesh["p1"]).start()
    wait_until(joiner.answers, "the joiner answers")
    wait_until(lambda: joiner.addr in alive_at(mesh["p1"]), "p1 sees the joiner")
    joiner.client.insert(HELD, [(0, len(HELD))])
    resource.prlimit(p0.pid, resource.RLIMIT_NOFILE, (hard, hard))
    wait_until(lambda: joiner.addr in alive_at(p0), "p0 sees the joiner", 15)
    mesh.wait_agree()
    assert p0.client.match_prefix(HELD).depths == {joiner.addr: len(HELD)}


def test_help_says_what_is_bound(mesh_of):
    node = mesh_of(prefill=1)["p0"]
    said = subprocess.run([node.program, "--help"], capture_output=True, text=True).stdout
    for option in ("--bind", "--publish-bind", "--bulk-addr", "--bulk-bind"):
        assert option in said
