"""Anything at all on the ports between nodes: a counter, never a crash, never a changed tree."""

import contextlib
import random
import socket
import struct
import time

import msgpack
import pytest

import wire
from hostile import STRANGER, bulk_port, control_port, is_cut
from loopback import wait_until
from witness import Witness
from zmtp import COMMAND, GREETING, LONG, MORE, Zmtp, part, ready

HELD = list(range(1, 500))
BULK_BYTES_MAX = 1024  # of a question there


@pytest.fixture(scope="module")
def mesh(module_mesh_of):
    mesh = module_mesh_of(prefill=2, decode=1, router=1).start()
    mesh.is_attacked = True  # by messages that are cut where they are seen on their way
    mesh.wait_alive()
    for node in mesh.holders:
        node.client.insert(HELD, [(0, len(HELD))])
    return mesh


@pytest.fixture(scope="module")
def ids(mesh):
    """Node name -> its id on the wire, as anyone can hear them."""
    return {node.name: head[1] for node, head in zip(mesh.nodes, wire.heads_of(mesh.nodes))}


@pytest.fixture
def witness(mesh):
    with Witness(mesh, mesh["p0"]) as witness:
        yield witness


def router_ports(node):
    return [control_port(node), bulk_port(node)]


def wait_counted(witness, name, above, what):
    wait_until(lambda: witness.counters().get(name, 0) > above, f"{name} counts {what}")


# ---- raw TCP -------------------------------------------------------------------------------------


def test_random_garbage_over_tcp(mesh, witness):
    p0 = mesh["p0"]
    assert len(p0.listening_ports()) == 3
    chance = random.Random("tcp")
    for port in p0.listening_ports():
        for _ in range(60):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                try:
                    connection.sendall(chance.randbytes(chance.randrange(0, 5000)))
                except OSError:
                    pass  # cut in the middle, which is its right


@pytest.mark.parametrize(
    "what, data",
    [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n"),
        ("half a greeting", GREETING[:30]),
        ("a greeting alone", GREETING),
        ("another mechanism", GREETING.replace(b"NULL", b"PLAI")),
        ("version 9", GREETING[:10] + b"\x09" + GREETING[11:]),
        ("version 1", b"\x01\x00" + bytes(40)),
        ("no READY but a message", GREETING + part(b"x" * 100)),
        ("an empty command", GREETING + part(b"", COMMAND)),
        ("a broken READY", GREETING + part(b"\x05READY\x0bSocket-Type\xff\xff\xff\xff", COMMAND)),
        ("an unknown socket type", GREETING + ready(b"FRIEND", b"")),
        ("a socket type that does not fit", GREETING + ready(b"REP", b"")),
        ("an identity of 256 bytes", GREETING + ready(b"DEALER", b"N" * 256)),
        ("an identity that begins with 0", GREETING + ready(b"DEALER", bytes(17))),
        ("a size of 2^63", GREETING + ready(b"DEALER", b"") + b"\x02\x80" + bytes(7)),
        ("a size of 2^64 - 1", GREETING + ready(b"DEALER", b"") + b"\x02" + b"\xff" * 8),
        ("reserved flags", GREETING + ready(b"DEALER", b"") + b"\xf8\x01x" * 50),
    ],
)
def test_a_handshake_that_goes_wrong(mesh, witness, what, data):
    for port in mesh["p0"].listening_ports():
        with socket.create_connection(("127.0.0.1", port)) as connection:
            try:
                connection.sendall(data)
                connection.settimeout(0.05)
                while connection.recv(4096):
                    pass
            except OSError:
                pass


def test_connections_that_say_nothing_are_cut(mesh, witness):
    p0 = mesh["p0"]
    before = p0.descriptors()
    held = [
        socket.create_connection(("127.0.0.1", port))
        for port in p0.listening_ports()
        for _ in range(50)
    ]
    wait_until(lambda: p0.descriptors() > before + 100, "they are in")
    wait_until(lambda: p0.descriptors() <= before + 2, "they are cut")
    for connection in held:
        connection.close()


# ---- valid ZeroMQ, to the ROUTERs ----------------------------------------------------------------


def test_random_messages_with_random_identities(mesh, witness):
    chance = random.Random("dealers")
    for port in router_ports(mesh["p0"]):
        before = witness.counters()["messages_malformed"]
        for _ in range(40):
            name = bytes([chance.randrange(1, 256)]) + chance.randbytes(chance.randrange(0, 30))
            with Zmtp(port, "DEALER", name) as dealer:
                for _ in range(5):
                    parts = [chance.randbytes(chance.randrange(0, 300))]
                    parts *= chance.choice((1, 1, 2, 3))
                    dealer.send(*parts)
        wait_counted(witness, "messages_malformed", before, "identities of no node")


def test_messages_of_many_parts_and_of_one_byte(mesh, witness, ids):
    p0 = mesh["p0"]
    for port in router_ports(p0):
        with Zmtp(port, "DEALER", wire.identity(STRANGER)) as dealer:
            before = witness.counters()
            for _ in range(20):
                dealer.send(b"")
                dealer.send(b"\x00")
                dealer.send(b"", b"")
            wait_counted(witness, "messages_malformed", before["messages_malformed"], "parts")
            wait_counted(witness, "malformed_frames", before.get("malformed_frames", 0), "a byte")
            dealer.send(*[b"x"] * 100)
            wait_until(lambda: is_cut(dealer), "more parts than any message has are the last")
    with Zmtp(control_port(p0), "DEALER", wire.identity(STRANGER)) as dealer:
        dealer.raw(part(b"x", MORE) * 100_000 + part(b"x"))


BROKEN_FRAMES = {
    "length 0": struct.pack(">I", 0),
    "length above the payload": struct.pack(">I", 1000) + b"\x96",
    "length 2^32 - 1": b"\xff" * 4 + b"\x96" * 100,
    "length above the bound": struct.pack(">I", 64 * 1024 + 1) + b"\xc0" * (64 * 1024 + 1),
    "no array": wire.bare(b"\xc0"),
    "five fields": wire.frame(69, STRANGER, 1, 0, 1),
    "an array of 2^32 - 1": wire.bare(b"\xdd\xff\xff\xff\xff"),
    "arrays 100 deep": wire.bare(b"\x96" * 100),
    "type 256": wire.frame(256, STRANGER, 1, 0, 1, []),
    "type -1": wire.frame(-1, STRANGER, 1, 0, 1, []),
    "epoch 0": wire.frame(69, STRANGER, 0, 0, 1, [1]),
    "ttl 128": wire.frame(69, STRANGER, 1, 0, 128, [1]),
    "a control message with a number": wire.frame(69, STRANGER, 1, 5, 1, [1]),
    "an op without a number": wire.frame(1, STRANGER, 1, 0, 1, [0, 0, None, 1, b"", None]),
    "a body that is text": wire.frame(69, STRANGER, 1, 0, 1, "beat"),
    "an origin that is text": wire.frame(69, "p0", 1, 0, 1, [1]),
}


@pytest.mark.parametrize("what", BROKEN_FRAMES)
def test_a_broken_frame(mesh, witness, ids, what):
    """From a stranger, and from one that takes a member's name."""
    for port in router_ports(mesh["p0"]):
        before = witness.counters().get("malformed_frames", 0)
        with Zmtp(port, "DEALER", wire.identity(STRANGER)) as dealer:
            dealer.send(BROKEN_FRAMES[what])
            if port == bulk_port(mesh["p0"]) and len(BROKEN_FRAMES[what]) > BULK_BYTES_MAX:
                wait_until(lambda: is_cut(dealer), "a question that is too long is the last")
                continue
            wait_counted(witness, "malformed_frames", before, what)


def test_an_unknown_control_message_is_counted(mesh, witness):
    before = witness.counters().get("unknown_control_messages", 0)
    with Zmtp(control_port(mesh["p0"]), "DEALER", wire.identity(STRANGER)) as dealer:
        dealer.send(wire.frame(200, STRANGER, 1, 0, 1, []))
        wait_counted(witness, "unknown_control_messages", before, "it")


def test_envelopes_of_all_types_with_bodies_of_any_kind(mesh, witness, ids):
    chance = random.Random("bodies")

    def value(depth=0):
        kinds = [0, 1, 2**32, 2**64 - 1, None, b"", b"\x01" * 40, "", "127.0.0.1:1", True, -1, []]
        if depth < 4 and chance.random() < 0.3:
            return [value(depth + 1) for _ in range(chance.randrange(0, 14))]
        return chance.choice(kinds)

    names = [STRANGER, ids["p1"], ids["d0"], ids["p0"]]
    for port in router_ports(mesh["p0"]):
        for type_ in wire.TYPES:
            name = chance.choice(names)
            # Another life than the member's: it is not introduced, so what it says is dropped.
            with Zmtp(port, "DEALER", wire.identity(name, 7)) as dealer:
                for _ in range(20):
                    body = [value() for _ in range(chance.randrange(0, 14))]
                    seq = chance.choice((0, 1, 2**63)) if type_ < 64 else 0
                    frames = wire.frame(type_, chance.choice(names), 7, seq, 1, body)
                    dealer.send(frames * chance.choice((1, 3)))
    # A member's own connections come back after the guest that took their names.
    mesh.wait_alive()


def test_ops_sent_to_a_router_change_nothing(mesh, witness, ids):
    p0 = mesh["p0"]
    for port in router_ports(p0):
        for name in ("p1", "r0", "p0"):
            epoch, seq = p0.client.status()["version_vector"][mesh[name].addr]
            tokens = b"\x08" + bytes([9, 9, 9, 9])
            pages = [None, 4, tokens, None]
            with Zmtp(port, "DEALER", wire.identity(ids[name], epoch)) as dealer:
                dealer.send(wire.frame(wire.INSERT, ids[name], epoch, seq + 1, 1, [0, 0, *pages]))
                dealer.send(wire.frame(wire.RESET, ids[name], epoch, seq + 1, 1, []))
                dealer.send(wire.frame(wire.RESET, ids[name], epoch + 10**9, 1, 1, []))
    counters = witness.counters()
    assert counters.get("misplaced_messages", 0) + counters.get("unknown_senders", 0) > 0
    assert p0.client.match_prefix([9, 9, 9, 9]).length == 0
    mesh.wait_alive()


def test_a_hello_of_another_cluster_is_refused_by_name(mesh, witness):
    before = witness.counters().get("introductions_refused", 0)
    with Zmtp(control_port(mesh["p0"]), "DEALER", wire.identity(STRANGER)) as dealer:
        body = wire.hello("another", "127.0.0.1:1")
        dealer.send(wire.frame(wire.HELLO, STRANGER, 5, 0, 1, body))
        (payload,) = dealer.receive()
    assert b"cluster differs" in payload and b"another" in payload
    wait_counted(witness, "introductions_refused", before, "it")


def test_a_hello_of_a_node_that_is_not_in_the_lists_is_refused(mesh, witness):
    with Zmtp(control_port(mesh["p0"]), "DEALER", wire.identity(STRANGER)) as dealer:
        for page_size, word in ((3, b"page_size"), (1, b"fingerprint")):
            body = wire.hello(mesh.cluster, "127.0.0.1:1", page_size)
            dealer.send(wire.frame(wire.HELLO, STRANGER, 5, 0, 1, body))
            (payload,) = dealer.receive()
            assert word in payload


def test_hellos_without_end_do_not_fill_the_log(mesh, witness):
    p0 = mesh["p0"]
    before = witness.counters().get("introductions_refused", 0)
    size = p0.log.stat().st_size
    with Zmtp(control_port(p0), "DEALER", wire.identity(STRANGER)) as dealer:
        for i in range(2000):
            body = wire.hello("another", f"127.0.0.1:{i}")
            dealer.send(wire.frame(wire.HELLO, STRANGER, 5, 0, 1, body))
        wait_counted(witness, "introductions_refused", before + 1990, "all")
    assert p0.log.stat().st_size - size < 20_000


def test_a_hello_cannot_write_lines_into_the_log(mesh, witness):
    p0 = mesh["p0"]
    before = len(p0.lines())
    forged = "x\n2026-01-01T00:00:00 level=error event=forged"
    with Zmtp(control_port(p0), "DEALER", wire.identity(STRANGER)) as dealer:
        for cluster, addr in (("another", forged), (forged, "127.0.0.1:9")):
            dealer.send(wire.frame(wire.HELLO, STRANGER, 5, 0, 1, wire.hello(cluster, addr)))
            assert dealer.receive()
    assert not [line for line in p0.lines()[before:] if line.startswith("2026-01-01")]


def test_oversized_messages_are_refused_by_the_socket(mesh, witness):
    for port in mesh["p0"].listening_ports():
        with Zmtp(port, "SUB" if port == wire.publish_port(mesh["p0"]) else "DEALER") as stranger:
            stranger.raw(bytes([LONG]) + struct.pack(">Q", 1024 * 1024 + 1))
            stranger.raw(b"x" * 100_000)
            assert stranger.receive() is None


def test_a_flood_of_questions_does_not_slow_the_engine(mesh, witness):
    p0 = mesh["p0"]
    with Zmtp(control_port(p0), "DEALER", wire.identity(STRANGER)) as dealer:
        data = part(wire.frame(wire.HEARTBEAT, STRANGER, 1, 0, 1, [1]) * 500) * 300
        begin = time.monotonic()
        dealer.raw(data)
        p0.client.status()
        assert time.monotonic() - begin < 2.0


# ---- guests that know the mesh's settings --------------------------------------------------------


def fingerprint_of(node, absent):
    """From the HELLO that the node sends to a member that is not there: we answer in its place."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", absent.reservation.port))
        listener.listen()
        node.start()
        listener.settimeout(5.0)
        connection, _ = listener.accept()
    with Zmtp.over(connection, "ROUTER") as router:
        payload = b""
        while not payload:  # a sign of life, which may come first
            (payload,) = router.receive()
    return msgpack.unpackb(payload[4:])[5][2]


@pytest.mark.parametrize("which", ["epoch", "seen epoch"])
def test_an_epoch_that_nothing_can_follow(mesh_of, which):
    """A HELLO in a member's name with the last epoch of all must not shut that member out."""
    mesh = mesh_of(prefill=3)
    p0, p1, absent = mesh.nodes
    fingerprint = fingerprint_of(p0, absent)
    p1.start()
    wait_until(p1.answers, "p1 answers")
    mesh.wait_alive()
    p1.client.insert([1, 2, 3], [(0, 3)])
    mesh.wait_agree()
    id_of_p1 = wire.heads_of([p1])[0][1]
    epoch, seen = p1.client.status()["epoch"], 2**64 - 1
    if which == "epoch":
        epoch, seen = seen, epoch
    with Zmtp(control_port(p0), "DEALER", wire.identity(id_of_p1, 9)) as dealer:
        body = wire.hello(mesh.cluster, p1.addr, rank=1)
        body[wire.FINGERPRINT], body[wire.STANDING] = fingerprint, seen
        dealer.send(wire.frame(wire.HELLO, id_of_p1, epoch, 0, 1, body))
        wait_until(
            lambda: p0.client.status()["messages_malformed"]
            or p0.client.status()["counters"].get("malformed_frames")
            or p0.client.status()["counters"].get("epochs_begun")
            or p0.client.status()["counters"].get("epochs_outgrown"),
            "it has arrived",
        )
    mesh.wait_alive()
    mesh.wait_agree(10)
    assert p0.client.match_prefix([1, 2, 3]).depths == {p1.addr: 3}
    assert all(node.client.status()["epoch"] > 10**9 for node in mesh.running)


# ---- subscribers ---------------------------------------------------------------------------------


def test_a_subscriber_that_never_reads(mesh):
    p0 = mesh["p0"]
    with Witness(mesh, p0) as witness:
        deaf = Zmtp(wire.publish_port(p0), "SUB")
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.send(b"\x01")
        chance = random.Random("deaf")
        slowest = 0.0
        for i in range(1500):
            tokens = struct.pack("<I", 2**31 + i) + chance.randbytes(1000)
            begin = time.monotonic()
            p0.client.insert(tokens, [(0, 251)])
            slowest = max(slowest, time.monotonic() - begin)
            if i % 500 == 499:
                mesh.wait_agree()
        assert slowest < 1.0
        for i in range(1500):
            p0.client.delete([2**31 + i])
        picture = mesh.wait_agree()
        assert picture["digests"] == witness._picture["digests"]
        witness._picture = picture
        deaf.close()


def test_random_subscriptions(mesh, witness):
    chance = random.Random("topics")
    port = wire.publish_port(mesh["p0"])
    for _ in range(20):
        # Who comes right after one that was cut may be taken for it.
        with contextlib.suppress(ConnectionResetError), Zmtp(port, "SUB") as subscriber:
            for _ in range(50):
                subscriber.send(chance.choice((b"\0", b"\1", b"\2", b"")) + chance.randbytes(12))
            marker = b"\x01\xff" + chance.randbytes(8)
            subscriber.send(marker)
            subscriber.send(b"x", b"y", b"z")


def test_large_topics_do_not_take_memory_without_bound(mesh, witness):
    p0 = mesh["p0"]
    memory = p0.memory_bytes()
    chance = random.Random("large topics")
    with Zmtp(wire.publish_port(p0), "SUB") as subscriber:
        for _ in range(30):
            subscriber.send(b"\x01" + chance.randbytes(200_000))
        subscriber.send(b"\x01C")
        subscriber.receive()  # a HEAD: what was sent before was taken in; or None: it was cut
        assert p0.memory_bytes() - memory < 64 * 1024 * 1024
    p0.client.status()


def test_a_subscription_of_a_megabyte_that_goes_again(mesh, witness):
    """Removing it must not recurse once a byte."""
    with Zmtp(wire.publish_port(mesh["p0"]), "SUB") as subscriber:
        subscriber.send(b"\x01" + b"t" * 1_000_000)
        subscriber.send(b"\x01C")
        subscriber.receive()  # a HEAD: it was taken in; or None: it was cut
