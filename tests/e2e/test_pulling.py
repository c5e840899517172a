"""A request is sent where there is room, with the node from which its KV can be read."""

import radixmesh
from loopback import wait_until

PROMPT = list(range(1600))
BUSY = dict(running=8, waiting=8, queued_tokens=80_000, kv_used=1, kv_total=9)


def fill_and_load(mesh, names):
    """u0 has the prompt and is busy, as all of `names` know."""
    u0 = mesh["u0"]
    u0.client.insert(PROMPT, [(0, len(PROMPT))])
    u0.client.report_load(**BUSY)
    for name in names:
        wait_until(lambda name=name: knows_all(mesh[name], u0), f"{name} knows it")
    return u0


def knows_all(node, busy):
    rows = node.client.explain(PROMPT).candidates
    row = next(each for each in rows if each.addr == busy.addr)
    fit = all(each.excluded is None for each in rows)
    return fit and row.depth == len(PROMPT) and row.queued_tokens > 0


def test_a_source_is_named_read_under_a_reference_and_its_link_is_booked(mesh_of):
    flags = ["--page-size", 16, "--pull-rate", 50_000, "--gc", "local-ref"]
    mesh = mesh_of(unified=2, router=2, flags=flags).start()
    u0 = fill_and_load(mesh, ["r0", "r1"])
    u1, r0, r1 = mesh["u1"], mesh["r0"], mesh["r1"]
    assert {node.pull_rate for node in r0.client.nodes()} == {50_000}
    route = r0.client.route(PROMPT)
    assert (route.prefill.addr, route.reason) == (u1.addr, "load")
    assert route.source == radixmesh.Source(u0.addr, 1600, 1600)

    def booked_out(router):
        rows = router.client.explain(PROMPT).candidates
        return next(each for each in rows if each.addr == u0.addr).booked.pull_out_tokens

    wait_until(lambda: booked_out(r1) == 1600, "the other router knows of it")
    lease = u1.client.acquire(PROMPT, remote=True, source=route.source.addr)
    assert [(each.addr, each.begin, each.end) for each in lease.segments] == [(u0.addr, 0, 1600)]
    assert lease.is_valid()
    lease.release()
    u1.client.insert(PROMPT, [(0, len(PROMPT))])
    route.booking.prefill_done(hit_tokens=1600)
    wait_until(lambda: booked_out(r1) == 0, "... and that it is over")
    wait_until(lambda: r0.client.route(PROMPT, book=False).source is None, "u1 has it itself")
    moved = u0.client.redirect(PROMPT)
    assert (moved.target.addr, moved.source) == (u1.addr, None)


def test_the_reference_is_on_the_source_that_was_named(mesh_of):
    mesh = mesh_of(unified=3, flags=["--page-size", 16, "--gc", "local-ref"]).start()
    u0, u1, u2 = (mesh[name] for name in ("u0", "u1", "u2"))
    for node in (u0, u2):
        node.client.insert(PROMPT, [(0, len(PROMPT))])
    depths = {u0.addr: 1600, u2.addr: 1600}
    wait_until(lambda: u1.client.match_prefix(PROMPT).depths == depths, "u1 knows of both")

    def holder(**options):
        with u1.client.acquire(PROMPT, remote=True, **options) as lease:
            return lease.segments[0].addr

    for source in (u0, u2):
        wait_until(lambda s=source: holder(source=s.addr) == s.addr, f"{source.name} is read")
    assert holder() == u0.addr
    assert holder(source="10.9.9.9:1") == u0.addr  # no member: the best


def test_who_cannot_is_not_asked_for_it(mesh_of):
    mesh = mesh_of(unified=3, router=1, flags=["--page-size", 16])
    for name in ("u0", "u1"):
        mesh[name].flags += ["--pull-rate", "50000"]
    mesh.start()
    u0 = fill_and_load(mesh, ["r0"])
    rows = {each.addr: each for each in mesh["r0"].client.explain(PROMPT).candidates}
    assert rows[u0.addr].source is None  # it has all
    assert rows[mesh["u1"].addr].source == radixmesh.Source(u0.addr, 1600, 1600)
    assert rows[mesh["u2"].addr].source is None
    assert rows[mesh["u2"].addr].pull_rate == 0
    taken = mesh["r0"].client.route(PROMPT, book=False)
    assert (taken.prefill.addr, taken.source.addr) == (mesh["u1"].addr, u0.addr)
