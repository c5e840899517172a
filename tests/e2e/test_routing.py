"""Routing across real sidecars: bookings and loads reach all routers, and go with who made them."""

import signal
import time

import pytest

import radixmesh
from loopback import wait_until

PROMPT = list(range(1600))
OTHER = list(range(10_000, 11_600))
WHOLE_CHUNKS = 1536  # of PROMPT, at 256 tokens


def candidate(node, of):
    return next(each for each in node.client.explain(PROMPT).candidates if each.addr == of.addr)


def booked_at(node, of):
    return candidate(node, of).booked


@pytest.fixture
def mesh(mesh_of):
    mesh = mesh_of(prefill=2, decode=2, router=2, flags=["--page-size", 16]).start()
    for router in ("r0", "r1"):
        wait_until(lambda router=router: all_fit(mesh[router]), f"{router} may choose all")
    return mesh


def all_fit(router):
    return all(each.excluded is None for each in router.client.explain(PROMPT).candidates)


@pytest.mark.parametrize("topology", ["mesh", "ring", "groups"])
def test_bookings_are_seen_by_the_other_router_and_end_there_too(mesh_of, topology):
    flags = ["--page-size", 16, "--topology", topology]
    mesh = mesh_of(prefill=2, decode=2, router=2, flags=flags).start()
    r0, r1 = mesh["r0"], mesh["r1"]
    wait_until(lambda: all_fit(r0) and all_fit(r1), "both may choose all")
    route = r0.client.route(PROMPT)
    node = next(each for each in mesh.nodes if each.addr == route.prefill.addr)
    wait_until(lambda: booked_at(r1, node).prefill_tokens == 1600, "r1 knows of the booking")
    # Where one router sends work, the other sends its own elsewhere.
    assert r1.client.route(OTHER, book=False).prefill.addr != node.addr
    route.booking.prefill_done(hit_tokens=0)
    route.booking.finish()
    wait_until(lambda: booked_at(r1, node).requests == 0, "r1 knows that it is over")
    assert candidate(r0, node).hits == radixmesh.Hits(1, 0, 0)


def test_a_routers_death_drops_its_bookings(mesh):
    r0, r1 = mesh["r0"], mesh["r1"]
    route = r0.client.route(PROMPT)
    node = next(each for each in mesh.nodes if each.addr == route.prefill.addr)
    wait_until(lambda: booked_at(r1, node).requests == 1, "r1 knows of the booking")
    r0.kill()
    wait_until(lambda: booked_at(r1, node).requests == 0, "they went with it", 15)


@pytest.mark.parametrize("topology", ["mesh", "ring", "groups"])
def test_what_was_booked_is_believed_to_be_there_by_every_router(mesh_of, topology):
    flags = ["--page-size", 16, "--topology", topology, "--speculation-seconds", 1]
    mesh = mesh_of(prefill=2, decode=2, router=2, flags=flags).start()
    r0, r1 = mesh["r0"], mesh["r1"]
    wait_until(lambda: all_fit(r0) and all_fit(r1), "both may choose all")
    route = r0.client.route(PROMPT)
    again = r0.client.route(PROMPT, book=False)
    assert (again.prefill.addr, again.prefill.depth) == (route.prefill.addr, WHOLE_CHUNKS)
    assert again.reason == "prefix"
    node = next(each for each in mesh.nodes if each.addr == route.prefill.addr)

    def everywhere(depth):
        rows = [candidate(each, node) for each in mesh.nodes]
        assert {row.indexed_depth for row in rows} == {0}
        return {row.depth for row in rows} == {depth}

    wait_until(lambda: everywhere(WHOLE_CHUNKS), "all nodes believe it")
    # For as long as the booking is open, which is longer than speculation lives by itself.
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 4, "four seconds have passed")
    assert everywhere(WHOLE_CHUNKS)
    route.booking.finish()
    wait_until(lambda: everywhere(0), "nobody believes it any more")


def test_what_is_believed_is_no_part_of_the_picture(mesh):
    r0 = mesh["r0"]
    r0.client.route(PROMPT).booking.finish()
    assert r0.client.route(PROMPT, book=False).reason == "prefix"
    assert r0.client.match_prefix(PROMPT).length == 0
    mesh.wait_agree()
    status = r0.client.status()
    assert status["tree_tokens"] == 0
    assert status["routing"]["routed"]["hash"] == 1 and status["routing"]["routed"]["prefix"] == 1


def test_load_decides_where_affinity_would_queue_and_is_told_at_once(mesh):
    p0, p1, r1 = mesh["p0"], mesh["p1"], mesh["r1"]
    p0.client.insert(PROMPT, [(0, len(PROMPT))])
    wait_until(lambda: r1.client.match_prefix(PROMPT).length == 1600, "r1 has it")
    assert r1.client.route(PROMPT, book=False).prefill.addr == p0.addr
    p0.client.report_load(running=8, waiting=8, queued_tokens=80_000, kv_used=1, kv_total=9)
    wait_until(
        lambda: r1.client.route(PROMPT, book=False).prefill.addr == p1.addr, "r1 goes elsewhere", 2
    )
    assert r1.client.route(PROMPT, book=False).reason == "load"
    moved = p0.client.redirect(PROMPT)
    assert (moved.target.addr, moved.reason) == (p1.addr, "sooner")
    assert p0.client.redirect(PROMPT, visited=[p1.addr]).stay
    assert p0.client.redirect(PROMPT, visited=["a:1", "b:1", "c:1"]).reason == "hop_limit"
    with pytest.raises(radixmesh.UseAnotherNode, match="router"):
        r1.client.redirect(PROMPT)


def test_suspect_dead_and_leaving_nodes_get_nothing_and_explain_says_so(mesh):
    r0, p0, p1, d0 = (mesh[name] for name in ("r0", "p0", "p1", "d0"))
    p0.client.insert(PROMPT, [(0, len(PROMPT))])
    wait_until(lambda: r0.client.match_prefix(PROMPT).length == 1600, "r0 has it")
    p0.signal(signal.SIGSTOP)
    wait_until(lambda: candidate(r0, p0).excluded == "suspect", "p0 is suspect", 10)
    assert r0.client.route(PROMPT, book=False).prefill.addr == p1.addr
    p0.signal(signal.SIGCONT)
    wait_until(lambda: candidate(r0, p0).excluded is None, "p0 is back", 10)
    d0.client.drain()
    assert d0.wait_ended() == 0
    wait_until(lambda: candidate(r0, d0).excluded == "left", "d0 has left", 5)
    assert r0.client.route(PROMPT, book=False).decode.addr == mesh["d1"].addr


def test_warm_up_ends_when_it_is_told(mesh_of):
    flags = ["--page-size", 16, "--warm-up-seconds", 1000]
    mesh = mesh_of(unified=2, flags=flags).start()
    u0, u1 = mesh["u0"], mesh["u1"]
    wait_until(lambda: all_fit(u0), "u0 may choose all")
    for first in (u0, u1):
        first.client.insert(PROMPT, [(0, len(PROMPT))])
    assert u0.client.route(PROMPT, book=False).reason == "warm_up"
    assert u0.client.status()["routing"]["warming_up"] is True
    u0.client.finish_warm_up()
    assert u0.client.route(PROMPT, book=False).reason == "prefix"
    assert u1.client.route(PROMPT, book=False).reason == "warm_up"


def test_policy_prefix_first_takes_the_deepest_whatever_the_load(mesh_of):
    flags = ["--page-size", 16, "--policy", "prefix_first"]
    mesh = mesh_of(prefill=2, decode=1, router=1, flags=flags).start()
    p0, r0 = mesh["p0"], mesh["r0"]
    wait_until(lambda: all_fit(r0), "r0 may choose all")
    p0.client.insert(PROMPT, [(0, len(PROMPT))])
    p0.client.report_load(running=8, waiting=8, queued_tokens=80_000, kv_used=1, kv_total=9)
    wait_until(lambda: candidate(r0, p0).queued_tokens > 0, "r0 knows the load")
    wait_until(lambda: r0.client.match_prefix(PROMPT).length == 1600, "r0 has it")
    assert r0.client.route(PROMPT, book=False).prefill.addr == p0.addr
    assert r0.client.status()["policy"] == "prefix_first"
