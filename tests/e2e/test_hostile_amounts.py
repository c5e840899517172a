"""Few bytes, or many, that would cost much: each attack has a bound on memory, and the engine's
calls are answered meanwhile."""

import random
import struct
import threading
import time

import pytest

import wire
from fake_member import FakeMember
from hostile import STRANGER, Cost, bulk_port, control_port, is_cut, pour, ports
from loopback import wait_until
from test_hostile_network import fingerprint_of
from zmtp import LONG, MORE, Zmtp, message, part

MB = 1_000_000
# What strangers' messages may take that wait: questions_waiting_max of message_bytes_max for each
# of 64 at the control socket; but they come no faster than they are read.
WAITING_BYTES_MAX = 150 * MB
ATTACK_S = 3.0


@pytest.fixture(scope="module")
def mesh(module_mesh_of):
    mesh = module_mesh_of(prefill=2, decode=1).start()
    mesh.is_attacked = True
    mesh.wait_alive()
    return mesh


@pytest.fixture(autouse=True)
def unharmed(mesh):
    """Whatever was done, all are alive and agree after it."""
    yield
    mesh.wait_alive()
    mesh.wait_agree()


@pytest.fixture(scope="module")
def ids(mesh):
    return {node.name: head[1] for node, head in zip(mesh.nodes, wire.heads_of(mesh.nodes))}


def for_a_while(attack, threads=1):
    """Calls it again and again, with the thread's number."""
    until = time.monotonic() + ATTACK_S

    def work(number):
        while time.monotonic() < until:
            try:
                attack(number)
            except OSError:
                pass  # cut, which is its right

    started = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def test_replay_requests_without_end(mesh, ids):
    """Each answer has up to 512 KiB; who does not read them has few of them waiting."""
    p0 = mesh["p0"]
    chance = random.Random("replays")
    for i in range(1000):
        tokens = struct.pack("<I", 2**31 + i) + chance.randbytes(4096)
        p0.client.insert(tokens, [(0, 1025)])
    picture = mesh.wait_agree()
    epoch, seq = picture["version_vector"][p0.addr]
    asker = mesh["p1"].client.status()["epoch"]
    asks = wire.frame(
        wire.REPLAY_REQUEST, ids["p1"], asker, 0, 1, [ids["p0"], epoch, max(1, seq - 999), seq]
    )
    bulk = message([asks * (1024 // len(asks))])
    with Cost(p0, 100 * MB):
        with Zmtp(bulk_port(p0), "DEALER", wire.identity(ids["p1"], 9)) as dealer:
            pour(dealer, bulk, 10 * MB)
        with Zmtp(control_port(p0), "DEALER", wire.identity(ids["p1"], 9)) as dealer:
            pour(dealer, message([asks * 1000]), 5 * MB)


def test_topics_that_do_not_exist(mesh):
    chance = random.Random("topics")
    before = mesh["p0"].client.status()["connections_cut"]
    lengths = []

    def attack(_):
        topics = b"".join(part(b"\x01" + chance.randbytes(40)) for _ in range(20_000))
        with Zmtp(wire.publish_port(mesh["p0"]), "SUB") as subscriber:
            lengths.append(pour(subscriber, topics, 50 * MB))

    with Cost(mesh["p0"], WAITING_BYTES_MAX):
        for_a_while(attack)
    assert mesh["p0"].client.status()["connections_cut"] > before
    # Each of these has been cut before it sent what makes a difference.
    assert max(lengths) < 20 * MB


@pytest.mark.parametrize("form", [b"\xff%s", b"W%s", b"R%.4s", b"\xff\x00%.7s"])
def test_topics_of_a_form_that_exists(mesh, form):
    chance = random.Random("forms")
    before = mesh["p0"].client.status()["connections_cut"]

    def attack(_):
        topics = [part(b"\x01" + form % chance.randbytes(8)) for _ in range(20_000)]
        with Zmtp(wire.publish_port(mesh["p0"]), "SUB") as subscriber:
            pour(subscriber, b"".join(topics), 50 * MB)

    with Cost(mesh["p0"], WAITING_BYTES_MAX):
        for_a_while(attack)
    assert mesh["p0"].client.status()["connections_cut"] > before


TINY = {
    "frames of one byte": (b"\x00\x00\x00\x01\x96" * 13_000,),
    "frames of no body": (wire.frame(wire.HEARTBEAT, STRANGER, 1, 0, 1, [1]) * 3000,),
    "heartbeats of nobody": (wire.frame(wire.HEARTBEAT, STRANGER, 1, 0, 1, []) * 3000,),
    "replay requests of nobody": (
        wire.frame(wire.REPLAY_REQUEST, STRANGER, 1, 0, 1, [1, 1, 1, 9]) * 1500,
    ),
    "many parts": (b"x",) * 10_000,
    "many empty parts": (b"",) * 10_000,
    "nothing": (b"",),
    "one byte": (b"x",),
}


@pytest.mark.parametrize("what", TINY)
def test_messages_of_tiny_frames_from_eight_connections(mesh, what):
    data = message(TINY[what])
    data *= max(1, 200_000 // len(data))

    def attack(number):
        identity = wire.identity(STRANGER + number)
        with Zmtp(control_port(mesh["p0"]), "DEALER", identity) as dealer:
            pour(dealer, data, 20 * MB)

    # In parts it is up to 32 times as much; of eight of the 64 connections that strangers may have.
    parts = "parts" in what
    with Cost(mesh["p0"], 400 * MB if parts else WAITING_BYTES_MAX):
        for_a_while(attack, threads=8)


@pytest.mark.parametrize("which", ["control", "bulk", "publish"])
@pytest.mark.parametrize("each", [b"", b"x"])
def test_a_message_of_parts_without_end(mesh, which, each):
    """libzmq keeps 64 bytes for each, and shows none of them before the last; an empty one is two
    bytes of what comes until the connection is looked at again."""
    p0 = mesh["p0"]
    port, kind = ports(p0)[which]
    before = p0.client.status()["connections_cut"]
    with Cost(p0, 2 * WAITING_BYTES_MAX):
        with Zmtp(port, kind, wire.identity(STRANGER)) as stranger:
            sent = pour(stranger, part(each, MORE) * 200_000, 100 * MB)
            wait_until(lambda: p0.client.status()["connections_cut"] > before, "it is cut")
    assert sent < 100 * MB


def test_a_message_above_its_bound_cuts_the_connection(mesh):
    p0 = mesh["p0"]
    for which, bytes_ in (("control", 66 * 1024 + 1), ("bulk", 1025), ("publish", 65)):
        port, kind = ports(p0)[which]
        with Zmtp(port, kind, wire.identity(STRANGER)) as stranger:
            stranger.raw(part(b"x" * bytes_))
            wait_until(lambda: is_cut(stranger), f"{which} cuts it")
        with Zmtp(port, kind, wire.identity(STRANGER)) as stranger:
            stranger.raw(bytes([LONG]) + struct.pack(">Q", 2**40))
            wait_until(lambda: is_cut(stranger), f"{which} cuts what only says so")


def test_a_message_of_exactly_its_bound_is_taken(mesh):
    p0 = mesh["p0"]
    for which, bytes_ in (("control", 66 * 1024), ("bulk", 1024)):
        port, kind = ports(p0)[which]
        before = p0.client.status()["counters"].get("malformed_frames", 0)
        with Zmtp(port, kind, wire.identity(STRANGER)) as stranger:
            stranger.send(b"\x00" * bytes_)
            wait_until(
                lambda: p0.client.status()["counters"].get("malformed_frames", 0) > before,
                f"{which} reads it",
            )
            assert not is_cut(stranger)


def test_a_snapshot_that_never_ends(mesh_of):
    """What one origin may hold is bounded, on its way here too: 64 Mi tokens at 4.3 bytes."""
    mesh = mesh_of(prefill=2)
    p0, p1 = mesh.nodes
    fingerprint_of(p0, p1)  # p0 runs, and greets a p1 that is gone again
    fake = FakeMember(mesh, "p1", head=10**6)
    sent = [0]

    def refuse_replay(connection, body):
        connection.send(fake.frame(wire.REPLAY, [*body[:2], 1, b""]))

    def without_end(connection, body):
        origin, epoch, _, session = body[:4]
        for index in range(10**6):
            tokens = struct.pack("<BI", 32, sent[0]) + bytes(4 * 11_999)
            entry = [sent[0] % 10**6 + 1 if index else 1, 0, 0, None, 12_000, tokens, None]
            entry[0] = index + 1
            chunk = [origin, epoch, session, index, 0, 10**6, False, [], [entry], []]
            connection.socket.sendall(message([fake.frame(wire.SNAPSHOT_CHUNK, chunk)]))
            sent[0] += 1

    def until_cut(connection, body):
        try:
            without_end(connection, body)
        except OSError:
            pass

    fake.answers = {wire.REPLAY_REQUEST: refuse_replay, wire.SNAPSHOT_REQUEST: until_cut}
    fake.start()
    try:
        wait_until(lambda: sent[0] > 100, "a snapshot is on its way", 20)
        with Cost(p0, 450 * MB):
            begin = time.monotonic()
            wait_until(lambda: time.monotonic() - begin > 15, "15 s of it", 20)
        print(f" {sent[0]} chunks", end="")
        assert sent[0] * 12_000 > 64 * 1024 * 1024, "more came than may be held"
    finally:
        fake.stop()
