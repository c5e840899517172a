"""A member that sends what no member would, over the connections that the others made to it: what
it costs them is bounded, and who does not stop is cut."""

import threading

import pytest

from fake_member import FakeMember
from hostile import Cost
from test_hostile_amounts import MB
from test_hostile_network import fingerprint_of
from zmtp import MORE, message, part

# What libzmq makes of the bytes that come until a message that does not end is noticed.
UNENDED_BYTES_MAX = 400 * MB
# Messages that wait at one socket: published_messages_max of message_bytes_max.
WAITING_BYTES_MAX = 100 * MB


@pytest.fixture
def meet(mesh_of):
    """Starts p0, and a p1 that pours `data` at one of its sockets for as long as it can; returns p0
    and a semaphore that is released whenever it no longer could."""
    fakes = []

    def start(which: str, data: bytes):
        mesh = mesh_of(prefill=2)
        p0, p1 = mesh.nodes
        fingerprint_of(p0, p1)
        fake = FakeMember(mesh, "p1")
        fakes.append(fake)
        times = threading.Semaphore(0)

        def pour(connection):
            try:
                while True:
                    connection.socket.sendall(data)
            finally:
                times.release()

        fake.pours[which] = pour
        fake.start()
        return p0, times

    yield start
    for fake in fakes:
        fake.stop()


@pytest.mark.parametrize("each", [b"", b"x"])
@pytest.mark.parametrize("which", ["XPUB", "ROUTER", "bulk"])
def test_a_message_of_parts_without_end(meet, which, each):
    p0, cuts = meet(which, part(each, MORE) * 100_000)
    with Cost(p0, UNENDED_BYTES_MAX):
        for _ in range(3):
            assert cuts.acquire(timeout=20), "it is cut, and again after it was let in anew"
    assert p0.client.status()["connections_cut"] >= 3


def test_topics_that_nobody_asked_for(meet):
    """They are passed over, and who sends nothing else is cut."""
    p0, cuts = meet("XPUB", message([b"X", b""]) * 20_000)
    with Cost(p0, WAITING_BYTES_MAX):
        assert cuts.acquire(timeout=20), "it is cut"
    assert p0.client.status()["connections_cut"] >= 1
