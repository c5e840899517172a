"""A member that sends what no member would, over the connections that the others made to it: what
it costs them is bounded, and who does not stop is cut."""

import socket
import struct
import threading

import pytest

import wire
from fake_member import FakeMember
from hostile import STRANGER, Cost, is_cut, ports
from loopback import wait_until
from test_hostile_amounts import MB
from test_hostile_network import fingerprint_of
from zmtp import LONG, MORE, Zmtp, message, part

# What libzmq makes of the bytes that come until a message that does not end is noticed.
UNENDED_BYTES_MAX = 600 * MB
# In one message that is shorter than any may be.
PARTS = 10_000
# Whole messages before it, as many as may wait: each that is heard is no sign of an end.
PRELUDE = {
    "XPUB": message([b"C", b""]) * 999,
    "ROUTER": message([b""]) * 99,
    "bulk": message([b""]) * 63,
}
# Messages that wait at one socket: published_messages_max of message_bytes_max.
WAITING_BYTES_MAX = 100 * MB


@pytest.fixture
def meet(mesh_of):
    """Starts p0, and a p1 that does something with each connection that p0 makes to one of its
    sockets: pours the same bytes as long as it can, or what it is told. Returns p0 and a semaphore
    that is released whenever that ended."""
    fakes = []

    def start(which, data, first=b""):
        mesh = mesh_of(prefill=2)
        mesh.is_attacked = True
        p0, p1 = mesh.nodes
        fingerprint_of(p0, p1)
        fake = FakeMember(mesh, "p1")
        fakes.append(fake)
        times = threading.Semaphore(0)

        def pour(connection):
            try:
                if callable(data):
                    return data(connection)
                connection.socket.sendall(first)
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
    p0, cuts = meet(which, part(each, MORE) * 100_000, PRELUDE[which])
    with Cost(p0, UNENDED_BYTES_MAX):
        for _ in range(3):
            assert cuts.acquire(timeout=20), "it is cut, and again after it was let in anew"
    assert p0.client.status()["connections_endless"] >= 3


@pytest.mark.parametrize("which", ["XPUB", "ROUTER", "bulk"])
def test_messages_of_many_parts(meet, which):
    """They have an end, which libzmq waits for; amid them the connection is given up."""
    p0, cuts = meet(which, message([b"x"] * 100_000))
    with Cost(p0, UNENDED_BYTES_MAX):
        for _ in range(3):
            assert cuts.acquire(timeout=20), "it is given up, and again after it was made anew"
    status = p0.client.status()
    assert status["messages_malformed"] + status["connections_endless"] >= 3


@pytest.mark.parametrize("which", ["XPUB", "ROUTER", "bulk"])
def test_a_connection_that_ends_amid_a_message_that_is_read(meet, which):
    """libzmq aborts the process where it is asked for a rest that went with its connection."""

    def once(connection):
        connection.socket.sendall(message([b"x"] * PARTS))
        connection.socket.shutdown(socket.SHUT_WR)

    p0, ends = meet(which, once)
    for _ in range(4):
        assert ends.acquire(timeout=20), "it lets the other in again"
    wait_until(lambda: p0.client.status()["messages_malformed"] >= 4, "it has read them")


def test_a_stranger_that_ends_amid_a_message_that_is_read(module_mesh_of):
    mesh = module_mesh_of(prefill=1).start()
    (p0,) = mesh.nodes
    mesh.is_attacked = True
    for which, (port, kind) in ports(p0).items():
        before = p0.client.status()["connections_cut"]
        for _ in range(4):
            with Zmtp(port, kind, wire.identity(STRANGER)) as stranger:
                stranger.raw(message([b"x"] * PARTS))
                wait_until(lambda: is_cut(stranger), f"{which} cuts it")
        assert p0.client.status()["connections_cut"] >= before + 4, which


def test_what_is_no_zmtp_is_tried_again(meet):
    """libzmq gives an address up for good after a frame that is too large, for one."""

    def too_much(connection):
        connection.socket.sendall(bytes([LONG]) + struct.pack(">Q", 2**40))

    for which in ("XPUB", "bulk"):
        _, times = meet(which, too_much)
        for _ in range(2):
            assert times.acquire(timeout=30), f"{which} is connected to again"


def test_topics_that_nobody_asked_for(meet):
    """They are passed over, a bounded number in each turn."""
    p0, cuts = meet("XPUB", message([b"X", b""]) * 20_000)
    with Cost(p0, WAITING_BYTES_MAX) as cost:
        wait_until(lambda: len(cost.calls_s) > 500, "many calls were made", 20)
    assert not cuts.acquire(blocking=False)
    assert p0.client.status()["connections_endless"] == 0
