"""Nodes that cannot be members of one mesh refuse each other, and each says in one line what
differs; who already is a member is not disturbed.

Page sizes, clusters and lists of two listed nodes: test_start_and_options.py has those.
"""

import pytest

from loopback import alive_at, run_sidecar, wait_until

RESOURCE = 69


def said(node, event):
    """The lines of that event, without their time."""
    return [line.split(" ", 1)[1] for line in node.lines() if f"event={event} " in line]


@pytest.fixture
def mesh(mesh_of):
    """Two that are a mesh already."""
    mesh = mesh_of(prefill=1, decode=1).start()
    mesh.wait_alive()
    return mesh


def join(mesh, *flags, cluster=None):
    """Someone who asks both to be let in."""
    node = mesh.add("j0", "prefill", *mesh.nodes, flags=flags)
    if cluster is not None:
        node.flags[node.flags.index("--cluster") + 1] = cluster
    node.start()
    wait_until(node.answers, "it answers")
    return node


def check_refused(mesh, node, *words):
    members = [other for other in mesh.nodes if other is not node]
    node.wait_said("event=refused_by ", *words)
    for other in members:
        other.wait_said(node.addr)
        lines = [line for line in other.lines() if node.addr in line]
        assert len(lines) == 1, "once, however often it is asked"
        assert all(word in lines[0] for word in words), lines[0]
        assert alive_at(other) == {each.addr for each in members}
    assert len(said(node, "refused_by")) <= len(members), "once for each that it asked"
    assert node.client.status()["ready"] is False


def test_joining_another_cluster(mesh):
    node = join(mesh, cluster="elsewhere")
    check_refused(mesh, node, "cluster differs", mesh.cluster, "elsewhere")


def test_joining_with_another_page_size(mesh):
    node = join(mesh, "--page-size", 16)
    check_refused(mesh, node, "page_size differs", "16", "1")


def test_joining_with_a_rank_that_is_taken(mesh):
    node = join(mesh, "--rank", 1)
    check_refused(mesh, node, "rank 1 is taken by", mesh["d0"].addr)


def test_joining_with_a_rank_that_is_free(mesh):
    node = join(mesh, "--rank", 7)
    wait_until(node.ready, "it is let in")
    assert node.client.status()["rank"] == 7
    mesh.wait_alive()
    mesh.wait_agree()


def test_lists_in_another_order_clash_in_rank(mesh_of):
    mesh = mesh_of(prefill=3)
    p0, p1, p2 = mesh.nodes
    at = p2.flags.index("--prefill-cache-nodes") + 1
    p2.flags[at] = ",".join((p1.addr, p0.addr, p2.addr))
    for node in mesh.nodes:
        node.start()
    # p2's own rank is the same by both lists, so it says who it is and is let in by both; it is
    # p2 who sees two others say another rank than its lists.
    for other in (p0, p1):
        p2.wait_said("rank differs", other.addr)
        other.wait_said("rank differs")
        wait_until(lambda: {p0.addr, p1.addr} <= alive_at(other), "the two are a mesh")
    assert alive_at(p2) == {p2.addr}


def test_a_second_process_at_a_live_nodes_address(mesh, short_folder):
    p0 = mesh["p0"]
    flags = list(p0.flags)
    flags[flags.index("--ipc") + 1] = str(short_folder / "second.sock")
    outcome = run_sidecar(flags)
    assert outcome.returncode == RESOURCE
    reasons = [line for line in outcome.stderr.splitlines() if "level=info" not in line]
    assert len(reasons) == 1 and p0.addr in reasons[0] and "in use" in reasons[0], outcome.stderr
    assert outcome.stdout == ""
    mesh.wait_agree()
    assert alive_at(mesh["d0"]) == {node.addr for node in mesh.nodes}


def test_a_second_process_that_joins_at_a_live_nodes_address(mesh, short_folder):
    d0 = mesh["d0"]
    outcome = run_sidecar(
        ["--cluster", mesh.cluster, "--join", mesh["p0"].addr, "--role", "decode"]
        + ["--local-cache-addr", d0.addr, "--ipc", short_folder / "second.sock"]
    )
    assert outcome.returncode == RESOURCE
    assert "in use" in outcome.stderr and d0.addr in outcome.stderr
    mesh.wait_agree()


def test_one_who_joins_where_nobody_is_goes_on_asking(mesh_of):
    mesh = mesh_of(prefill=1)
    node = mesh.add("j0", "decode", mesh["p0"])
    node.start()
    wait_until(node.answers, "it answers")
    assert node.client.status()["ready"] is False
    mesh.start("p0")
    wait_until(node.ready, "it is let in by who came later")
    mesh.wait_alive()
