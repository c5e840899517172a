"""Frames and messages, without a socket: bytes in, valid messages out, or an error.

    [length: 4 bytes, big-endian][length bytes of MessagePack]

PROTOCOL.md is the specification; this module is the client's half of its chapter "Transport".
"""

from __future__ import annotations

import struct
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Union

import msgpack

from .errors import FixRequest, RadixMeshError, ReportBug, SendLess, from_code

__all__ = [
    "DEPTH_MAX",
    "FRAME_BYTES_MAX",
    "FrameReader",
    "Message",
    "Notification",
    "PROTOCOL",
    "Response",
    "encode_request",
    "frame_end",
    "payload_of",
    "read_message",
]

PROTOCOL = 1
FRAME_BYTES_MAX = 16 * 1024 * 1024
DEPTH_MAX = 8  # arrays and maps around any value of a frame
ID_MAX = 2**32 - 1

_REQUEST, _RESPONSE, _NOTIFICATION = range(3)
_LENGTH = struct.Struct(">I")


class Response(NamedTuple):
    """`[1, id, error, result]`; `id` is None where the sidecar could not read the request."""

    id: Optional[int]
    error: Optional[RadixMeshError]
    result: Any


class Notification(NamedTuple):
    """`[2, method, params]`."""

    method: str
    params: Dict[Any, Any]


Message = Union[Response, Notification]


def encode_request(
    request_id: int, method: str, params: Dict[str, Any], frame_bytes_max: int = FRAME_BYTES_MAX
) -> bytes:
    """The frame of a request. SendLess if it is too large, FixRequest if it cannot be encoded.

    Refused here because the sidecar would cut the connection, and its leases, for such a frame.
    """
    try:
        # surrogateescape, here and in read_message: MessagePack strings need not be valid UTF-8,
        # and a namespace that another client chose must come back as it is.
        payload = msgpack.packb(
            [_REQUEST, request_id, method, params], unicode_errors="surrogateescape"
        )
    except (OverflowError, TypeError, ValueError) as error:
        raise FixRequest(f"{method} cannot be encoded: {error}") from error
    if len(payload) > frame_bytes_max:
        raise SendLess(
            f"{method} takes {len(payload)} bytes; a frame has at most {frame_bytes_max}"
        )
    return _LENGTH.pack(len(payload)) + payload


def frame_end(data: Union[bytes, bytearray], begin: int = 0) -> Optional[int]:
    """Where the frame ends that begins there, maybe behind the end of `data`. None where too little
    of it is there to know. Raises ReportBug for a length out of bounds."""
    if len(data) - begin < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(data, begin)
    if not 1 <= length <= FRAME_BYTES_MAX:
        raise ReportBug(
            f"the sidecar sent a frame of {length} bytes; 1 to {FRAME_BYTES_MAX} are right"
        )
    end: int = begin + _LENGTH.size + length
    return end


def payload_of(data: Union[bytes, bytearray], begin: int, end: int) -> bytes:
    """What the frame [begin, end) carries."""
    return bytes(memoryview(data)[begin + _LENGTH.size : end])


class FrameReader:
    """Cuts a stream of bytes into payloads.

    Holds at most one frame and what came in the same feed. An error leaves it unusable: where the
    next frame begins is not known then.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The payloads that `data` completes. Raises ReportBug for a length out of bounds.

        The bytes are taken at once, whether or not the iterator is used.
        """
        self._buffer += data
        return self._payloads()

    def _payloads(self) -> Iterator[bytes]:
        buffer = self._buffer
        while True:
            end = frame_end(buffer)
            if end is None or len(buffer) < end:
                return
            payload = payload_of(buffer, 0, end)
            del buffer[:end]
            yield payload


def read_message(payload: bytes) -> Message:
    """The message in a frame. Raises ReportBug if it is none."""
    try:
        # Without explicit bounds unpackb() takes the length of the payload for each declared
        # count, so that no more is reserved than could be there.
        value = msgpack.unpackb(payload, unicode_errors="surrogateescape")
    except (ValueError, TypeError, RecursionError) as error:
        raise ReportBug(f"the sidecar sent a frame that is no MessagePack: {error!r}") from error
    _check_depth(value)
    if not isinstance(value, list) or not value:
        raise ReportBug("the sidecar sent a frame that is no message")
    if value[0] == _RESPONSE and len(value) == 4:
        return _response(*value[1:])
    if value[0] == _NOTIFICATION and len(value) == 3:
        return _notification(*value[1:])
    raise ReportBug(f"the sidecar sent a message of kind {value[0]!r:.40} with {len(value)} parts")


def _check_depth(value: object) -> None:
    # Level by level, so that the depth of what is checked is no depth of calls here.
    level: List[Any] = [value]
    for _ in range(DEPTH_MAX):
        inner: List[Any] = []
        for parent in level:
            if type(parent) is list:
                inner += [item for item in parent if type(item) in (list, dict)]
            elif type(parent) is dict:
                inner += [item for item in parent.values() if type(item) in (list, dict)]
        if not inner:
            return
        level = inner
    raise ReportBug(f"the sidecar sent a frame nested more than {DEPTH_MAX} deep")


def _response(request_id: Any, error: Any, result: Any) -> Response:
    if request_id is None:
        if error is None:
            raise ReportBug("the sidecar answered without an id and without an error")
    elif type(request_id) is not int or not 0 <= request_id <= ID_MAX:
        raise ReportBug(f"the sidecar answered with the id {request_id!r:.40}")
    if error is None:
        return Response(request_id, None, result)
    is_pair = isinstance(error, list) and len(error) == 2
    if not is_pair or not all(isinstance(part, str) for part in error):
        raise ReportBug(f"the sidecar sent an error that is not [code, message]: {error!r:.80}")
    if result is not None:
        raise ReportBug("the sidecar sent an error and a result in one answer")
    return Response(request_id, from_code(*error), None)


def _notification(method: Any, params: Any) -> Notification:
    if not isinstance(method, str) or not isinstance(params, dict):
        raise ReportBug(f"the sidecar sent a notification without name or map: {method!r:.40}")
    return Notification(method, params)
