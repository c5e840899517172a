"""One connection's requests and answers, without a socket: ids, their order, and what fits what."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Generic, List, NamedTuple, Tuple, TypeVar, Union

from .errors import RadixMeshError, ReportBug
from .methods import Call
from .protocol import (
    FRAME_BYTES_MAX,
    ID_MAX,
    FrameReader,
    Notification,
    Response,
    encode_request,
    read_message,
)

__all__ = ["Answer", "Conversation"]

T = TypeVar("T")


class Answer(Generic[T]):
    """The answer to one call, not yet read: reading may raise, and concerns that call alone."""

    __slots__ = ("request_id", "call", "_response")

    def __init__(self, request_id: int, call: Call[T], response: Response) -> None:
        self.request_id = request_id
        self.call = call
        self._response = response

    def read(self) -> T:
        """The result, or the error that it is. ReportBug where it has the wrong shape."""
        if self._response.error is not None:
            raise self._response.error
        return self.call.read(self._response.result)


class _Asked(NamedTuple):
    request_id: int
    call: Call[Any]


class Conversation:
    """What was asked and not yet answered, in order: the sidecar answers in the order of requests.

    An error of `receive` means that the position in the stream is unknown: the connection must be
    closed, and this object dropped. An error of `ask` changes nothing.
    """

    def __init__(self) -> None:
        self.frame_bytes_max = FRAME_BYTES_MAX  # the sidecar's own bound, once hello told it
        self._frames = FrameReader()
        self._asked: Deque[_Asked] = deque()
        self._next_id = 0

    def ask(self, call: Call[Any]) -> Tuple[int, bytes]:
        """The id of the request and the frame to send. SendLess, FixRequest as encode_request."""
        request_id = self._next_id
        frame = encode_request(request_id, call.method, call.params, self.frame_bytes_max)
        self._next_id = (request_id + 1) & ID_MAX
        self._asked.append(_Asked(request_id, call))
        return request_id, frame

    def receive(self, data: bytes) -> List[Union[Answer[Any], Notification]]:
        """What `data` completes, in order.

        Raises ReportBug for what breaks the protocol, and the sidecar's error where it could not
        read what was sent (an error whose id is nil), for it closes the connection then.
        """
        return [self._match(read_message(payload)) for payload in self._frames.feed(data)]

    def _match(self, message: Union[Response, Notification]) -> Union[Answer[Any], Notification]:
        if isinstance(message, Notification):
            return message
        if message.id is None:
            assert isinstance(message.error, RadixMeshError)  # read_message saw to it
            raise message.error
        if not self._asked:
            raise ReportBug(f"the sidecar answered request {message.id}, but nothing was asked")
        asked = self._asked.popleft()
        if message.id != asked.request_id:
            raise ReportBug(
                f"the sidecar answered request {message.id} where {asked.request_id} was due"
            )
        return Answer(asked.request_id, asked.call, message)
