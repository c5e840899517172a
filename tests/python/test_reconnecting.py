"""connect(reconnect=True), of both clients: what a sidecar that goes and comes back leaves of what
was under way, and who hears of it."""

import asyncio
import concurrent.futures
import contextlib
import gc
import os
import threading
import time

import pytest

import radixmesh
import radixmesh.aio
from fake_sidecar import ADDR, HELLO, FakeSidecar
from radixmesh.retrying import PAUSE_S_MAX, Pauses
from test_collecting import MARK, OP, Blocking, ByAsyncio, acks, subscribers

EPOCH = HELLO["epoch"]
SHORT_S = 0.3
TOKEN = b"engine-1"


class Cutting(FakeSidecar):
    """Ends the connection in place of the answer to `cut`, once."""

    cut = None

    def _carry_out(self, method, params, leases):
        answer = super()._carry_out(method, params, leases)
        if method == self.cut:
            self.cut = None
            raise EOFError
        return answer


class Place:
    """A path, and the sidecar that listens there now, if any."""

    def __init__(self, path):
        self.path = str(path)
        self.epoch = EPOCH
        self.sidecar = None

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.sidecar = Cutting(self.path, self.epoch)
        return self.sidecar

    def stop(self):
        self.sidecar.close()
        self.epoch += 1

    def restart(self):
        self.stop()
        return self.start()


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "p0.sock")
    place.start()
    yield place
    place.sidecar.close()


@pytest.fixture(params=[Blocking, ByAsyncio])
def connect(request, place):
    with contextlib.ExitStack() as stack:

        def connect(**options):
            client = request.param(place.path, **{"reconnect": True, **options})
            stack.callback(client.close)
            return client

        yield connect


def wait(client, condition, seconds=10):
    """Until the condition holds, while the client's loop, if it has one, runs; no call is made."""
    reached = threading.Event()

    async def in_loop():
        while not condition():
            await asyncio.sleep(0.005)  # tidy: backoff

    if isinstance(client, ByAsyncio):
        client.loop.run_until_complete(asyncio.wait_for(in_loop(), seconds))
        return
    waited = 0.0
    while not condition():
        assert waited < seconds, "not in time"
        reached.wait(0.005)
        waited += 0.005


def hellos(sidecar):
    return [params for method, params in sidecar.requests if method == "hello"]


# The connection


def test_an_idle_client_says_hello_again_by_itself_with_what_it_knows_now(connect, place):
    known = iter([None, (EPOCH, 5), (EPOCH + 1, 9)])
    client = connect(engine_token=TOKEN, state=lambda: next(known))
    assert "state" not in hellos(place.sidecar)[0]
    for state in ([EPOCH, 5], [EPOCH + 1, 9]):
        sidecar = place.restart()
        wait(client, lambda: hellos(sidecar))
        (said,) = hellos(sidecar)
        assert (said["engine_token"], said["state"]) == (TOKEN, state)
        wait(client, lambda: client.mesh.info.epoch == place.epoch)
    assert client.run(client.mesh.status())["addr"] == ADDR


def test_a_pair_is_said_each_time(connect, place):
    client = connect(engine_token=TOKEN, state=(EPOCH, 5))
    sidecar = place.restart()
    wait(client, lambda: hellos(sidecar))
    assert hellos(sidecar)[0]["state"] == [EPOCH, 5]


def test_without_it_nothing_is_made_again(connect, place):
    client = connect(reconnect=False)
    place.restart()
    for _ in range(2):
        with pytest.raises(radixmesh.ConnectionLost):
            client.run(client.mesh.status())
    assert place.sidecar.requests == []


def test_it_is_not_waited_for_where_there_was_none(connect, place):
    place.stop()
    with pytest.raises(radixmesh.ConnectionLost, match="cannot connect"):
        connect()
    place.start()


def test_a_state_that_cannot_be_told_is_asked_for_again(connect, place):
    asked = []

    def state():
        asked.append(True)
        if len(asked) in (2, 3):
            raise OSError("the journal is locked")
        return (EPOCH, 5)

    client = connect(engine_token=TOKEN, state=state)
    sidecar = place.restart()
    wait(client, lambda: hellos(sidecar))
    assert len(asked) == 4


def test_a_state_that_is_none_is_refused_at_once(connect):
    with pytest.raises(radixmesh.FixRequest, match="state is"):
        connect(engine_token=TOKEN, state=lambda: 7)
    with pytest.raises(radixmesh.FixRequest, match="on_leases_lost"):
        connect(on_leases_lost=7)


def test_pauses_grow_up_to_a_bound():
    pauses = Pauses()
    given = [pauses.next_s() for _ in range(20)]
    assert given == sorted(given) and given[0] < 0.1 and given[-1] == PAUSE_S_MAX


def test_the_pauses_are_kept(place, connect, monkeypatch):
    attempts = []

    class Steady(Pauses):
        def next_s(self):
            attempts.append(time.monotonic())
            return 0.15

    for module in ("session", "aio_session"):
        monkeypatch.setattr(f"radixmesh.{module}.Pauses", Steady)
    client = connect()
    place.stop()
    wait(client, lambda: len(attempts) > 3)
    assert all(later - sooner >= 0.15 for sooner, later in zip(attempts, attempts[1:]))
    place.start()


def test_a_call_waits_for_the_sidecar_within_its_own_timeout(connect, place):
    client = connect(timeout=SHORT_S)
    place.stop()
    with pytest.raises(radixmesh.Timeout, match=r"status, without a connection \(.*0\.3 s"):
        client.run(client.mesh.status())
    place.start()
    wait(client, lambda: hellos(place.sidecar))
    assert client.run(client.mesh.status())["addr"] == ADDR


def test_a_call_made_meanwhile_goes_to_the_next_sidecar(connect, place):
    client = connect(timeout=10)
    place.stop()
    wait(client, lambda: client.mesh._link.closed)
    starting = threading.Timer(0.1, place.start)
    starting.start()
    assert client.run(client.mesh.insert([1, 2], [5, 6])).stored == 2
    starting.join()


def test_closing_ends_a_call_that_waits_for_a_connection(place):
    mesh = radixmesh.connect(place.path, reconnect=True, timeout=None)
    place.stop()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(mesh.status)
        while not mesh._session._changed._sleepers:
            assert not waiting.done()
        mesh.close()
        with pytest.raises(radixmesh.ConnectionLost, match="closed"):
            waiting.result(10)
    place.start()
    mesh._session._keeper.join(10)
    assert not mesh._session._keeper.is_alive()


def test_a_mesh_that_is_forgotten_is_closed_with_its_thread(place):
    mesh = radixmesh.connect(place.path, reconnect=True)
    keeper = mesh._session._keeper
    place.sidecar.wait_open(1)
    del mesh
    gc.collect()
    place.sidecar.wait_open(0)
    keeper.join(10)
    assert not keeper.is_alive()


# Calls that the end of the connection met


@pytest.mark.parametrize("method", ["match_prefix", "explain", "redirect"])
def test_what_only_reads_is_repeated(connect, place, method):
    client = connect()
    place.sidecar.cut = method
    client.run(getattr(client.mesh, method)([1, 2]))
    assert [asked for asked, _ in place.sidecar.requests].count(method) == 2


def test_to_ask_for_a_route_is_repeated_and_to_book_one_is_not(connect, place):
    client = connect()
    place.sidecar.cut = "route"
    assert client.run(client.mesh.route([1, 2], book=False)).reason == "prefix"
    place.sidecar.cut = "route"
    with pytest.raises(radixmesh.ConnectionLost, match="route may or may not have been carried"):
        client.run(client.mesh.route([1, 2]))
    assert client.run(client.mesh.route([1, 2])).booking is not None


CHANGES = {
    "insert": lambda mesh: mesh.insert([1, 2], [5, 6]),
    "evict": lambda mesh: mesh.evict(1),
    "delete": lambda mesh: mesh.delete([1, 2]),
    "reset": lambda mesh: mesh.reset(),
    "report_load": lambda mesh: mesh.report_load(running=1, waiting=0, kv_used=1, kv_total=2),
    "drain": lambda mesh: mesh.drain(),
    "member_remove": lambda mesh: mesh.member_remove("p9:1"),
}


@pytest.mark.parametrize("method", CHANGES)
def test_what_changes_something_says_that_it_may_have_been_done(connect, place, method):
    client = connect()
    place.sidecar.cut = method
    with pytest.raises(radixmesh.ConnectionLost, match=f"{method} may or may not have been"):
        client.run(CHANGES[method](client.mesh))
    client.run(CHANGES[method](client.mesh))
    assert [asked for asked, _ in place.sidecar.requests].count(method) == 2


def test_an_acquire_is_repeated_as_its_lease_went_with_the_connection(connect, place):
    client = connect()
    place.sidecar.cut = "acquire"
    lease = client.run(client.mesh.acquire([1, 2]))
    assert client.run(lease.is_valid()) and not lease.lost
    place.sidecar.wait_until(lambda: len(place.sidecar.locked) == 1)


def test_the_end_of_a_booking_is_repeated(connect, place):
    client = connect()
    booking = client.run(client.mesh.route([1, 2])).booking
    place.sidecar.cut = "finish"
    client.run(booking.finish())
    assert [asked for asked, _ in place.sidecar.requests].count("finish") == 2


def test_a_sidecar_that_did_not_answer_in_time_is_connected_to_anew(connect, place):
    client = connect(timeout=SHORT_S)
    with place.sidecar.lock:
        with pytest.raises(radixmesh.Timeout, match="status was not answered within"):
            client.run(client.mesh.status())
    wait(client, lambda: len(hellos(place.sidecar)) == 2)
    assert client.run(client.mesh.status())["addr"] == ADDR


# What was held


def test_leases_are_lost_and_whoever_asked_is_told(connect, place):
    told = []
    client = connect(on_leases_lost=told.append)
    kept, released = (client.run(client.mesh.acquire([1, 2])) for _ in range(2))
    client.run(released.release())
    assert not kept.lost
    sidecar = place.restart()
    wait(client, lambda: hellos(sidecar))
    assert told == [(kept,)]
    assert kept.lost and not released.lost
    assert not client.run(kept.is_valid())
    client.run(kept.release())
    client.run(kept.release())
    assert kept.lost
    assert [method for method, _ in sidecar.requests] == ["hello"], "nobody else's lease is ended"
    lease = client.run(client.mesh.acquire([1, 2]))
    assert not lease.lost and client.run(lease.is_valid())


def test_who_closes_is_not_told_of_the_leases(connect, place):
    told = []
    client = connect(on_leases_lost=told.append)
    lease = client.run(client.mesh.acquire([1, 2]))
    client.run(client.mesh.close())
    place.sidecar.wait_open(0)
    client.run(lease.release())
    assert lease.lost and told == []


def test_a_callback_that_raises_does_not_keep_it_from_reconnecting(connect, place, caplog):
    def raising(leases):
        raise KeyError(len(leases))

    client = connect(on_leases_lost=raising)
    lease = client.run(client.mesh.acquire([1, 2]))
    sidecar = place.restart()
    wait(client, lambda: hellos(sidecar))
    assert lease.lost
    assert "a lost connection raised" in caplog.text


def test_bookings_are_ended_over_the_next_connection(connect, place):
    client = connect()
    booking = client.run(client.mesh.route([1, 2])).booking
    sidecar = place.restart()
    client.run(booking.prefill_done())
    client.run(booking.finish())
    assert [asked for asked, _ in sidecar.requests] == ["hello", "prefill_done", "finish"]


# Subscriptions


def test_a_subscription_goes_on_by_itself(connect, place):
    client = connect()
    events = client.subscribe("op")
    place.sidecar.notify("op", OP)
    assert client.next(events) == MARK
    waiting = client.start_next(events)
    for _ in range(2):
        sidecar = place.restart()
        wait(client, lambda: subscribers(sidecar))
    sidecar.notify("op", OP)
    assert client.finish(waiting) == MARK
    sidecar = place.restart()
    wait(client, lambda: subscribers(sidecar))  # though nobody waits in it
    sidecar.notify("op", OP)
    assert client.next(events) == MARK


def test_what_was_told_before_the_end_is_still_handed_out(connect, place):
    client = connect()
    events = client.subscribe("op", "gc_free")
    place.sidecar.free(1, [[5, 1]])
    place.sidecar.notify("op", OP)
    sidecar = place.restart()
    wait(client, lambda: subscribers(sidecar))
    sidecar.free(1, [[9, 1]])
    assert client.next(events).slots == ((5, 1),)
    assert client.next(events) == MARK
    assert client.next(events).slots == ((9, 1),)


def test_acknowledgements_are_of_one_life_of_the_sidecar(connect, place):
    """The next life may have a number of its own like that, which was never freed."""
    client = connect()
    events = client.subscribe("gc_free")
    place.sidecar.free(7, [[5, 2]])
    old = client.next(events)
    sidecar = place.restart()
    wait(client, lambda: subscribers(sidecar) and client.mesh.info.epoch == place.epoch)
    sidecar.free(7, [[60, 1]])
    client.run(old.ack())
    assert acks(sidecar) == [] and list(sidecar.unacknowledged) == [7]
    told = client.next(events)
    assert told.slots == ((60, 1),)
    client.run(told.ack())
    assert acks(sidecar) == [7] and sidecar.unacknowledged == {}


def test_what_the_same_life_tells_again_is_not_handed_out_twice(connect, place):
    client = connect()
    events = client.subscribe("gc_free", "op")
    place.sidecar.free(7, [[5, 2]])
    event = client.next(events)
    place.sidecar.cut = "gc_ack"
    client.run(event.ack())  # said again within its own timeout
    old = subscribers(place.sidecar)
    place.sidecar.cut_all()
    wait(client, lambda: subscribers(place.sidecar) not in ([], old))
    place.sidecar.free(8, [[6, 1]])
    assert client.next(events).slots == ((6, 1),)


def test_closing_ends_a_subscription_that_waits_for_a_connection(place):
    with radixmesh.connect(place.path, reconnect=True) as mesh:
        events = mesh.subscribe("op")
        place.stop()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(list, events)
            while not events._session._changed._sleepers:
                assert not waiting.done()
            events.close()
            assert waiting.result(10) == []
    place.start()
