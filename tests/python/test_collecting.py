"""Collecting duplicates, as an engine sees it: leases elsewhere, gc, what to free and saying so.

Each test of `connect` or `client` runs with the blocking client and with the asyncio one.
"""

import asyncio
import concurrent.futures
import contextlib
import inspect
import threading

import pytest

import radixmesh
import radixmesh.aio
from fake_sidecar import ADDR, HELLO, PEER, FakeSidecar, Refusal, ScriptedSidecar, frame, read_frame
from radixmesh import ReportBug, Segment, answers
from radixmesh.collecting import AioGcFreeEvent, Freed, GcFreeEvent
from radixmesh.endpoint import Endpoint
from radixmesh.results import FreedSlots
from test_answers import places, put, with_change

EPOCH = HELLO["epoch"]
SHORT_S = 0.15
SOON_S = 10.0
OP = {"origin": ADDR, "epoch": 1, "seq": 1, "type": "RESET", "tokens": 0}
MARK = radixmesh.OpEvent(**OP)  # told last, so that what is missing before it shows at once


class Blocking:
    """The blocking client, as this file needs it."""

    GcFree = GcFreeEvent

    def __init__(self, path, **options):
        self.mesh = radixmesh.connect(path, **options)
        self._subscriptions = []
        self._threads = concurrent.futures.ThreadPoolExecutor()

    def run(self, result):
        return result

    def subscribe(self, *events):
        self._subscriptions.append(self._subscribe(events))
        return self._subscriptions[-1]

    def start_next(self, subscription):
        """What waits for the next event, in a thread or a task of its own; see `finish`."""
        return self._threads.submit(next, subscription)

    def finish(self, waiting):
        return waiting.result(SOON_S)

    def next(self, subscription):
        guard = threading.Timer(SOON_S, subscription.close)  # what does not come shows, too
        guard.start()
        try:
            return next(subscription)
        finally:
            guard.cancel()

    def close(self):
        for each in (*self._subscriptions, self.mesh):
            self.run(each.close())
        self._threads.shutdown()

    def _subscribe(self, events):
        return self.mesh.subscribe(*events)


class ByAsyncio(Blocking):
    """The same by asyncio, in an event loop of its own."""

    GcFree = AioGcFreeEvent

    def __init__(self, path, **options):
        self.loop = asyncio.new_event_loop()
        self._subscriptions = []
        self.mesh = self.run(radixmesh.aio.connect(path, **options))

    def run(self, result):
        return self.loop.run_until_complete(asyncio.wait_for(result, SOON_S))

    def start_next(self, subscription):
        return asyncio.ensure_future(subscription.__anext__(), loop=self.loop)

    def finish(self, waiting):
        return self.run(waiting)

    def next(self, subscription):
        return self.run(subscription.__anext__())

    def close(self):
        for each in (*self._subscriptions, self.mesh):
            self.run(each.close())
        self.loop.close()

    def _subscribe(self, events):
        subscription = self.mesh.subscribe(*events)
        return self.run(subscription.__aenter__())


def closing(kind):
    """connect(path) for one of the two; what it gave is closed at the end."""
    with contextlib.ExitStack() as stack:

        def connect(path, **options):
            client = kind(path, **options)
            stack.callback(client.close)
            return client

        yield connect


@pytest.fixture(params=[Blocking, ByAsyncio])
def connect(request):
    yield from closing(request.param)


@pytest.fixture
def connect_by_asyncio():
    yield from closing(ByAsyncio)


@pytest.fixture
def client(connect, sidecar):
    return connect(sidecar.path)


def free(number, slots=((1, 1),), advice=False, epoch=EPOCH, **others):
    """The frame of a gc_free."""
    told = {"number": number, "slots": list(slots), "advice": advice, "state": [epoch, number]}
    return frame([2, "gc_free", {**told, **others}])


def acks(sidecar):
    """The numbers that were acknowledged, in order."""
    return [params["number"] for method, params in sidecar.requests if method == "gc_ack"]


def subscribers(sidecar):
    """Their connections, in order. With the lock, as they are added behind their answer."""
    with sidecar.lock:
        return list(sidecar.subscribers)


def answer(request, result):
    return frame([1, request[1], None, result])


def never(connection):
    while connection.recv(65536):
        pass


# Leases


def test_remote_is_said_only_where_it_is_asked_for(client, sidecar):
    for options, said in [({}, {}), ({"remote": False}, {}), ({"remote": True}, {"remote": True})]:
        lease = client.run(client.mesh.acquire([1, 2], **options))
        assert sidecar.requests[-1] == ["acquire", {"tokens": b"\x01\0\0\0\x02\0\0\0", **said}]
        client.run(lease.release())


def test_the_source_of_a_reference_is_named(client, sidecar):
    client.run(client.run(client.mesh.acquire([1, 2], remote=True, source=PEER)).release())
    assert ["acquire", {"tokens": b"\x01\0\0\0\x02\0\0\0", "remote": True, "source": PEER}] in (
        sidecar.requests
    )
    for wrong in ({"source": PEER}, {"remote": True, "source": 7}):
        with pytest.raises(radixmesh.FixRequest, match="source"):
            client.run(client.mesh.acquire([1, 2], **wrong))


def test_a_lease_tells_what_it_covers_here_and_elsewhere(client, sidecar):
    client.run(client.mesh.insert([1, 2], [5, 6]))
    sidecar.remote_segments = [[2, 6, PEER, [[50, 3], [90, 1]]], [6, 8, PEER, None]]
    here = Segment(0, 2, ADDR, ((5, 1), (6, 1)))
    lease = client.run(client.mesh.acquire([1, 2, 3, 4]))
    assert lease.segments == (here,)
    lease = client.run(client.mesh.acquire([1, 2, 3, 4], remote=True))
    there = (Segment(2, 6, PEER, ((50, 3), (90, 1))), Segment(6, 8, PEER, None))
    assert lease.segments == (here, *there)
    assert (lease.match.length, lease.match.segments) == (2, (here,))


def test_what_was_read_under_a_lease_is_valid_until_it_lapses_or_is_released(client, sidecar):
    kept, lapsed = (client.run(client.mesh.acquire([1, 2], remote=True)) for _ in range(2))
    assert client.run(kept.is_valid()) is True
    assert sidecar.requests[-1] == ["validate", {"lease": kept.id}]
    sidecar.lapsed.add(lapsed.id)
    assert client.run(lapsed.is_valid()) is False
    assert client.run(kept.is_valid()) is True
    client.run(kept.release())
    asked = len(sidecar.requests)
    assert client.run(kept.is_valid()) is False
    assert len(sidecar.requests) == asked


def test_a_lease_whose_connection_is_lost_is_not_said_to_be_valid(client, sidecar):
    lease = client.run(client.mesh.acquire([1, 2]))
    sidecar.cut_all()
    with pytest.raises(radixmesh.ConnectionLost):
        client.run(lease.is_valid())
    client.run(lease.release())
    assert client.run(lease.is_valid()) is False


@pytest.mark.parametrize("value", [{}, {"valid": 1}, {"valid": None}, True, None], ids=str)
def test_a_malformed_answer_to_validate(tmp_path, connect, value):
    class Odd(FakeSidecar):
        def validate(self, leases, lease):
            return value

    with Odd(tmp_path / "s") as sidecar:
        client = connect(sidecar.path)
        lease = client.run(client.mesh.acquire([1, 2]))
        with pytest.raises(ReportBug, match="malformed: validate"):
            client.run(lease.is_valid())


MATCH = {"length": 0, "local_length": 0, "local_slots": [], "depths": {}, "segments": []}


@pytest.mark.parametrize("value", [None, {}, [5], [[0, 2, ADDR]], [[0, 2, 5, None]]], ids=str)
def test_malformed_segments_of_a_lease(value):
    with pytest.raises(ReportBug, match=r"malformed: acquire\.segments"):
        answers.acquire({"lease": 1, "match": MATCH, "segments": value})


# Older sidecars, and what newer ones add


def test_a_sidecar_that_knows_nothing_of_this(tmp_path, connect):
    class Older(FakeSidecar):
        def acquire(self, leases, **params):
            answer = super().acquire(leases, **params)
            del answer["segments"]
            return answer

        def _carry_out(self, method, params, leases):
            if method in ("validate", "gc", "gc_ack"):
                raise Refusal("upgrade", f"unknown method {method}")
            return super()._carry_out(method, params, leases)

    with Older(tmp_path / "s") as sidecar:
        client = connect(sidecar.path)
        assert client.mesh.info.free_wait_ms == 0
        client.run(client.mesh.insert([1, 2], [5, 6]))
        lease = client.run(client.mesh.acquire([1, 2]))
        assert (lease.segments, lease.match.local_length) == ((), 2)
        for call in (lease.is_valid, client.mesh.gc):
            with pytest.raises(radixmesh.Upgrade, match="unknown method"):
                client.run(call())
        client.run(lease.release())
        assert client.run(client.mesh.tree()).edges[0].retiring == ()
        assert client.run(client.mesh.evict(2)) == ((5, 1), (6, 1))


def test_what_a_sidecar_adds_today(tmp_path, connect):
    class Newer(FakeSidecar):
        def hello(self, **params):
            return {**super().hello(**params), "free_wait_ms": 1234}

        def tree(self, **params):
            answer = super().tree(**params)
            return {**answer, "edges": [{**e, "retiring": [PEER]} for e in answer["edges"]]}

        def evict(self, num_tokens):
            return {**super().evict(num_tokens), "retiring": 2}

    with Newer(tmp_path / "s") as sidecar:
        client = connect(sidecar.path)
        assert client.mesh.info.free_wait_ms == 1234
        client.run(client.mesh.insert([1, 2], [5, 6]))
        assert client.run(client.mesh.tree()).edges[0].retiring == (PEER,)
        assert client.run(client.mesh.evict(2)) == ((5, 1), (6, 1))


@pytest.mark.parametrize("wrong", [-1, 1.5, "1", None, True])
def test_a_malformed_free_wait(wrong):
    with pytest.raises(ReportBug, match=r"malformed: hello\.free_wait_ms"):
        answers.hello({**HELLO, "free_wait_ms": wrong})


@pytest.mark.parametrize("wrong", [None, ADDR, [5], {}])
def test_a_malformed_list_of_those_that_retire(wrong):
    stretch = {"namespace": None, "begin": 0, "end": 2, "head": bytes(8), "hash": "0a"}
    edge = {**stretch, "holders": [], "lock_ref": 0, "retiring": wrong}
    with pytest.raises(ReportBug, match=r"malformed: edges|malformed: tree\.edges\[0\]\.retiring"):
        answers.tree({"edges": [edge], "total": 1, "tree_tokens": 2})


# gc


def test_gc_asks_and_run_begins_a_round(client, sidecar):
    sidecar.collection = {"mode": "global-ref", "duplicate_tokens": 7, "new": [None, {"a": 1.5}]}
    assert client.run(client.mesh.gc()) == sidecar.collection
    assert sidecar.requests[-1] == ["gc", {"run": False}]
    assert client.run(client.mesh.gc(run=True)) == sidecar.collection
    assert sidecar.requests[-1] == ["gc", {"run": True}]


def test_a_round_that_cannot_begin_is_refused_and_asking_is_not(client, sidecar):
    sidecar.collection = {"mode": "off"}
    with pytest.raises(radixmesh.FixRequest, match="no round can begin: off"):
        client.run(client.mesh.gc(run=True))
    assert client.run(client.mesh.gc()) == {"mode": "off"}


@pytest.mark.parametrize("value", [None, [], "off"], ids=str)
def test_a_malformed_answer_to_gc(client, sidecar, value):
    sidecar.gc = lambda run: value
    with pytest.raises(ReportBug, match="malformed: gc must be a map"):
        client.run(client.mesh.gc())


# What is told


def test_an_event_tells_the_slots_and_as_of_when(client, sidecar):
    events = client.subscribe("gc_free", "gc_advice")
    assert sidecar.requests[-1] == ["subscribe", {"events": ["gc_free", "gc_advice"]}]
    sidecar.free(7, [[100, 4], [200, 1]])
    sidecar.advise([[5, 2]])
    freed, advice = client.next(events), client.next(events)
    assert (freed.slots, freed.advice, freed.state) == (((100, 4), (200, 1)), False, (EPOCH, 17))
    assert (advice.slots, advice.advice, advice.state) == (((5, 2),), True, (EPOCH, 10))
    name = client.GcFree.__name__
    assert type(freed) is type(advice) is client.GcFree
    assert repr(advice) == f"{name}(slots=((5, 2),), advice=True, state=({EPOCH}, 10))"


def test_both_kinds_of_event_offer_the_same():
    for kind in (GcFreeEvent, AioGcFreeEvent):
        names = {name for name in dir(kind) if not name.startswith("_")}
        assert names == {"slots", "advice", "state", "ack"}
    assert radixmesh.GcFreeEvent is GcFreeEvent
    assert inspect.iscoroutinefunction(AioGcFreeEvent.ack)


def test_only_what_was_asked_for_comes_in_the_order_in_which_it_was_told(client, sidecar):
    events = client.subscribe("gc_free", "op")
    sidecar.advise([[5, 2]])
    sidecar.notify("op", OP)
    sidecar.free(1, [[9, 1]])
    sidecar.notify("op", OP)
    assert client.next(events) == MARK
    assert client.next(events).slots == ((9, 1),)
    assert client.next(events) == MARK


GC_FREE = {"number": 3, "slots": [[1, 2], [9, 1]], "advice": False, "state": [EPOCH, 4]}
WRONG = [None, -1, 1.5, "1", (), object(), {}, []]


@pytest.mark.parametrize("path", places(GC_FREE), ids=str)
def test_a_wrong_type_in_any_place_of_a_gc_free_is_refused(path):
    truths = [] if path == ("advice",) else [True]
    empty = [[]] if path == ("slots",) else []  # no slots are none too many
    for wrong in (value for value in [*WRONG, *truths] if value not in empty):
        with pytest.raises(ReportBug, match="malformed: gc_free"):
            answers.gc_free_event(with_change(GC_FREE, path, put(wrong)))


def test_a_gc_free_of_a_newer_sidecar():
    read = answers.gc_free_event({**GC_FREE, "new": object()})
    assert read == FreedSlots(3, ((1, 2), (9, 1)), False, (EPOCH, 4))


MALFORMED = {
    **{f"no {name}": {k: v for k, v in GC_FREE.items() if k != name} for name in GC_FREE},
    "a run of none": {**GC_FREE, "slots": [[1, 0]]},
    "advice that is a number": {**GC_FREE, "advice": 0},
    "a state of one": {**GC_FREE, "state": [EPOCH]},
    "a state of three": {**GC_FREE, "state": [EPOCH, 1, 2]},
    "nothing": {},
}


@pytest.mark.parametrize("told", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_gc_free_is_neither_handed_out_nor_acknowledged(client, sidecar, told):
    events = client.subscribe("gc_free", "op")
    sidecar.notify("gc_free", told)
    sidecar.notify("op", OP)
    with pytest.raises(ReportBug, match="malformed: gc_free"):
        client.next(events)
    assert client.next(events) == MARK
    assert acks(sidecar) == []


# Acknowledging


def test_ack_says_the_number_on_a_connection_of_its_own(client, sidecar):
    first, second = client.subscribe("gc_free"), client.subscribe("gc_advice", "op")
    connections = subscribers(sidecar)
    for number in (7, 8):
        sidecar.free(number, [[number, 1]])
    told = [client.next(first) for _ in range(2)]
    assert acks(sidecar) == []
    for event in reversed(told):
        client.run(event.ack())
    assert sidecar.requests[-2:] == [["gc_ack", {"number": 8}], ["gc_ack", {"number": 7}]]
    assert not set(sidecar.senders[-2:]) & set(connections)
    assert sidecar.unacknowledged == {}
    sidecar.notify("op", OP)
    assert client.next(second) == MARK


def test_ack_may_be_said_while_another_waits_for_the_next(client, sidecar):
    """By a pool's own thread, for one, which frees while the subscription's thread listens."""
    events = client.subscribe("gc_free", "op")
    sidecar.free(7, [[5, 2]])
    event = client.next(events)
    waiting = client.start_next(events)
    client.run(event.ack())
    assert acks(sidecar) == [7]
    sidecar.notify("op", OP)
    assert client.finish(waiting) == MARK


def test_ack_of_advice_says_nothing(client, sidecar):
    events = client.subscribe("gc_advice", "op")
    sidecar.advise([[5, 2]])
    event = client.next(events)
    asked = len(sidecar.requests)
    for _ in range(2):
        client.run(event.ack())
    sidecar.notify("op", OP)
    assert client.next(events) == MARK
    assert len(sidecar.requests) == asked


def test_a_second_ack_says_nothing(client, sidecar):
    events = client.subscribe("gc_free", "op")
    sidecar.free(7, [[5, 2]])
    event = client.next(events)
    for _ in range(3):
        client.run(event.ack())
    assert acks(sidecar) == [7]
    client.run(events.close())
    client.run(event.ack())


def test_an_ack_that_is_refused_says_so(client, sidecar):
    def refuse(number):
        raise Refusal("report_bug", "something is wrong")

    events = client.subscribe("gc_free", "op")
    sidecar.free(7, [[5, 2]])
    event = client.next(events)
    sidecar.gc_ack = refuse
    with pytest.raises(ReportBug, match="something is wrong"):
        client.run(event.ack())
    sidecar.notify("op", OP)
    assert client.next(events) == MARK


def test_an_ack_whose_answer_breaks_the_protocol_leaves_the_subscription_alone(tmp_path, connect):
    said = threading.Event()

    def script(connection, request):
        if request[2] == "gc_ack":
            connection.sendall(frame([1, request[1] + 1, None, {}]))
            said.set()
        else:
            connection.sendall(answer(request, {}) + free(1))
            assert said.wait(SOON_S)
            connection.sendall(frame([2, "op", OP]))
            never(connection)

    with ScriptedSidecar(tmp_path / "s", script) as scripted:
        client = connect(scripted.path)
        events = client.subscribe("gc_free", "op")
        event = client.next(events)
        with pytest.raises(ReportBug, match="the sidecar answered request"):
            client.run(event.ack())
        assert client.next(events) == MARK


# Connections that break


class Cutting(FakeSidecar):
    """Ends the connection in place of an answer to gc_ack, as often as `cuts` says."""

    cuts = 0
    takes_it = False  # though it does not answer

    def gc_ack(self, number):
        if self.cuts == 0 or self.takes_it:
            super().gc_ack(number)
        if self.cuts > 0:
            self.cuts -= 1
            raise EOFError
        return {}


@pytest.fixture
def cutting(tmp_path):
    with Cutting(tmp_path / "cutting.sock") as sidecar:
        yield sidecar


@pytest.fixture
def broken(connect, cutting):
    """A client whose acknowledgement of number 7 got no answer, and the event."""
    client = connect(cutting.path)
    events = client.subscribe("gc_free", "op")
    cutting.free(7, [[5, 2]])
    event = client.next(events)
    cutting.cuts = 1
    with pytest.raises(radixmesh.ConnectionLost):
        client.run(event.ack())
    assert list(cutting.unacknowledged) == [7]
    return client, event


def test_an_ack_that_broke_may_be_said_again(broken, cutting):
    client, event = broken
    for _ in range(2):
        client.run(event.ack())
    assert acks(cutting) == [7, 7]
    assert cutting.unacknowledged == {}


def test_an_ack_that_broke_is_said_again_with_the_next(broken, cutting):
    client, _ = broken
    events = client.subscribe("gc_free", "op")
    cutting.notify("op", OP)
    assert client.next(events) == MARK  # number 7 was said again, and heard
    cutting.free(8, [[60, 1]])
    event = client.next(events)
    cutting.cuts = 1
    with pytest.raises(radixmesh.ConnectionLost):
        client.run(event.ack())
    cutting.free(9, [[61, 1]])
    client.run(client.next(events).ack())
    assert acks(cutting) == [7, 7, 8, 8, 9]
    assert cutting.unacknowledged == {}


def test_what_was_freed_is_not_handed_out_again_and_acknowledged_by_itself(broken, cutting):
    client, _ = broken
    events = client.subscribe("gc_free", "op")
    cutting.notify("op", OP)
    assert client.next(events) == MARK
    assert acks(cutting) == [7, 7]
    assert cutting.unacknowledged == {}


def test_an_ack_that_was_taken_though_not_answered_leaves_nothing_to_do(connect, cutting):
    client = connect(cutting.path)
    events = client.subscribe("gc_free")
    cutting.free(7, [[5, 2]])
    event = client.next(events)
    cutting.cuts, cutting.takes_it = 1, True
    with pytest.raises(radixmesh.ConnectionLost):
        client.run(event.ack())
    events = client.subscribe("gc_free", "op")
    cutting.free(8, [[9, 1]])
    assert client.next(events).slots == ((9, 1),)
    assert acks(cutting) == [7]


def test_the_same_number_of_another_epoch_is_handed_out(broken, cutting):
    client, _ = broken
    with cutting.lock:
        cutting.unacknowledged.clear()
        cutting.free(7, [[60, 1]], epoch=EPOCH + 1)
    events = client.subscribe("gc_free", "op")
    event = client.next(events)
    assert (event.slots, event.state[0]) == (((60, 1),), EPOCH + 1)
    assert acks(cutting) == [7]
    client.run(event.ack())
    assert cutting.unacknowledged == {}


def test_another_number_of_the_same_epoch_is_handed_out(broken, cutting):
    client, _ = broken
    cutting.free(8, [[60, 1]])
    events = client.subscribe("gc_free", "op")
    event = client.next(events)
    assert (event.slots, acks(cutting)) == (((60, 1),), [7, 7])


def test_advice_is_handed_out_whatever_its_number(broken, cutting):
    client, _ = broken
    events = client.subscribe("gc_advice")
    cutting.advise([[70, 1]], number=7)
    assert client.next(events).slots == ((70, 1),)
    assert acks(cutting) == [7]


def test_acknowledging_by_itself_may_break_too(broken, cutting):
    client, _ = broken
    cutting.cuts = 1
    with pytest.raises(radixmesh.ConnectionLost):
        client.next(client.subscribe("gc_free", "op"))
    events = client.subscribe("gc_free", "op")
    cutting.notify("op", OP)
    assert client.next(events) == MARK
    assert acks(cutting) == [7, 7, 7]
    assert cutting.unacknowledged == {}


def test_what_was_not_acknowledged_is_handed_out_again_and_the_rest_is_not(connect, cutting):
    client = connect(cutting.path)
    events = client.subscribe("gc_free")
    for number in (1, 2, 3, 4):
        cutting.free(number, [[10 * number, 1]])
    told = [client.next(events) for _ in range(3)]
    client.run(told[0].ack())
    cutting.cuts = 1
    with pytest.raises(radixmesh.ConnectionLost):
        client.run(told[1].ack())
    events = client.subscribe("gc_free", "op")
    told = [client.next(events) for _ in range(2)]
    assert [event.slots for event in told] == [((30, 1),), ((40, 1),)]
    for event in told:
        client.run(event.ack())
    assert acks(cutting) == [1, 2, 2, 3, 4]
    cutting.notify("op", OP)
    assert client.next(events) == MARK
    assert cutting.unacknowledged == {}


def test_an_ack_after_the_subscription_was_closed_arrives(client, sidecar):
    """The engine took its time to free, and freed: nobody else may free it too."""
    events = client.subscribe("gc_free")
    sidecar.free(7, [[5, 2]])
    event = client.next(events)
    client.run(events.close())
    client.run(event.ack())
    assert (acks(sidecar), sidecar.unacknowledged) == ([7], {})


def test_an_ack_arrives_though_all_connections_were_lost(client, sidecar):
    events = client.subscribe("gc_free")
    sidecar.free(7, [[5, 2]])
    event = client.next(events)
    sidecar.cut_all()
    with pytest.raises(radixmesh.ConnectionLost):
        client.run(client.mesh.status())
    client.run(event.ack())
    assert (acks(sidecar), sidecar.unacknowledged) == ([7], {})


class Dumb:
    """A script: it tells the frees 1 and 2 and a mark to who subscribes, and lets an ack wait until
    `speaks` is set."""

    def __init__(self):
        self.asked = threading.Event()
        self.speaks = threading.Event()

    def __call__(self, connection, request):
        if request[2] == "subscribe":
            connection.sendall(answer(request, {}) + free(1) + free(2) + frame([2, "op", OP]))
            never(connection)
        self.asked.set()
        assert self.speaks.wait(SOON_S)
        connection.sendall(answer(request, {}))


def test_an_ack_waits_no_longer_than_any_call(tmp_path, connect):
    dumb = Dumb()
    with ScriptedSidecar(tmp_path / "s", dumb) as scripted:
        client = connect(scripted.path, timeout=SHORT_S)
        events = client.subscribe("gc_free", "op")
        first, second = client.next(events), client.next(events)
        with pytest.raises(radixmesh.Timeout, match="gc_ack was not answered"):
            client.run(first.ack())
        assert client.next(events) == MARK
        dumb.speaks.set()
        for event in (first, second):
            client.run(event.ack())


# With asyncio alone


def test_an_ack_that_was_cancelled_counts(tmp_path, connect_by_asyncio):
    dumb = Dumb()

    async def acknowledge_and_cancel(event):
        acknowledging = asyncio.ensure_future(event.ack())
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, dumb.asked.wait, SOON_S)
        acknowledging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await acknowledging

    with ScriptedSidecar(tmp_path / "s", dumb) as scripted:
        client = connect_by_asyncio(scripted.path)
        events = client.subscribe("gc_free", "op")
        first, second = client.next(events), client.next(events)
        client.run(acknowledge_and_cancel(first))
        dumb.speaks.set()
        events = client.subscribe("gc_free", "op")
        assert client.next(events).state == second.state
        assert client.next(events) == MARK


# What is remembered


def test_what_was_freed_is_remembered():
    told = FreedSlots(3, ((1, 2),), False, (EPOCH, 4))
    freed = Freed(Endpoint("nowhere", 1.0))
    assert told not in freed
    with pytest.raises(radixmesh.ConnectionLost):
        freed.acknowledge(told)
    # The number and the epoch count: the seq, and how the slots are told, do not.
    assert told._replace(slots=((9, 1),), state=(EPOCH, 9)) in freed
    assert told._replace(number=4) not in freed
    assert told._replace(state=(EPOCH + 1, 4)) not in freed
    assert told._replace(advice=True) not in freed
