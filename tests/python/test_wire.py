"""The hex examples of WIRE.md, decoded without any of the project's code: the page is enough."""

import pathlib
import re
import struct

import msgpack
import pytest
import xxhash

PAGE = pathlib.Path(__file__).resolve().parents[2] / "lib" / "oplog" / "WIRE.md"
BYTES = re.compile(r"[0-9a-f]{2}(?: [0-9a-f]{2})*(?=  |$)")

P0, D0, R0 = "10.0.0.1:7000", "10.0.0.2:7000", "10.0.0.3:7000"
EPOCH_P0, EPOCH_D0, EPOCH_R0 = 1_760_000_000_000_000, 1_760_000_000_500_000, 1
PREFILL, DECODE, ROUTER = 0, 1, 3
ALIVE, SUSPECT = 0, 1
ANY_RANK = (1 << 32) - 1
PAGE_SIZE = 4
GLOBAL_REF = 2
SECOND = 1_000_000  # microseconds
TYPES = {
    "INSERT at the root": 1,
    "INSERT after an anchor": 1,
    "DELETE": 2,
    "RESET": 3,
    "GC_QUERY": 4,
    "GC_ABORT": 5,
    "HEAD": 64,
    "BOOKINGS": 83,
    "MARKER": 65,
    "HELLO": 66,
    "WELCOME": 67,
    "REFUSED": 68,
    "HEARTBEAT": 69,
    "HEARTBEAT_ACK": 70,
    "REPLAY_REQUEST": 71,
    "REPLAY": 72,
    "SNAPSHOT_REQUEST": 73,
    "SNAPSHOT_CHUNK": 74,
    "SNAPSHOT_CREDIT": 75,
    "PROBE_REQUEST": 76,
    "PROBE_REPORT": 77,
    "NEWS": 78,
    "TICK": 79,
    "TICK_ACK": 80,
    "JOIN": 81,
    "JOINED": 82,
    "REGISTER": 84,
    "REGISTERED": 85,
    "HOLD": 86,
    "HELD": 87,
}
OF_D0 = {"HELLO", "HEARTBEAT", "REPLAY_REQUEST", "SNAPSHOT_REQUEST", "SNAPSHOT_CREDIT"}
OF_D0 |= {"PROBE_REPORT", "NEWS", "TICK_ACK", "JOIN", "BOOKINGS", "REGISTER", "HOLD"}


def hex_examples():
    """{name: bytes} of the blocks under `<!-- hex: name -->`; what follows the hex is prose."""
    examples = {}
    blocks = re.findall(r"<!-- hex: (.+?) -->\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for name, block in blocks:
        lines = [BYTES.match(line) for line in block.splitlines()]
        assert all(lines), f"a line of '{name}' does not begin with hex"
        examples[name] = bytes.fromhex(" ".join(line.group() for line in lines))
    return examples


def unframe(data):
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    return msgpack.unpackb(data[4:], raw=False, strict_map_key=False)


def body(name):
    return unframe(hex_examples()[name])[5]


def node_id(addr, cluster="default"):
    return xxhash.xxh3_64_intdigest(cluster.encode() + b"\0" + addr.encode())


def unpack_tokens(packed, count):
    width, bits = packed[0], int.from_bytes(packed[1:], "little")
    assert 1 <= width <= 32 and len(packed) == 1 + (count * width + 7) // 8
    tokens = [bits >> (i * width) & ((1 << width) - 1) for i in range(count)]
    assert bits >> (count * width) == 0
    return tokens


def unpack_slots(packed):
    """The slots one by one."""
    numbers, value, shift = [], 0, 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    assert shift == 0 and len(numbers) % 2 == 0
    slots, end = [], 0
    for zigzag, length in zip(numbers[::2], numbers[1::2]):
        start = end + (zigzag >> 1 if zigzag % 2 == 0 else -(zigzag + 1 >> 1))
        end = start + length
        slots.extend(range(start, end))
    return slots


def pages(namespace, count, tokens, slots):
    return namespace, unpack_tokens(tokens, count), slots and unpack_slots(slots)


def hash_of_namespace(namespace):
    data = b""
    for part in namespace or [None] * 4:
        kind = 0 if part is None else 1 if isinstance(part, str) else 2
        value = b"" if part is None else part.encode() if kind == 1 else part
        data += bytes([kind]) + len(value).to_bytes(4, "little") + value
    return xxhash.xxh3_128_intdigest(data)


def hashes(namespace, tokens):
    """H(1), H(2), ... of the prefixes that end with each page."""
    out, last = [], hash_of_namespace(namespace)
    for begin in range(0, len(tokens), PAGE_SIZE):
        page = b"".join(t.to_bytes(4, "little") for t in tokens[begin : begin + PAGE_SIZE])
        last = xxhash.xxh3_128_intdigest(last.to_bytes(16, "little") + page)
        out.append(last)
    return out


def check_of(frame):
    """Of a frame without its length, in which each integer is as short as can be."""
    head = b"".join(msgpack.packb(field) for field in msgpack.unpackb(frame)[:4])
    ttl = 1 + len(head)
    assert frame[1:ttl] == head
    seed = xxhash.xxh3_64_intdigest(head)
    return xxhash.xxh3_64_intdigest(frame[ttl + 1 : -5], seed) & 0xFFFFFFFF


def test_the_page_has_the_examples_that_are_decoded_here():
    assert list(hex_examples()) == list(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_the_envelope(name):
    frame = hex_examples()[name]
    kind, origin, epoch, seq, ttl, content, check = unframe(frame)
    assert kind == TYPES[name]
    sender = (node_id(D0), EPOCH_D0) if name in OF_D0 else (node_id(P0), EPOCH_P0)
    assert (origin, epoch) == sender
    assert (seq > 0) == (kind < 64)
    assert ttl == 1
    assert isinstance(content, list)
    assert frame[-5] == 0xCE and check == check_of(frame[4:])


def test_insert_at_the_root():
    seq, tokens, *rest = body("INSERT at the root")
    assert (seq, tokens) == (0, 0)
    namespace, tokens, slots = pages(*rest)
    assert namespace == ["m", None, None, b"\1\2"]
    assert tokens == [1, 2, 3, 4, 300, 5, 6, 7]
    assert slots == [100, 101, 102, 103, 104, 105, 40, 41]


def test_insert_after_an_anchor():
    seq, tokens, *rest = body("INSERT after an anchor")
    assert (seq, tokens) == (1, 8)
    assert pages(*rest) == (None, [127_999, 0, 8, 9], [106, 107, 108, 109])


def test_delete_and_reset():
    assert body("DELETE") == [2, 12, 1, 8]
    assert body("RESET") == []


def digest_of_the_inserts():
    namespace, first, _ = pages(*body("INSERT at the root")[2:])
    _, second, _ = pages(*body("INSERT after an anchor")[2:])
    return (sum(hashes(namespace, first + second)) % (1 << 128)).to_bytes(16, "big")


def news_of_r0(refute, state):
    return [R0, 2, ROUTER, EPOCH_R0, refute, state]


def test_head():
    beat, head, digest, load, vector, refute, engine_token, taken_over, news, *rest = body("HEAD")
    assert (beat, head) == (7, 2)
    assert digest == digest_of_the_inserts()
    assert load == [3, 1, None, 12, 4096, None, 5]
    assert vector == [node_id(D0), EPOCH_D0, 5, node_id(R0), EPOCH_R0, 0]
    assert (refute, engine_token, taken_over) == (1, b"\xaa\xbb", [0, 0])
    assert news == [news_of_r0(0, SUSPECT)]
    assert rest == [True, 0, False, 3, 250_000, 1, 2]


def test_bookings():
    chunks = [node_id(P0), [0xC0, 0xC1]]
    pulls = [0, 512, 0]
    assert body("BOOKINGS") == [3, [node_id(P0), 2, 1, 700, 1500], chunks, pulls]


def test_marker():
    assert body("MARKER") == [[node_id(P0), EPOCH_P0, 2, node_id(D0), EPOCH_D0, 5]]


ENDPOINTS_P0, ENDPOINTS_D0 = ["10.0.0.1:7001", "10.0.0.1:7002"], ["10.0.0.2:7001", "10.0.0.2:7002"]
TEN_S = 10_000_000  # for so long references stand
NOTHING_KNOWN = [0, 0, ALIVE, [0, 0, b"", False], TEN_S, 0, 0]
NUMBERS_P0, NUMBERS_D0 = [7, 2, 0, 1, 70_000_000, 0, 2], [300, 5, 3, 0, 0, 0, 2]


@pytest.mark.parametrize(
    "name, who, knows",
    [
        ("HELLO", [D0, 1, DECODE, b"", *ENDPOINTS_D0, None, 0], NOTHING_KNOWN + NUMBERS_D0),
        (
            "WELCOME",
            [P0, 0, PREFILL, b"\xaa\xbb", *ENDPOINTS_P0, None, 1],
            [EPOCH_D0, 0, ALIVE, [1_759_000_000_000_000, 12, b"\xcc\xdd", True]]
            + [TEN_S, 0, 9_500_000, *NUMBERS_P0],
        ),
        (
            "JOIN",
            [D0, ANY_RANK, DECODE, b"", *ENDPOINTS_D0, None, 0],
            NOTHING_KNOWN + NUMBERS_D0,
        ),
    ],
)
def test_introductions(name, who, knows):
    protocol_min, protocol_max, fingerprint, cluster, page_size, *rest = body(name)
    assert (protocol_min, protocol_max, cluster, page_size) == (1, 1, "default", PAGE_SIZE)
    settings = cluster.encode() + b"\0" + page_size.to_bytes(4, "little")
    assert fingerprint == xxhash.xxh3_64_intdigest(settings)
    is_p0 = name == "WELCOME"
    assert rest == who + knows + [["", 0], is_p0, False, 50_000 if is_p0 else 0]


def test_refused_and_joined():
    assert body("REFUSED") == ["page_size differs: 4 here, 16 there"]
    assert body("JOINED") == [1, 2, [P0, EPOCH_P0]]


def test_heartbeats():
    of_p0 = [node_id(P0), EPOCH_P0, 2, digest_of_the_inserts()]
    beat, view_hash, *seen, load, digests, news = body("HEARTBEAT")
    assert seen == [EPOCH_P0, 1, ALIVE]
    assert load == [2, 0, 500, 96, 8192, None, 9]
    assert digests == [node_id(D0), EPOCH_D0, 5, bytes(16), *of_p0]
    assert news == []
    assert body("HEARTBEAT_ACK") == [
        *(beat, view_hash, EPOCH_D0, 0, ALIVE, None),
        of_p0,
        [news_of_r0(0, SUSPECT)],
    ]
    view = b""
    for addr, epoch, refute in [(P0, EPOCH_P0, 1), (D0, EPOCH_D0, 0), (R0, EPOCH_R0, 0)]:
        view += struct.pack("<QQI", node_id(addr), epoch, refute)
    assert (beat, view_hash) == (300, xxhash.xxh3_64_intdigest(view))


def test_probe_and_news():
    assert body("PROBE_REQUEST") == [node_id(R0)]
    assert body("PROBE_REPORT") == [node_id(R0), True]
    of_d0 = [D0, 1, DECODE, EPOCH_D0, 0, ALIVE]
    assert body("NEWS") == [[of_d0, news_of_r0(1, ALIVE)], True]


def test_tick():
    initiator, epoch, nonce, round_, hops_left, visited, skipped = body("TICK")
    assert (initiator, epoch, hops_left) == (node_id(P0), EPOCH_P0, 6)
    assert visited == [node_id(P0), EPOCH_P0, 1]
    assert skipped == [node_id(R0)]
    assert body("TICK_ACK") == [initiator, nonce, round_] == [node_id(P0), 4, 1]


def test_replay():
    assert body("REPLAY_REQUEST") == [node_id(P0), EPOCH_P0, 5, 5]
    reset = hex_examples()["RESET"]
    assert body("REPLAY") == [node_id(P0), EPOCH_P0, 0, reset]
    assert unframe(reset)[3] == 5


def test_snapshot():
    assert body("SNAPSHOT_REQUEST") == [node_id(P0), EPOCH_P0, 1, 9, True, b""]
    *chunk, anchors, entries, marks = body("SNAPSHOT_CHUNK")
    assert chunk == [node_id(P0), EPOCH_P0, 9, 1, 1, 4, True]
    assert anchors == [1, 8]
    ((seq, parent, begin, *rest, retires_after),) = entries
    assert (seq, parent, begin) == (4, 1, 4)
    assert pages(*rest) == (None, [5, 5, 5, 5], [110, 111, 112, 113])
    assert retires_after == begin  # all of it, as it lies below the page that the mark names
    assert marks == [parent, begin, True]
    assert body("SNAPSHOT_CREDIT") == [node_id(P0), 9, 2]


def test_what_retires():
    assert body("GC_QUERY") == body("GC_ABORT") == [1, 8]
    assert [unframe(hex_examples()[name])[3] for name in ("GC_QUERY", "GC_ABORT")] == [6, 7]


def test_registration():
    query = hex_examples()["GC_QUERY"]
    nonce, stamp, ends, epoch, applied, complete, anchors, registers = body("REGISTER")
    assert (nonce, stamp, ends, epoch, complete) == (3, SECOND, False, EPOCH_P0, True)
    assert applied == unframe(query)[3] == 6
    assert anchors == body("GC_QUERY")
    assert registers == [2, 12, 5]
    assert registers[2] % 2 == 1  # it refers to the page
    granted = [applied, GLOBAL_REF, 10 * SECOND]
    assert body("REGISTERED") == [nonce, stamp, *granted, registers]


def test_hold():
    number, lease, anchors = body("HOLD")
    assert (number, lease) == (4, 60 * SECOND)
    assert anchors == [2, 12, 1, 8]
    assert body("HELD") == [number, anchors[2:]]


def test_the_bounds_of_the_page_are_those_of_the_code():
    limits = (PAGE.parents[1] / "base" / "limits.h").read_text()
    stated = re.findall(r"`(\w+_max|\w+_chunks)` \(([\d,]+)(?: (MiB|KiB))?\)", PAGE.read_text())
    stated += re.findall(r"`(insert_tokens_max)`, ([\d,]+)()\)", PAGE.read_text())
    assert len(stated) >= 10
    for name, number, unit in stated:
        (value,) = re.findall(rf"\b{name} = ([^;]+);", limits)
        factor = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]
        assert eval(value.replace("u", "")) == int(number.replace(",", "")) * factor, name
