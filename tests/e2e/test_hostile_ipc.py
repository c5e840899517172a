"""Anything at all on the engine's socket: an error or a closed connection, never more than that."""

import random
import socket
import struct
import threading
import time

import msgpack
import pytest

import radixmesh
from loopback import wait_until
from raw_ipc import RawClient, Refused, frame, request
from witness import ANSWER_S_MAX, Witness

TOKENS_MAX = 1_048_576
FRAME_BYTES_MAX = 16 * 1024 * 1024
HELD = list(range(1, 200))


@pytest.fixture(scope="module")
def mesh(module_mesh_of):
    mesh = module_mesh_of(prefill=1, decode=1, router=1).start()
    mesh.wait_alive()
    for name, start in (("p0", 0), ("d0", 5)):
        mesh[name].client.insert(HELD, [(start, len(HELD))])
        mesh[name].client.insert(HELD[:50], [(start, 50)], "tenant")
    return mesh


@pytest.fixture(params=["p0", "r0"])
def node(mesh, request):
    """The attacked node, within a witness: a holder, and a router."""
    with Witness(mesh, mesh[request.param]):
        yield mesh[request.param]


@pytest.fixture
def holder(mesh):
    with Witness(mesh, mesh["p0"]):
        yield mesh["p0"]


def bare(payload):
    return frame(payload)


NESTED_100 = b"\x91" * 100 + b"\xc0"
BROKEN = {
    "length 0": struct.pack(">I", 0),
    "length 2^31": struct.pack(">I", 2**31) + b"x" * 100,
    "length 2^32 - 1": b"\xff" * 4,
    "length one above the bound": struct.pack(">I", FRAME_BYTES_MAX + 1),
    "no MessagePack": bare(b"\xc1"),
    "a value that ends too early": bare(b"\x94\x00\x01"),
    "two values": bare(request("status")[4:] + b"\xc0"),
    "arrays 100 deep": bare(NESTED_100),
    "arrays 100 deep as a parameter": bare(b"\x94\x00\x01\xa6status\x81\xa1x" + NESTED_100),
    "an array of 2^32 - 1": bare(b"\xdd\xff\xff\xff\xff"),
    "a map of 2^32 - 1": bare(b"\x94\x00\x01\xa6status\xdf\xff\xff\xff\xff"),
    "a text of 2^32 - 1": bare(b"\x94\x00\x01\xdb\xff\xff\xff\xff"),
    "an extension type": bare(b"\x94\x00\x01\xa6status\x81\xa1x\xd4\x01\x00"),
    "10 MB of nils": bare(b"\xc0" * 10_000_000),
    "an array of 10 M nils": bare(b"\xdd" + struct.pack(">I", 10_000_000) + b"\xc0" * 10_000_000),
    "nil": bare(b"\xc0"),
    "a map": bare(b"\x80"),
    "three parts": bare(msgpack.packb([0, 1, "status"])),
    "five parts": bare(msgpack.packb([0, 1, "status", {}, {}])),
    "a response": bare(msgpack.packb([1, 1, None, {}])),
    "a notification": bare(msgpack.packb([2, "op", {}])),
    "a negative id": request("status", {}, -1),
    "an id of 2^32": request("status", {}, 2**32),
    "an id that is text": request("status", {}, "1"),
    "a method that is a number": request(7),
    "a method that is binary": request(b"status"),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_frame_is_answered_and_the_connection_closed(node, what):
    with RawClient(node.socket) as client:
        client.send(BROKEN[what])
        answer = client.receive()
        if answer is not None:  # else it was cut with unread bytes, which takes the answer along
            kind, call_id, (code, message), result = answer
            assert (kind, call_id, code, result) == (1, None, "fix_request", None)
            assert message
            assert client.receive() is None


def test_random_garbage(node):
    chance = random.Random("garbage")
    for _ in range(150):
        with RawClient(node.socket) as client:
            body = chance.randbytes(chance.randrange(0, 2000))
            client.send(chance.choice((body, frame(body or b"\xc0"))))


def test_mutated_requests(holder):
    """Flipped bytes in otherwise good requests that read only; a good id may still be answered."""
    chance = random.Random("mutated")
    good = [
        request("match_prefix", {"tokens": HELD, "namespace": [None, "a", b"b", "c"]}),
        request("route", {"tokens": struct.pack("<3I", 1, 2, 3), "book": False}),
        request("tree", {"holder": "127.0.0.1:1", "skip": 0, "limit": 3}),
        request("subscribe", {"events": ["op"]}),
        request("hello", {"protocol": [1, 1], "client": "c"}),
    ]
    for _ in range(400):
        data = bytearray(chance.choice(good))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with RawClient(holder.socket) as client:
            client.send(bytes(data))


def test_frames_that_break_off(node):
    whole = request("match_prefix", {"tokens": HELD})
    for length in range(0, len(whole), 7):
        with RawClient(node.socket) as client:
            client.send(whole[:length])
    with RawClient(node.socket) as client:
        client.send(struct.pack(">I", FRAME_BYTES_MAX) + b"\x94" * 1_000_000)


def test_a_frame_byte_by_byte(node):
    with RawClient(node.socket) as client:
        for byte in request("status"):
            client.send(bytes([byte]))
        assert client.receive()[2] is None


SOME_TOKENS = struct.pack("<4I", 9, 8, 7, 6)
GOOD_PARAMS = {
    "hello": {"protocol": [1, 1], "client": "e2e", "engine_token": b"t"},
    "insert": {"tokens": SOME_TOKENS, "slots": [[0, 4]], "namespace": None},
    "match_prefix": {"tokens": SOME_TOKENS, "namespace": None, "touch": True},
    "acquire": {"tokens": SOME_TOKENS, "namespace": None},
    "release": {"lease": 1},
    "evict": {"num_tokens": 0},
    "delete": {"tokens": SOME_TOKENS, "namespace": None},
    "reset": {},
    "route": {"tokens": SOME_TOKENS, "namespace": None, "book": False},
    "report_load": {
        "running": 1,
        "waiting": 1,
        "queued_tokens": 1,
        "kv_used": 1,
        "kv_total": 1,
        "prefill_rate": 1,
    },
    "redirect": {"tokens": SOME_TOKENS, "namespace": None, "visited": ["10.0.0.1:1"]},
    "explain": {"tokens": SOME_TOKENS, "namespace": None},
    "prefill_done": {"booking": 1, "hit_tokens": 1},
    "finish": {"booking": 1},
    "finish_warm_up": {},
    "status": {},
    "nodes": {},
    "tree": {"holder": "127.0.0.1:1", "skip": 0, "limit": 10},
    "subscribe": {"events": ["membership"]},
}
OF_ANY_TYPE = [True, -1, 1.5, 2**64 - 1, "text", b"bin", [], [None], [[]], {}, {"a": 1}, ["x", 1]]
FITS = {
    "client": (str,),
    "engine_token": (bytes,),
    "book": (bool,),
    "touch": (bool,),
    "holder": (str,),
    "num_tokens": (int,),
    "skip": (int,),
    "lease": (int,),
    "queued_tokens": (int,),
    "kv_total": (int,),
    "prefill_rate": (int,),
    "booking": (int,),
}


@pytest.mark.parametrize("method", GOOD_PARAMS)
def test_a_parameter_of_a_wrong_type_is_refused_by_name(holder, method):
    with RawClient(holder.socket) as client:
        for name in GOOD_PARAMS[method]:
            for value in OF_ANY_TYPE:
                kinds = FITS.get(name, ())
                fits = type(value) in kinds and value != -1
                empty = name in ("tokens", "visited") and value == []
                if fits or empty or (name == "tokens" and value == b""):
                    continue
                with pytest.raises(Refused) as refused:
                    client.call(method, {**GOOD_PARAMS[method], name: value})
                assert refused.value.code in ("fix_request", "send_less"), (name, value)
        with pytest.raises(Refused, match="unknown parameter: tokenz"):
            client.call(method, {**GOOD_PARAMS[method], "tokenz": 1})
        for params in ([], None, "x", 1):
            client.send(frame(msgpack.packb([0, 5, method, params])))
            _, call_id, (code, _), _ = client.receive()
            assert (call_id, code) == (5, "fix_request")
        client.send(frame(msgpack.packb([0, 6, method, {1: 2}])))
        assert client.receive()[2][0] == "fix_request"


def test_an_unknown_method(node):
    with RawClient(node.socket) as client:
        for method in ("", "insertt", "collect", "x" * 10_000, "\0"):
            with pytest.raises(Refused) as refused:
                client.call(method)
            assert refused.value.code == "upgrade"
            assert len(refused.value.message) < 200
        client.call("status")


TOO_MANY = struct.pack(f"<{TOKENS_MAX + 1}I", *range(TOKENS_MAX + 1))
BAD_INSERTS = {
    "one token too many": ({"tokens": TOO_MANY, "slots": [[0, TOKENS_MAX + 1]]}, "send_less"),
    "too many, as integers": (
        {"tokens": [7] * (TOKENS_MAX + 1), "slots": [[0, TOKENS_MAX + 1]]},
        "send_less",
    ),
    "part of a token": ({"tokens": b"\1\0\0", "slots": [[0, 1]]}, "fix_request"),
    "a token of 2^32": ({"tokens": [2**32], "slots": [[0, 1]]}, "fix_request"),
    "a token below 0": ({"tokens": [-1], "slots": [[0, 1]]}, "fix_request"),
    "too few slots": ({"tokens": SOME_TOKENS, "slots": [[0, 3]]}, "fix_request"),
    "too many slots": ({"tokens": SOME_TOKENS, "slots": [[0, 5]]}, "fix_request"),
    "no slots": ({"tokens": SOME_TOKENS, "slots": []}, "fix_request"),
    "a run of 0": ({"tokens": SOME_TOKENS, "slots": [[0, 0], [0, 4]]}, "fix_request"),
    "a run past 2^64": ({"tokens": SOME_TOKENS, "slots": [[2**64 - 2, 4]]}, "fix_request"),
    "a run of 2^64 - 1": ({"tokens": SOME_TOKENS, "slots": [[0, 2**64 - 1]]}, "send_less"),
    "runs that sum to 2^64": (
        {"tokens": SOME_TOKENS, "slots": [[0, 2**63], [0, 2**63], [0, 4]]},
        "send_less",
    ),
    "a run of three": ({"tokens": SOME_TOKENS, "slots": [[0, 4, 1]]}, "fix_request"),
    "a negative start": ({"tokens": SOME_TOKENS, "slots": [[-1, 4]]}, "fix_request"),
    "integers": ({"tokens": SOME_TOKENS, "slots": [0, 1, 2, 3]}, "fix_request"),
    "slots missing": ({"tokens": SOME_TOKENS}, "fix_request"),
    "tokens missing": ({"slots": [[0, 4]]}, "fix_request"),
}
BAD_NAMESPACES = [[], [None] * 3, [None] * 5, [1, None, None, None], ["x" * 1025, None, None, None]]
BAD_NAMESPACES += ["x", {}, [[], None, None, None], [None, b"x" * 1025, None, None]]


@pytest.mark.parametrize("what", BAD_INSERTS)
def test_an_insert_that_breaks_a_rule(holder, what):
    params, code = BAD_INSERTS[what]
    with RawClient(holder.socket) as client:
        with pytest.raises(Refused) as refused:
            client.call("insert", params)
        assert refused.value.code == code
        client.call("status")


def test_namespaces_of_wrong_shapes(holder):
    with RawClient(holder.socket) as client:
        for namespace in BAD_NAMESPACES:
            for method in ("insert", "match_prefix", "acquire", "delete", "route"):
                params = {**GOOD_PARAMS[method], "namespace": namespace}
                with pytest.raises(Refused) as refused:
                    client.call(method, params)
                assert refused.value.code == "fix_request"


def test_bounds_of_other_parameters(holder):
    with RawClient(holder.socket) as client:
        for method, params in (
            ("tree", {"limit": 10_001}),
            ("report_load", {**GOOD_PARAMS["report_load"], "running": 2**32}),
            ("report_load", {**GOOD_PARAMS["report_load"], "kv_used": 2}),
            ("hello", {"engine_token": b"x" * 65}),
            ("hello", {"client": "x" * 257}),
            ("hello", {"protocol": [2, 1]}),
            ("hello", {"protocol": [2, 9]}),
            ("subscribe", {"events": ["op", "weather"]}),
            ("subscribe", {"events": ["op"] * 17}),
            ("prefill_done", {"booking": 1, "hit_tokens": 2**20 + 1}),
            ("report_load", {**GOOD_PARAMS["report_load"], "prefill_rate": 0}),
            ("redirect", {"tokens": SOME_TOKENS, "visited": ["x"] * 1025}),
            ("tree", {"holder": "nobody:1"}),
            ("release", {"lease": 2**64 - 1}),
        ):
            with pytest.raises(Refused):
                client.call(method, params)
        assert client.call("tree", {"skip": 2**64 - 1})["edges"] == []
        assert client.call("evict", {"num_tokens": 0}) == {"freed": [], "retiring": 0}


def test_the_largest_insert_is_taken_and_can_go(mesh):
    p0 = mesh["p0"]
    with Witness(mesh, p0) as witness:
        tokens = struct.pack(f"<{TOKENS_MAX}I", *range(10**6, 10**6 + TOKENS_MAX))
        assert p0.client.insert(tokens, [(0, TOKENS_MAX)]).stored == TOKENS_MAX
        mesh.wait_agree()
        assert mesh["r0"].client.match_prefix(tokens).length == TOKENS_MAX
        p0.client.delete(tokens[:4])
        mesh.wait_agree()
        # Only the numbers have moved on.
        assert mesh.picture(p0)["digests"] == witness._picture["digests"]
        witness._picture = mesh.wait_agree()


def test_10000_requests_before_the_first_answer_is_read(node):
    with RawClient(node.socket) as client:
        data = b"".join(request("match_prefix", {"tokens": HELD}, i) for i in range(10_000))
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        begin = time.monotonic()
        with node.connect() as good:
            good.status()
        assert time.monotonic() - begin < ANSWER_S_MAX
        for i in range(10_000):
            _, call_id, error, result = client.receive()
            assert (call_id, error, result["length"]) == (i, None, len(HELD))
        sender.join()


def test_requests_without_end_and_nobody_who_reads(node):
    """Not read from any more once the answers pile up; the others do not notice."""
    client = RawClient(node.socket, timeout_s=0.5)
    data = b"".join(request("status", {}, i) for i in range(1000))
    sent = 0
    try:
        while sent < 200 * len(data):
            sent += client.socket.send(data)
    except (socket.timeout, BrokenPipeError, ConnectionResetError):
        pass
    begin = time.monotonic()
    node.client.status()
    assert time.monotonic() - begin < ANSWER_S_MAX
    client.close()


def test_a_subscriber_that_never_reads(mesh):
    p0, d0 = mesh["p0"], mesh["d0"]
    with RawClient(p0.socket) as deaf:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.call("subscribe", {"events": ["op", "membership"]})
        slowest = 0.0
        memory = p0.memory_bytes()
        for i in range(3000):
            begin = time.monotonic()
            p0.client.insert([2**31 + i % 50, i], [(i, 2)])
            slowest = max(slowest, time.monotonic() - begin)
        assert slowest < ANSWER_S_MAX
        assert p0.memory_bytes() - memory < 100 * 1024 * 1024
        mesh.wait_agree()
        assert d0.client.match_prefix([2**31, 0]).depths == {p0.addr: 2}
    for i in range(50):
        p0.client.delete([2**31 + i])
    mesh.wait_agree()


def test_300_connections(node):
    """More than clients_max: the later ones wait until others go; who is in is served."""
    clients = []
    try:
        for _ in range(300):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            clients.append(client)
            client.setblocking(False)
            try:
                client.connect(node.socket)
            except BlockingIOError:
                pass  # the queue is full as well
        begin = time.monotonic()
        node.client.status()
        assert time.monotonic() - begin < ANSWER_S_MAX
        cpu = node.cpu_seconds()
        begin = time.monotonic()
        wait_until(lambda: time.monotonic() - begin > 0.5, "half a second")
        assert node.cpu_seconds() - cpu < 0.25, "a full house is no reason to spin"
    finally:
        for client in clients:
            client.close()
    with node.connect() as later:
        later.status()


def test_half_open_connections(node):
    """Who has nothing more to say still gets the answers to what it asked."""
    with RawClient(node.socket) as client:
        client.send(request("status", {}, 1) + request("nodes", {}, 2))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive()[1] == 1
        assert client.receive()[1] == 2
        assert client.receive() is None


def test_a_half_open_connection_gets_all_its_answers(node):
    with RawClient(node.socket) as client:
        client.send(b"".join(request("status", {}, i) for i in range(300)))
        client.socket.shutdown(socket.SHUT_WR)
        answers = [client.receive() for _ in range(300)]
        assert [answer and answer[1] for answer in answers] == list(range(300))


def test_connections_that_come_and_go(node):
    before = node.descriptors()
    for _ in range(1000):
        with RawClient(node.socket) as client:
            client.send(b"\0")
    wait_until(lambda: node.descriptors() <= before + 2, "all descriptors are back")


def test_a_lease_that_is_another_ones(holder):
    with RawClient(holder.socket) as one, RawClient(holder.socket) as other:
        lease = one.call("acquire", {"tokens": HELD})["lease"]
        with pytest.raises(Refused) as refused:
            other.call("release", {"lease": lease})
        assert refused.value.code == "fix_request"
        one.call("release", {"lease": lease})
        with pytest.raises(Refused):
            one.call("release", {"lease": lease})
    assert holder.client.status()["protected_tokens"] == 0


def test_leases_are_bounded(holder):
    limits = holder.client.info.limits
    with RawClient(holder.socket) as client:
        count = limits.leases_max
        data = b"".join(request("acquire", {"tokens": b""}, i) for i in range(count + 1))
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        answers = [client.receive() for _ in range(count + 1)]
        sender.join()
        assert all(error is None for _, _, error, _ in answers[:-1])
        assert answers[-1][2][0] == "send_less"
    with pytest.raises(radixmesh.RadixMeshError):
        holder.client.tree("nobody:1")
