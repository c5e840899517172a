"""Both clients against sidecars that misbehave: every call ends, in time, with the right error.

The scripts run on a real socket; `BOTH` runs a test with the blocking client and the asyncio one.
"""

import asyncio
import itertools
import signal
import socket
import threading
import time

import pytest

import radixmesh
import radixmesh.aio
from fake_sidecar import HELLO, ScriptedSidecar, frame, read_frame

SHORT_S = 0.15
SOON_S = 5.0  # far above SHORT_S: a busy machine may be slow, but not this slow


class Blocking:
    """The blocking client, as this file needs it."""

    def __init__(self, path, timeout):
        self._mesh = radixmesh.connect(path, timeout=timeout)

    def call(self, method, *args):
        return getattr(self._mesh, method)(*args)

    def close(self):
        self._mesh.close()


class Async:
    """The same by asyncio, in an event loop of its own."""

    def __init__(self, path, timeout):
        self._loop = asyncio.new_event_loop()
        try:
            self._mesh = self._run(radixmesh.aio.connect(path, timeout=timeout))
        except BaseException:
            self._loop.close()
            raise

    def call(self, method, *args):
        return self._run(getattr(self._mesh, method)(*args))

    def close(self):
        self._run(self._mesh.close())
        self._loop.close()

    def _run(self, work):
        return self._loop.run_until_complete(work)


BOTH = pytest.mark.parametrize("client", [Blocking, Async])


@pytest.fixture
def scripted(tmp_path):
    """scripted(script, client) gives a client of a sidecar that follows the script."""
    opened = []

    def start(script, client, timeout=SOON_S, **options):
        sidecar = ScriptedSidecar(tmp_path / f"{len(opened)}.sock", script, **options)
        opened.append(sidecar)
        connection = client(sidecar.path, timeout)
        opened.append(connection)
        return connection

    yield start
    for thing in reversed(opened):
        thing.close()


def never(connection, request):
    """Reads on, answers nothing, until the client leaves."""
    while connection.recv(65536):
        pass


def never_reads(connection, request):
    """Waits for the client to leave without taking a byte."""
    for _ in iter(lambda: connection.recv(1, socket.MSG_PEEK), b""):
        if ended.wait(0.01):
            return


ended = threading.Event()


def byte_by_byte(connection, request):
    """An answer of which each byte arrives well within the timeout, but the last one does not."""
    length = 400
    connection.sendall(length.to_bytes(4, "big"))
    for _ in range(length):
        connection.sendall(b"\x90")
        time.sleep(0.01)  # tidy: backoff


def replying(*values):
    """A script that sends `values`, then waits for the client to leave."""

    def script(connection, request):
        for value in values:
            connection.sendall(value(request) if callable(value) else value)
        never(connection, request)

    return script


def answer(result):
    return lambda request: frame([1, request[1], None, result])


def is_closed_with(connection, reason):
    """All later calls say that there is no connection, and why."""
    for _ in range(2):
        with pytest.raises(radixmesh.ConnectionLost, match=reason):
            connection.call("status")
    return True


# Deadlines


@BOTH
@pytest.mark.parametrize("script", [never, byte_by_byte])
def test_a_call_ends_at_its_deadline_as_a_whole(scripted, client, script):
    connection = scripted(script, client, SHORT_S)
    begin = time.monotonic()
    with pytest.raises(radixmesh.Timeout, match=r"status was not answered within 0\.15 s") as e:
        connection.call("status")
    assert SHORT_S <= time.monotonic() - begin < SOON_S
    assert isinstance(e.value, TimeoutError)
    assert is_closed_with(connection, "closed: status was not answered within")


@BOTH
def test_a_sidecar_that_does_not_read_cannot_hold_a_sender(scripted, client):
    ended.clear()
    connection = scripted(never_reads, client, SHORT_S)
    with pytest.raises(radixmesh.Timeout):
        connection.call("match_prefix", bytes(8 * 1024 * 1024))
    ended.set()
    assert is_closed_with(connection, "not answered within")


@BOTH
def test_connecting_has_the_same_deadline(tmp_path, client):
    with ScriptedSidecar(tmp_path / "s", never, hello=False) as sidecar:
        with pytest.raises(radixmesh.Timeout):
            client(sidecar.path, SHORT_S)


@BOTH
def test_a_full_queue_of_connections_is_waited_for_until_the_deadline(tmp_path, client):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for number in itertools.count():
            waiting[number].setblocking(False)
            try:
                waiting[number].connect(path)
            except BlockingIOError:
                break  # now it is full
        with pytest.raises(radixmesh.Timeout, match="connecting"):
            client(path, SHORT_S)
        for connection in waiting:
            connection.close()


def test_a_thread_that_waits_for_its_turn_has_a_deadline_too(scripted):
    asked = threading.Event()
    go_on = threading.Event()

    def script(connection, request):
        asked.set()
        assert go_on.wait(SOON_S)
        connection.sendall(frame([1, request[1], None, {}]))
        never(connection, request)

    connection = scripted(script, Blocking, SOON_S)
    first = threading.Thread(target=connection.call, args=("status",))
    first.start()
    assert asked.wait(SOON_S)
    mesh = connection._mesh
    mesh._endpoint = mesh._endpoint._replace(timeout_s=SHORT_S)
    with pytest.raises(radixmesh.Timeout, match="behind other threads"):
        mesh.status()
    assert not mesh._link.closed
    go_on.set()
    first.join()


# A sidecar that dies


@BOTH
def test_a_sidecar_that_dies_in_the_midst_of_an_answer(scripted, client):
    def script(connection, request):
        connection.sendall(frame([1, request[1], None, {"addr": "a"}])[:-3])

    connection = scripted(script, client)
    with pytest.raises(radixmesh.ConnectionLost, match="the sidecar closed the connection"):
        connection.call("status")
    assert is_closed_with(connection, "the sidecar closed the connection")


@BOTH
def test_a_client_that_is_not_let_in(tmp_path, client):
    with ScriptedSidecar(tmp_path / "s", lambda connection, _: None, hello=False) as sidecar:
        with pytest.raises(radixmesh.ConnectionLost):
            client(sidecar.path, SOON_S)


def test_leases_of_a_dead_sidecar_are_released_without_an_error(scripted):
    def script(connection, request):
        empty = {"length": 0, "local_length": 0, "local_slots": [], "depths": {}, "segments": []}
        connection.sendall(frame([1, request[1], None, {"lease": 1, "match": empty}]))

    connection = scripted(script, Blocking)
    with connection.call("acquire", [1]) as lease:
        pass
    lease.release()
    assert is_closed_with(connection, "release")


# Answers that break the protocol


BREACHES = {
    "an HTTP server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a length of 0": bytes(4),
    "a length above the bound": b"\x01\x00\x00\x01",
    "no MessagePack": b"\x00\x00\x00\x01\xc1",
    "two values": b"\x00\x00\x00\x02\x01\x02",
    "nesting without end": (5000).to_bytes(4, "big") + b"\x91" * 5000,
    "a request": frame([0, 1, "status", {}]),
    "the id of nobody": lambda request: frame([1, request[1] + 1, None, {}]),
    "an error and a result": lambda request: frame([1, request[1], ["retry_later", "m"], {}]),
}


@BOTH
@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_framing_closes_the_connection(scripted, client, breach):
    connection = scripted(replying(BREACHES[breach]), client)
    with pytest.raises(radixmesh.ReportBug, match="the sidecar"):
        connection.call("status")
    assert is_closed_with(connection, "closed: the sidecar (sent|answered)")


@BOTH
def test_an_error_without_id_closes_the_connection(scripted, client):
    connection = scripted(replying(frame([1, None, ["send_less", "frame too long"], None])), client)
    with pytest.raises(radixmesh.SendLess, match="frame too long"):
        connection.call("status")
    assert is_closed_with(connection, "frame too long")


@BOTH
def test_an_answer_of_the_wrong_shape_concerns_that_call_alone(scripted, client):
    def script(connection, request):
        connection.sendall(frame([1, request[1], None, {"length": 1}]))
        request = read_frame(connection)
        connection.sendall(frame([1, request[1], None, {"addr": "a:1"}]))
        never(connection, request)

    connection = scripted(script, client)
    with pytest.raises(radixmesh.ReportBug, match="malformed: match_prefix has no"):
        connection.call("match_prefix", [1])
    assert connection.call("status") == {"addr": "a:1"}


@BOTH
def test_notifications_that_nobody_asked_for_do_no_harm(scripted, client):
    note = frame([2, "op", {}])
    connection = scripted(replying(note + note, answer({"addr": "a:1"})), client)
    assert connection.call("status") == {"addr": "a:1"}


@BOTH
def test_a_sidecar_of_another_protocol_version(tmp_path, client):
    def script(connection, _):
        request = read_frame(connection)
        connection.sendall(frame([1, request[1], None, {**HELLO, "protocol": 2}]))

    with ScriptedSidecar(tmp_path / "s", script, hello=False) as sidecar:
        with pytest.raises(radixmesh.Upgrade, match="speaks protocol 2, this client 1"):
            client(sidecar.path, SOON_S)


# The client's own end


@BOTH
def test_calls_after_close_say_who_closed(scripted, client):
    connection = scripted(never, client)
    connection.call("close")
    connection.call("close")
    assert is_closed_with(connection, "closed by this client")


def test_close_ends_a_call_of_another_thread(scripted):
    asked = threading.Event()

    def script(connection, request):
        asked.set()
        never(connection, request)

    connection = scripted(script, Blocking)
    caught = []

    def work():
        try:
            connection.call("status")
        except radixmesh.ConnectionLost as error:
            caught.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    assert asked.wait(SOON_S)
    connection.close()
    thread.join(SOON_S)
    assert caught == ["the connection is closed: it was closed by this client"]
    assert connection._mesh._link._socket.fileno() == -1


def test_an_interrupt_leaves_the_connection_open_and_its_answer_is_dropped(scripted):
    """Else the next call would take the answer to this one for its own."""
    main = threading.get_ident()
    interrupted = threading.Event()

    def script(connection, request):
        signal.pthread_kill(main, signal.SIGUSR1)
        assert interrupted.wait(SOON_S)
        while True:
            connection.sendall(frame([1, request[1], None, {"n": request[1]}]))
            request = read_frame(connection)

    def interrupt(*_):
        raise KeyboardInterrupt

    connection = scripted(script, Blocking)
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            connection.call("status")
    finally:
        signal.signal(signal.SIGUSR1, before)
    interrupted.set()
    assert connection.call("status") == {"n": 2}


def test_a_signal_handler_may_close_what_it_interrupted(tmp_path):
    main = threading.get_ident()

    def script(connection, request):
        connection.sendall(frame([1, request[1], None, {}]))
        signal.pthread_kill(main, signal.SIGUSR1)
        never(connection, request)

    with ScriptedSidecar(tmp_path / "s", script) as sidecar:
        with radixmesh.connect(sidecar.path) as mesh:
            held = []
            before = signal.signal(
                signal.SIGUSR1, lambda *_: held[0].close() if held else closing.append(1)
            )
            closing = []
            try:
                events = mesh.subscribe("op")
                held.append(events)
                if closing:
                    events.close()  # the signal was faster than subscribe()
                assert list(events) == []
            finally:
                signal.signal(signal.SIGUSR1, before)
