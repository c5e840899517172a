"""The blocking client against a sidecar that behaves."""

import threading

import pytest

import radixmesh
from fake_sidecar import ADDR, LIMITS, PEER, ScriptedSidecar, frame
from radixmesh import Namespace


def last(sidecar):
    return sidecar.requests[-1]


# Connecting


def test_connect_says_hello_and_keeps_the_answer(sidecar):
    with radixmesh.connect(sidecar.path, engine_token=b"engine-1", state=(7, 3)) as mesh:
        assert (mesh.info.addr, mesh.info.page_size, mesh.info.role) == (ADDR, 2, "unified")
        assert mesh.info.limits.tokens_max == LIMITS["tokens_max"]
    method, params = sidecar.requests[0]
    assert method == "hello"
    assert params == {
        "protocol": [1, 1],
        "client": f"radixmesh-python {radixmesh.__version__}",
        "engine_token": b"engine-1",
        "state": [7, 3],
    }


def test_the_path_comes_from_the_environment_where_none_is_given(sidecar, monkeypatch):
    monkeypatch.setenv("RADIXMESH_SOCKET", sidecar.path)
    radixmesh.connect().close()
    monkeypatch.delenv("RADIXMESH_SOCKET")
    with pytest.raises(radixmesh.FixRequest, match="RADIXMESH_SOCKET is not set"):
        radixmesh.connect()


def test_nobody_there(tmp_path):
    with pytest.raises(radixmesh.ConnectionLost, match="cannot connect to .*No such file") as e:
        radixmesh.connect(tmp_path / "none.sock")
    assert isinstance(e.value, ConnectionError) and e.value.code is None


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e9])
def test_timeouts_that_are_none(sidecar, timeout):
    with pytest.raises(radixmesh.FixRequest, match="timeout"):
        radixmesh.connect(sidecar.path, timeout=timeout)


def test_an_engine_token_too_long_is_refused_by_the_sidecar(sidecar):
    with pytest.raises(radixmesh.FixRequest, match="64 bytes"):
        radixmesh.connect(sidecar.path, engine_token="x" * 65)
    with pytest.raises(radixmesh.FixRequest, match="bytes or a string"):
        radixmesh.connect(sidecar.path, engine_token=5)
    with pytest.raises(radixmesh.FixRequest, match="state is"):
        radixmesh.connect(sidecar.path, state=7)
    with pytest.raises(radixmesh.FixRequest, match="state's seq"):
        radixmesh.connect(sidecar.path, state=(7, -1))


# The cache


def test_what_was_inserted_is_matched(mesh):
    result = mesh.insert([1, 2, 3, 4, 5], [(10, 2), (20, 3)])
    assert result == radixmesh.InsertResult(prefix_len=0, stored=4, freed=())
    match = mesh.match_prefix([1, 2, 3, 4, 9, 9])
    assert (match.length, match.local_length, match.depths) == (4, 4, {ADDR: 4})
    assert match.local_slots == ((10, 1), (11, 1), (20, 1), (21, 1))
    assert match.segments == (radixmesh.Segment(0, 4, ADDR, match.local_slots),)
    assert mesh.match_prefix([2, 1]).length == 0


def test_a_match_is_a_use_unless_it_says_otherwise(mesh, sidecar):
    mesh.match_prefix([1, 2])
    assert last(sidecar) == ["match_prefix", {"tokens": b"\x01\0\0\0\x02\0\0\0"}]
    mesh.match_prefix([1, 2], touch=False)
    assert last(sidecar)[1]["touch"] is False


def test_the_first_writer_wins(mesh):
    mesh.insert([1, 2], [5, 6])
    again = mesh.insert([1, 2, 3, 4], [50, 51, 52, 53])
    assert (again.prefix_len, again.stored) == (2, 2)
    assert [start for start, _ in mesh.match_prefix([1, 2, 3, 4]).local_slots] == [5, 6, 52, 53]


def test_slots_go_as_runs_and_tokens_as_binary(mesh, sidecar):
    mesh.insert([1, 2], range(100, 102))
    assert last(sidecar) == [
        "insert",
        {"tokens": b"\x01\0\0\0\x02\0\0\0", "slots": [[100, 2]]},
    ]


def test_namespaces_are_apart_and_a_string_is_the_extra_key(mesh, sidecar):
    mesh.insert([1, 2], [5, 6], Namespace(model="m", salt=b"\xff"))
    assert last(sidecar)[1]["namespace"] == ["m", None, b"\xff", None]
    assert mesh.match_prefix([1, 2]).length == 0
    assert mesh.match_prefix([1, 2], namespace=Namespace("m", None, b"\xff")).length == 2
    mesh.match_prefix([1, 2], "tenant")
    assert last(sidecar)[1]["namespace"] == [None, None, None, "tenant"]


@pytest.mark.parametrize("wrong", [b"x", 5, ("m", None, None, None), Namespace(model=5)], ids=repr)
def test_namespaces_that_are_none_are_refused_before_sending(mesh, sidecar, wrong):
    before = len(sidecar.requests)
    with pytest.raises(radixmesh.FixRequest, match="namespace"):
        mesh.match_prefix([1, 2], wrong)
    assert len(sidecar.requests) == before


def test_evict_delete_and_reset_answer_the_freed_runs(mesh):
    mesh.insert([1, 2, 3, 4], [5, 6, 7, 8])
    assert mesh.evict(1) == ((7, 1), (8, 1))
    mesh.insert([1, 2, 3, 4], [5, 6, 7, 8])
    assert mesh.delete([1, 2, 3, 4]) == ((7, 1), (8, 1))
    assert mesh.reset() == ((5, 1), (6, 1))


@pytest.mark.parametrize("wrong", [-1, 2**64, 1.5, "1", None])
def test_numbers_that_are_none_are_refused_before_sending(mesh, sidecar, wrong):
    before = len(sidecar.requests)
    with pytest.raises(radixmesh.FixRequest, match="num_tokens must be"):
        mesh.evict(wrong)
    assert len(sidecar.requests) == before


# Leases


def test_a_lease_locks_until_the_end_of_its_block(mesh):
    mesh.insert([1, 2, 3, 4], [5, 6, 7, 8])
    with mesh.acquire([1, 2, 9, 9]) as lease:
        assert lease.match.local_length == 2
        with pytest.raises(radixmesh.RetryLater, match="locked") as caught:
            mesh.reset()
        assert caught.value.code == "retry_later"
    assert mesh.reset() == ((5, 1), (6, 1), (7, 1), (8, 1))


def test_releasing_twice_is_once(mesh, sidecar):
    with mesh.acquire([1, 2]) as lease:
        lease.release()
    mesh.release(lease)
    assert [method for method, _ in sidecar.requests].count("release") == 1
    assert sidecar.locked == {}


def test_a_lease_is_released_when_its_block_raises(mesh, sidecar):
    with pytest.raises(KeyError):
        with mesh.acquire([1, 2]):
            raise KeyError
    assert sidecar.locked == {}


def test_leases_end_with_the_connection_and_releasing_them_after_that_is_no_error(mesh, sidecar):
    other = radixmesh.connect(sidecar.path)
    lease = other.acquire([1, 2])
    other.close()
    sidecar.wait_until(lambda: sidecar.locked == {})
    lease.release()


def test_the_bound_on_leases_is_told(mesh):
    for _ in range(LIMITS["leases_max"]):
        mesh.acquire([1, 2])
    with pytest.raises(radixmesh.SendLess, match="leases_max"):
        mesh.acquire([1, 2])


# The rest


def test_route_names_a_target_or_none(mesh, sidecar):
    mesh.insert([1, 2], [5, 6])
    route = mesh.route([1, 2, 3], book=False)
    assert route == radixmesh.Route(radixmesh.Target(ADDR, 0, 2), None, "prefix", None)
    assert last(sidecar)[1]["book"] is False
    assert mesh.route([1, 2, 3, 4, 5, 6], book=False).source == radixmesh.Source(PEER, 5, 4)


def test_a_booking_is_ended_by_its_number(mesh, sidecar):
    booking = mesh.route([1, 2]).booking
    assert (last(sidecar)[1]["book"], booking.id, repr(booking)) == (True, 41, "Booking(id=41)")
    booking.prefill_done(hit_tokens=2)
    assert last(sidecar) == ["prefill_done", {"booking": 41, "hit_tokens": 2}]
    booking.prefill_done()
    assert last(sidecar) == ["prefill_done", {"booking": 41}]
    booking.finish()
    assert last(sidecar) == ["finish", {"booking": 41}]
    with pytest.raises(radixmesh.FixRequest, match="hit_tokens must be"):
        booking.prefill_done(hit_tokens=-1)


def test_redirect_names_a_target_or_says_stay(mesh, sidecar):
    moved = mesh.redirect([1, 2], visited=["10.0.0.9:1"])
    assert (moved.target.addr, moved.reason, moved.stay) == (ADDR, "sooner", False)
    assert last(sidecar)[1]["visited"] == ["10.0.0.9:1"]
    assert mesh.redirect(range(6)).source == radixmesh.Source(PEER, 5, 4)
    assert mesh.redirect([1, 2], visited=[ADDR]).stay
    with pytest.raises(radixmesh.FixRequest, match="a row of addrs"):
        mesh.redirect([1, 2], visited=ADDR)


def test_explain_shows_every_candidate(mesh, sidecar):
    why = mesh.explain([1, 2])
    assert (why.tokens, why.policy, why.reason) == (2, "cost", "prefix")
    here, gone = why.candidates
    assert (here.addr, here.rate_source, here.booked.prefill_tokens) == (ADDR, "learned", 900)
    assert (here.terms.wait_s, here.is_prefill, gone.excluded) == (0.25, True, "dead")
    mesh.finish_warm_up()
    assert last(sidecar) == ["finish_warm_up", {}]


def test_report_load(mesh, sidecar):
    mesh.report_load(running=3, waiting=1, kv_used=10, kv_total=100)
    assert last(sidecar)[1] == {"running": 3, "waiting": 1, "kv_used": 10, "kv_total": 100}
    mesh.report_load(running=0, waiting=0, queued_tokens=0, kv_used=0, kv_total=0)
    assert last(sidecar)[1]["queued_tokens"] == 0


def test_status_and_nodes(mesh):
    assert mesh.status()["counters"] == {"ops": 1}
    here, peer = mesh.nodes()
    assert (here.addr, here.state, here.load["running"]) == (ADDR, "alive", 1)
    assert (peer.addr, peer.state, peer.load, peer.last_heard_ms) == (PEER, "suspect", None, 900)


def test_tree_gives_edges_or_a_holders_entries(mesh, sidecar):
    mesh.insert([1, 2, 3, 4], [5, 6, 7, 8], "k")
    tree = mesh.tree()
    assert last(sidecar)[1] == {}
    assert (tree.total, tree.tree_tokens, tree.entries) == (2, 4, ())
    assert tree.edges[1].head == (3, 4) and tree.edges[1].holders == (ADDR,)
    tree = mesh.tree(ADDR, skip=1, limit=5)
    assert last(sidecar)[1] == {"holder": ADDR, "skip": 1, "limit": 5}
    (entry,) = tree.entries
    assert (entry.seq, entry.begin, entry.end) == (2, 2, 4)
    assert entry.namespace == Namespace(extra_key="k")


def test_a_refused_request_leaves_the_connection_open(mesh):
    with pytest.raises(radixmesh.FixRequest, match="fewer slots"):
        mesh.insert([1, 2], [5])
    assert mesh.match_prefix([1, 2]).length == 0


def test_a_request_too_large_for_a_frame_is_refused_here_and_leaves_the_connection_open(mesh):
    with pytest.raises(radixmesh.SendLess, match="a frame has at most"):
        mesh.match_prefix(bytes(LIMITS["frame_bytes_max"]))
    assert mesh.match_prefix([1, 2]).length == 0


def test_a_million_tokens_fit(mesh, sidecar):
    ids = range(LIMITS["tokens_max"])
    assert mesh.match_prefix(ids).length == 0
    sent = last(sidecar)[1]["tokens"]
    assert len(sent) == 4 * len(ids) and sent[-4:] == (len(ids) - 1).to_bytes(4, "little")


def test_threads_share_a_mesh(mesh):
    """Each thread's answers are its own."""
    failures = []

    def work(number):
        for turn in range(30):
            ids = [number, turn]
            mesh.insert(ids, [number * 100 + turn, 1])
            if mesh.match_prefix(ids).local_slots[0] != (number * 100 + turn, 1):
                failures.append(ids)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_threads_take_turns(mesh, sidecar):
    """One that asks without a pause leaves the others their share."""
    at_once = threading.Barrier(4)

    def work(number):
        at_once.wait(10)
        for _ in range(200):
            mesh.match_prefix([number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = [params["tokens"][0] for _, params in sidecar.requests[1:]]
    last_of_first = max(at for at, number in enumerate(order) if number == order[0])
    assert all(order[:last_of_first].count(number) > 20 for number in range(4))


# Subscriptions


def test_events_come_on_a_connection_of_their_own(mesh):
    with mesh.subscribe("op") as events:
        mesh.insert([1, 2], [5, 6])
        mesh.delete([1, 2])
        assert next(events) == radixmesh.OpEvent(ADDR, 1, 1, "INSERT", 2)
        assert next(events) == radixmesh.OpEvent(ADDR, 1, 2, "DELETE", 2)


def test_only_what_was_asked_for_comes_and_the_unknown_is_skipped(mesh, sidecar):
    member = {"addr": PEER, "rank": 1, "role": "router", "epoch": 3, "state": "dead"}
    with mesh.subscribe("membership") as events:
        mesh.insert([1, 2], [5, 6])
        with sidecar.lock:
            (connection,) = sidecar.subscribers
            sidecar.subscribers[connection] = ["membership", "of_the_future"]
        sidecar.notify("of_the_future", {})
        sidecar.notify("membership", member)
        assert next(events) == radixmesh.MembershipEvent(PEER, 1, "router", 3, "dead")


def test_events_that_come_along_with_the_answer_are_kept(tmp_path):
    op = {"origin": ADDR, "epoch": 1, "type": "INSERT", "tokens": 2}

    def script(connection, request):
        notes = [frame([2, "op", {**op, "seq": seq}]) for seq in (1, 2)]
        connection.sendall(notes[0] + frame([1, request[1], None, {}]) + notes[1])

    with ScriptedSidecar(tmp_path / "scripted.sock", script) as scripted:
        with radixmesh.connect(scripted.path) as mesh, mesh.subscribe("op") as events:
            assert [next(events).seq, next(events).seq] == [1, 2]


def test_a_subscription_waits_longer_than_the_timeout(sidecar):
    """Events come after the deadline of any call has passed, and are waited for."""
    with radixmesh.connect(sidecar.path, timeout=0.2) as mesh:
        with mesh.subscribe("op") as events:
            timer = threading.Timer(0.5, sidecar._op, ("RESET", 0))
            timer.start()
            assert next(events).type == "RESET"
            timer.join()


def test_closing_ends_the_iteration_also_from_another_thread(mesh):
    events = mesh.subscribe("op")
    found = []
    waiting = threading.Thread(target=lambda: found.extend(events))
    waiting.start()
    events.close()
    waiting.join(timeout=10)
    assert not waiting.is_alive() and found == []
    assert list(events) == []


def test_a_subscription_to_nothing_or_to_the_unknown_is_refused(mesh):
    with pytest.raises(radixmesh.FixRequest, match="at least one"):
        mesh.subscribe()
    with pytest.raises(radixmesh.FixRequest, match="unknown name"):
        mesh.subscribe("weather")


def test_a_subscription_tells_when_the_sidecar_goes_and_goes_on_telling(mesh, sidecar):
    with mesh.subscribe("op") as events:
        sidecar.cut_all()
        for _ in range(2):
            with pytest.raises(radixmesh.ConnectionLost, match="sidecar closed the connection"):
                next(events)
    assert list(events) == []
