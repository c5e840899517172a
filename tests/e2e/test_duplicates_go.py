"""Collecting duplicates with real sidecars: what the operator and the engine see of it."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

import radixmesh
from loopback import binary, wait_until
from raw_ipc import RawClient, Refused

CLI = str(Path(binary()).parents[1] / "cli" / "radixmesh")
PROMPT = list(range(100, 164))
FLAGS = ["--gc-period", 0.3, "--gc-lease", 2, "--page-size", 4]


@pytest.fixture(params=["local-ref", "global-ref"])
def mesh(mesh_of, request):
    mesh = mesh_of(prefill=2, decode=1, router=1, flags=[*FLAGS, "--gc", request.param]).start()
    mesh.wait_alive()
    return mesh


def gc(node, *more, code=0):
    command = [CLI, "--socket", node.socket, "--json", "gc", *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def give_both(mesh):
    mesh["p0"].client.insert(PROMPT, [(1000, 64)])
    mesh["p1"].client.insert(PROMPT, [(2000, 64)])
    mesh.wait_agree()


def next_free(subscription):
    return next(iter(subscription))


def test_a_dry_run_tells_and_a_run_collects(mesh):
    give_both(mesh)
    view = gc(mesh["p1"])
    assert view["duplicate_tokens"] == 64
    assert view["duplicates"][0]["kept"] == [mesh["p0"].addr]
    assert view["not_collecting"] == "the engine frees no single slots"
    assert "frees no single slots" in gc(mesh["p1"], "--run", code=1)
    assert gc(mesh["p0"])["scarce_tokens"] == 64
    with mesh["p1"].client.subscribe("gc_free") as events:
        assert gc(mesh["p1"], "--run")["not_collecting"] is None
        event = next_free(events)
        assert (sorted(event.slots), event.advice) == ([(2000, 64)], False)
        assert mesh["p1"].client.status()["gc"]["unacknowledged_tokens"] == 64
        event.ack()
        assert mesh["p1"].client.status()["gc"]["unacknowledged"] == 0
    assert dict(mesh["r0"].client.match_prefix(PROMPT).depths) == {mesh["p0"].addr: 64}
    assert mesh["p1"].client.status()["local_tokens"] == 0


def test_what_was_not_acknowledged_is_told_again_and_freed_once(mesh):
    give_both(mesh)
    client = mesh["p1"].client
    first = client.subscribe("gc_free")
    told = next_free(first)
    first.close()  # before it is acknowledged
    second = client.subscribe("gc_free", "membership")
    again = next_free(second)
    assert (again.slots, again.state) == (told.slots, told.state)
    again.ack()
    third = client.subscribe("gc_free")
    wait_until(lambda: not client.status()["gc"]["unacknowledged"], "it is acknowledged")
    assert client.status()["counters"]["gc_tokens_freed"] == 64
    second.close()
    third.close()


def test_a_reference_keeps_the_copy_and_is_void_after_the_readers_death(mesh):
    mesh["p1"].client.insert(PROMPT, [(2000, 64)])
    mesh.wait_agree()
    reader = mesh["d0"].connect()
    lease = reader.acquire(PROMPT, remote=True)
    assert [(each.addr, each.slots) for each in lease.segments] == [
        (mesh["p1"].addr, ((2000, 64),))
    ]
    assert lease.is_valid()
    status = mesh["d0"].client.status()
    assert (status["leases"], status["gc"]["references"]) == (1, {mesh["p1"].addr: 1})
    mesh["p0"].client.insert(PROMPT, [(1000, 64)])
    with mesh["p1"].client.subscribe("gc_free") as events:
        if gc(mesh["p1"])["mode"] == "local-ref":
            wait_until(lambda: gc(mesh["p1"])["waits_for"] == [mesh["d0"].addr], "it waits for d0")
        else:
            assert gc(mesh["p1"])["locked_tokens"] == 64
        assert lease.is_valid()
        mesh["d0"].kill()

        def silent_s():
            return mesh["p1"].client.status()["gc"]["readers"][mesh["d0"].addr]["silent_seconds"]

        wait_until(lambda: silent_s() > 1, "the reader is silent")
        assert mesh["p1"].client.status()["local_tokens"] == 64  # it blocks
        mesh["d0"].start()
        assert sorted(next_free(events).slots) == [(2000, 64)]
    with pytest.raises(radixmesh.ConnectionLost):
        lease.is_valid()


def test_a_client_that_is_cut_off_lets_go_and_a_silent_one_does_not(mesh):
    mesh["p0"].client.insert(PROMPT, [(1000, 64)])
    holder = mesh["p0"].connect()
    holder.acquire(PROMPT)
    assert mesh["p0"].client.status()["protected_tokens"] == 64
    holder.close()
    wait_until(lambda: mesh["p0"].client.status()["protected_tokens"] == 0, "its lock is gone")


def test_a_silent_client_loses_its_leases_where_the_operator_says_so(mesh_of):
    mesh = mesh_of(prefill=1, flags=["--client-lease", 0.5]).start()
    mesh["p0"].client.insert(PROMPT, [(1000, 64)])
    silent = mesh["p0"].connect()
    lease = silent.acquire(PROMPT)
    assert lease.is_valid()
    wait_until(lambda: mesh["p0"].client.status()["leases"] == 0, "the lease has ended")
    assert not lease.is_valid()
    assert mesh["p0"].client.evict(64) == ((1000, 64),)
    with pytest.raises(radixmesh.FixRequest):
        lease.release()


def test_advice_where_nobody_frees(mesh):
    give_both(mesh)
    with mesh["p1"].client.subscribe("gc_advice") as events:
        event = next_free(events)
        assert (event.advice, sorted(event.slots)) == (True, [(2000, 64)])
        event.ack()
    assert mesh["p1"].client.status()["local_tokens"] == 64


def test_routing_makes_no_duplicate_where_it_would_stay(mesh):
    mesh["p0"].client.insert(PROMPT, [(1000, 64)])
    mesh.wait_agree()

    def terms_of_p1():
        candidates = mesh["r0"].client.explain(PROMPT).candidates
        return next(each for each in candidates if each.addr == mesh["p1"].addr).terms

    assert terms_of_p1().duplicate_s == 0
    with mesh["p1"].client.subscribe("gc_advice"):
        wait_until(lambda: terms_of_p1().duplicate_s > 0, "the router knows of it")
        terms = terms_of_p1()
        assert terms.duplicate_s == pytest.approx(3 * terms.compute_s)
        with mesh["p1"].client.subscribe("gc_free"):
            wait_until(lambda: terms_of_p1().duplicate_s == 0, "the router knows of it")


def test_off_says_so(mesh_of):
    mesh = mesh_of(prefill=2, router=1).start()
    give_both(mesh)
    assert gc(mesh["p1"])["not_collecting"] == "off"
    assert "off" in gc(mesh["p1"], "--run", code=1)
    assert "router" in gc(mesh["r0"], code=1)
    lease = mesh["p0"].client.acquire([*PROMPT, 1], remote=True)
    assert len(lease.segments) == 1 and lease.is_valid()


def test_a_stopped_owner_answers_no_reference_and_the_rest_goes_on(mesh):
    mesh["p1"].client.insert(PROMPT, [(2000, 64)])
    mesh.wait_agree()
    mesh["p1"].signal(signal.SIGSTOP)
    try:
        lease = mesh["d0"].client.acquire(PROMPT, remote=True)
        assert lease.segments == ()
    finally:
        mesh["p1"].signal(signal.SIGCONT)
    wait_until(
        lambda: mesh["d0"].client.acquire(PROMPT, remote=True).segments, "it answers again"
    )


@pytest.mark.parametrize(
    "method, params, code",
    [
        ("gc", {"run": 1}, "fix_request"),
        ("gc", {"now": True}, "fix_request"),
        ("gc_ack", {}, "fix_request"),
        ("gc_ack", {"number": -1}, "fix_request"),
        ("gc_ack", {"number": "1"}, "fix_request"),
        ("validate", {"lease": None}, "fix_request"),
        ("acquire", {"tokens": [1], "remote": "yes"}, "fix_request"),
        ("subscribe", {"events": ["gc_free", "gc"]}, "fix_request"),
    ],
)
def test_wrong_parameters_are_named(mesh, method, params, code):
    client = RawClient(mesh["p0"].socket)
    with pytest.raises(Refused) as refused:
        client.call(method, params)
    assert refused.value.code == code
    assert client.call("gc_ack", {"number": 2**64 - 1}) == {}  # what is not waited for is no error
    assert client.call("validate", {"lease": 2**63}) == {"valid": False}
