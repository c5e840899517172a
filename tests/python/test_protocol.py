"""Frames and messages without a socket: what is let in, and what each breach is called."""

import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixmesh import (
    FixRequest,
    RadixMeshError,
    ReportBug,
    RetryLater,
    SendLess,
    UseAnotherNode,
)
from radixmesh.conversation import Answer, Conversation
from radixmesh.methods import Call
from radixmesh.protocol import (
    DEPTH_MAX,
    FRAME_BYTES_MAX,
    FrameReader,
    Notification,
    Response,
    encode_request,
    read_message,
)


def framed(payload):
    return struct.pack(">I", len(payload)) + payload


def pack(value):
    return framed(msgpack.packb(value))


def nested(depth, inside=None):
    """`inside` within that many arrays."""
    for _ in range(depth):
        inside = [inside]
    return inside


def ask(conversation, method="status"):
    return conversation.ask(Call(method, {}, lambda value: value))[0]


# Frames


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.data())
def test_frames_come_out_whole_however_the_stream_is_cut(payloads, data):
    stream = b"".join(map(framed, payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader, found = FrameReader(), []
    for begin, end in zip([0] + cuts, cuts + [len(stream)]):
        found += reader.feed(stream[begin:end])
    assert found == payloads


def test_a_frame_of_the_largest_size_is_let_in():
    payload = bytes(FRAME_BYTES_MAX)
    assert list(FrameReader().feed(framed(payload))) == [payload]


@pytest.mark.parametrize("length", [0, FRAME_BYTES_MAX + 1, 2**32 - 1])
def test_a_length_out_of_bounds_is_refused_before_its_payload_comes(length):
    with pytest.raises(ReportBug, match=f"frame of {length} bytes"):
        list(FrameReader().feed(struct.pack(">I", length)))


# Messages


def test_the_kinds_of_messages():
    assert read_message(msgpack.packb([1, 7, None, {"a": 1}])) == Response(7, None, {"a": 1})
    assert read_message(msgpack.packb([2, "op", {"seq": 1}])) == Notification("op", {"seq": 1})
    response = read_message(msgpack.packb([1, 2**32 - 1, ["retry_later", "locked"], None]))
    assert response.id == 2**32 - 1
    assert isinstance(response.error, RetryLater) and response.error.message == "locked"


@pytest.mark.parametrize(
    "payload",
    [
        b"\xc1",  # the one byte without a meaning
        b"\x94\x01",  # ends too early
        msgpack.packb([1, 0, None, {}]) + b"\x00",  # a second value
        b"\xdd\xff\xff\xff\xff",  # four billion items declared, none there
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 3000 + b"\xc0",  # deeper than the decoder goes
        b"\x91" * 1_000_000,
        b"\x94\x01\x00\xc0\x81\x90\xc0",  # an array as key
        b"\x94\x01\x00\xc0\xd6\xff\x00\x00\x00",  # a timestamp cut short
    ],
    ids=lambda payload: payload[:8].hex(),
)
def test_what_is_no_messagepack_is_refused(payload):
    with pytest.raises(ReportBug, match="no MessagePack"):
        read_message(payload)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        {},
        [],
        [0, 1, "status", {}],
        [3, 1, None, {}],
        [1, 0, None],
        [1, 0, None, {}, {}],
        [1, None, None, {}],
        [1, -1, None, {}],
        [1, 2**32, None, {}],
        [1, True, None, {}],
        [1, "0", None, {}],
        [1, 0, "fix_request", None],
        [1, 0, ["fix_request"], None],
        [1, 0, ["fix_request", 5], None],
        [1, 0, [5, "m"], None],
        [1, 0, ["fix_request", "m"], {}],
        [2, "op"],
        [2, 5, {}],
        [2, "op", []],
    ],
    ids=repr,
)
def test_what_is_no_message_is_refused(value):
    with pytest.raises(ReportBug):
        read_message(msgpack.packb(value))


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: {"a": v}])
def test_nesting_is_let_in_up_to_the_bound(wrap):
    outside = msgpack.packb(wrap(1)) != msgpack.packb(1)
    room = DEPTH_MAX - 1 - outside  # one for the message
    read_message(msgpack.packb([1, 0, None, wrap(nested(room))]))
    with pytest.raises(ReportBug, match="nested more than 8 deep"):
        read_message(msgpack.packb([1, 0, None, wrap(nested(room + 1))]))


def test_strings_that_are_no_utf8_come_back_as_they_went():
    text = b"\xff\xfe".decode(errors="surrogateescape")
    request = encode_request(0, "match_prefix", {"namespace": [text]})
    assert b"\xa2\xff\xfe" in request
    assert read_message(b"\x94\x01\x00\xc0\xa2\xff\xfe").result == text


@given(st.binary(max_size=60))
def test_garbage_ends_in_a_message_or_in_that_one_error(payload):
    try:
        read_message(payload)
    except ReportBug:
        pass


# Requests


def test_a_request_byte_by_byte():
    expected = b"\x00\x00\x00\x0b" + b"\x94\x00\x05" + b"\xa6status" + b"\x80"
    assert encode_request(5, "status", {}) == expected


def test_a_request_as_large_as_a_frame_passes_and_one_byte_more_does_not():
    bound = len(encode_request(0, "insert", {"tokens": bytes(1000)})) - 4
    encode_request(0, "insert", {"tokens": bytes(1000)}, bound)
    with pytest.raises(SendLess, match=f"{bound + 1} bytes; a frame has at most {bound}"):
        encode_request(0, "insert", {"tokens": bytes(1001)}, bound)


def test_what_messagepack_cannot_say_is_refused():
    with pytest.raises(FixRequest):
        encode_request(0, "subscribe", {"events": [object()]})


# A connection's worth of them


def test_answers_fit_their_calls_in_order_and_notifications_come_between():
    conversation = Conversation()
    first, second = ask(conversation), ask(conversation)
    stream = pack([1, first, None, 10]) + pack([2, "op", {}]) + pack([1, second, None, 20])
    a, note, b = conversation.receive(stream)
    assert (a.read(), note, b.read()) == (10, Notification("op", {}), 20)


def test_many_notifications_in_one_read_and_one_in_many_reads():
    conversation = Conversation()
    stream = b"".join(pack([2, "op", {"seq": seq}]) for seq in range(100))
    assert [n.params["seq"] for n in conversation.receive(stream)] == list(range(100))
    single = pack([2, "membership", {"addr": "a:1"}])
    pieces = [conversation.receive(single[i : i + 1]) for i in range(len(single))]
    assert [len(piece) for piece in pieces] == [0] * (len(single) - 1) + [1]


def test_an_answer_to_another_request_breaks_the_connection():
    conversation = Conversation()
    first, second = ask(conversation), ask(conversation)
    with pytest.raises(ReportBug, match=f"answered request {second} where {first} was due"):
        conversation.receive(pack([1, second, None, None]))


def test_an_answer_to_nothing_breaks_the_connection():
    with pytest.raises(ReportBug, match="nothing was asked"):
        Conversation().receive(pack([1, 0, None, None]))


def test_an_error_without_id_breaks_the_connection_and_keeps_its_code():
    conversation = Conversation()
    ask(conversation)
    with pytest.raises(FixRequest, match="nested too deep"):
        conversation.receive(pack([1, None, ["fix_request", "nested too deep"], None]))


def test_ids_go_around_at_32_bits():
    conversation = Conversation()
    conversation._next_id = 2**32 - 1
    assert [ask(conversation), ask(conversation)] == [2**32 - 1, 0]


def test_a_request_that_cannot_be_sent_is_not_waited_for():
    conversation = Conversation()
    conversation.frame_bytes_max = 10
    with pytest.raises(SendLess):
        ask(conversation)
    conversation.frame_bytes_max = 100
    request_id = ask(conversation)
    (answer,) = conversation.receive(pack([1, request_id, None, 1]))
    assert isinstance(answer, Answer) and answer.read() == 1


@pytest.mark.parametrize(
    "code,kind", [("use_another_node", UseAnotherNode), ("report_bug", ReportBug)]
)
def test_errors_concern_their_call_alone(code, kind):
    conversation = Conversation()
    request_id = ask(conversation)
    (answer,) = conversation.receive(pack([1, request_id, [code, "why"], None]))
    with pytest.raises(kind, match="why") as caught:
        answer.read()
    assert caught.value.code == code


def test_codes_of_the_future_become_the_base_class():
    conversation = Conversation()
    request_id = ask(conversation)
    (answer,) = conversation.receive(pack([1, request_id, ["pay_first", "why"], None]))
    with pytest.raises(RadixMeshError) as caught:
        answer.read()
    assert type(caught.value) is RadixMeshError
    assert (caught.value.code, caught.value.message) == ("pay_first", "why")
