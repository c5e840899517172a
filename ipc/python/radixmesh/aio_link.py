"""The asyncio transport: calls of many tasks share one connection and are answered in their order.

What is sent, and when, does not hang on the task that asked: a request is handed to the transport
in one step, without a wait, when its turn has come, and a task only waits for its answer.

    gives back (release, finish, ...)   at once, always
    small                               at once, as long as few bytes wait
    the rest, such as long prompts      one after the other, each when the one before it has left

So a small request waits for the rest of one large one at most, as there is one stream, and never
for those that have not begun; and giving back waits for nobody's turn. What may wait to be sent is
bounded: by one large request, SMALL_BYTES_MAX of small ones, a release for each lease, and a finish
and a prefill_done for each booking that was given.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Deque, Dict, Generic, Optional, TypeVar

from .conversation import Answer, Conversation
from .endpoint import CONNECT_RETRY_S, Endpoint
from .errors import ConnectionLost, RadixMeshError, Timeout
from .forking import tell_in_children
from .lives import Leases
from .methods import Call
from .protocol import Notification

__all__ = ["Asked", "Link"]

T = TypeVar("T")

# Of one small request, and of all of them that wait to be sent: a few thousand calls.
SMALL_BYTES = 16 * 1024
SMALL_BYTES_MAX = 1024 * 1024

# Notifications that were read and not yet taken; from there on they wait in the socket.
NOTES_MAX = 256


class Asked(Generic[T]):
    """A call that was made, sent or in line for it. `answer` is for one task, and cancelled where
    that has given it up: from the cancelling on, which is before the task itself runs again."""

    __slots__ = ("call", "answer", "timer", "sent")

    def __init__(self, call: Call[T], answer: asyncio.Future[Answer[T]]) -> None:
        self.call = call
        self.answer = answer
        self.timer: Optional[asyncio.TimerHandle] = None
        self.sent = False


class Link(asyncio.Protocol):
    """A connection.

    A call whose task is cancelled leaves the link in order. If it was not sent yet it never is;
    else its answer is dropped when it comes, and what it did is undone where that matters (a lease,
    a booking). A call that was sent and runs into its deadline closes the link, also if its task is
    gone: answers come in order, so none can be expected behind it either.
    """

    def __init__(self, timeout_s: Optional[float], keeps_notes: bool = False) -> None:
        self.conversation = Conversation()
        self.leases: Leases = {}  # those that it holds
        self.broken = asyncio.get_running_loop().create_future()  # done once it is closed
        self.notes: Deque[Notification] = deque()
        self._keeps_notes = keeps_notes
        self._noted: Optional[asyncio.Future[None]] = None
        self._timeout_s = timeout_s
        self._transport: Optional[asyncio.Transport] = None
        self._disconnected = asyncio.get_running_loop().create_future()
        self._asked: Dict[int, Asked[Any]] = {}  # sent and not answered
        self._giving: Dict[object, Asked[Any]] = {}  # those of them that give something back
        self._line: Deque[Asked[Any]] = deque()  # not sent
        self._paused = False
        self._small_bytes = 0  # of small requests that were sent since the transport was full
        self._closed: Optional[str] = None  # why
        self._error: Optional[RadixMeshError] = None
        tell_in_children(self)

    @classmethod
    async def open(cls, endpoint: Endpoint, keeps_notes: bool = False) -> Link:
        """Connects; waits without a limit of its own where the sidecar's queue is full."""
        # Not create_unix_connection(path): on a full queue asyncio waits for the socket to become
        # writable, which it is already, and takes that for a connection.
        connection = endpoint.try_connect()
        while connection is None:
            await asyncio.sleep(CONNECT_RETRY_S)
            connection = endpoint.try_connect()
        try:
            _, link = await asyncio.get_running_loop().create_unix_connection(
                lambda: cls(endpoint.timeout_s, keeps_notes), sock=connection
            )
        except BaseException:
            connection.close()
            raise
        return link

    @property
    def frame_bytes_max(self) -> int:
        return self.conversation.frame_bytes_max

    @frame_bytes_max.setter
    def frame_bytes_max(self, value: int) -> None:
        self.conversation.frame_bytes_max = value

    @property
    def closed(self) -> bool:
        return self._closed is not None

    @property
    def reason(self) -> str:
        """Why it is closed."""
        return self._closed or "it is open"

    async def call(self, call: Call[T]) -> T:
        return await self.answer(self.submit(call))

    def submit(self, call: Call[T]) -> Asked[T]:
        """Sends the call, or puts it in line. Errors are those of a call that cannot be sent."""
        self.refuse_if_closed()
        loop = asyncio.get_running_loop()
        said = self._giving.get(_key(call)) if call.gives_back else None
        if said is not None and said.answer.cancelled():
            # On its way already, and its task is gone: more of the same would not help.
            said.answer = loop.create_future()
            return said
        asked: Asked[T] = Asked(call, loop.create_future())
        if call.gives_back or not self._paused or self._is_small(call):
            self._send(asked)
        else:
            self._line.append(asked)
        if self._timeout_s is not None:
            asked.timer = loop.call_later(self._timeout_s, self._expire, asked)
        return asked

    async def answer(self, asked: Asked[T]) -> T:
        """What it was answered. Being cancelled gives the call up."""
        try:
            answer = await asked.answer
        except asyncio.CancelledError:
            self._give_up(asked)
            raise
        return answer.read()

    async def wait_note(self) -> bool:
        """Until there is a notification; False where there is none any more, as it was closed. For
        one task at a time."""
        while not self.notes:
            if self._closed is not None:
                return False
            self._noted = asyncio.get_running_loop().create_future()
            self._flow()
            await self._noted
        return True

    async def close(self) -> None:
        """Ends the link and the calls that wait in other tasks. Closing twice is no error."""
        self.shut("it was closed by this client")
        if not self._disconnected.done():  # in a child it is of a loop that does not run
            await asyncio.wait({self._disconnected})

    def shut(self, reason: str, error: Optional[RadixMeshError] = None) -> None:
        """Closes for `reason`. The oldest call gets `error`, which may be its own; all others
        ConnectionLost."""
        if self._closed is not None:
            return
        self._closed, self._error = reason, error
        if self._transport is not None:
            # Not close(), which would first wait until a sidecar that does not read has read all.
            self._transport.abort()
        waiting = [*self._asked.values(), *self._line]
        self._asked.clear()
        self._giving.clear()
        self._line.clear()
        for asked in waiting:
            if asked.timer is not None:
                asked.timer.cancel()
            if not asked.answer.done():
                asked.answer.set_exception(error or self._lost())
                error = None
        self._wake()
        if not self.broken.done():
            self.broken.set_result(None)

    def refuse_if_closed(self) -> None:
        if self._closed is not None:
            raise self._lost()

    def raise_reason(self) -> None:
        """Raises the error that it was closed for; at first as it was found."""
        error, self._error = self._error, None
        raise error or self._lost()

    def forked(self, reason: str) -> None:
        """In a child: the transport and its loop are left alone, as the loop is the parent's."""
        self._transport = None
        self.shut(reason)
        if not self._disconnected.done():
            self._disconnected.set_result(None)

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Optional[Exception]) -> None:
        if isinstance(error, OSError):
            reason = f"the connection broke: {error.strerror}"
        else:
            reason = "the sidecar closed the connection"
        self.shut(reason, ConnectionLost(reason))
        if not self._disconnected.done():
            self._disconnected.set_result(None)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._small_bytes = 0
        while self._line and not self._paused:
            asked = self._line.popleft()
            if asked.answer.cancelled():
                continue
            try:
                self._send(asked)
            except RadixMeshError as error:  # it cannot be encoded
                if not asked.answer.done():
                    asked.answer.set_exception(error)

    def data_received(self, data: bytes) -> None:
        if self._closed is not None:
            return
        try:
            for message in self.conversation.receive(data):
                if isinstance(message, Answer):
                    self._settle(message)
                elif self._keeps_notes:
                    self.notes.append(message)
        except RadixMeshError as error:
            self.shut(str(error), error)
        self._flow()
        self._wake()

    # The rest

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(f"the connection is closed: {self._closed}")

    def _is_small(self, call: Call[Any]) -> bool:
        size = _size(call)
        if size > SMALL_BYTES or self._small_bytes + size > SMALL_BYTES_MAX:
            return False
        self._small_bytes += size
        return True

    def _send(self, asked: Asked[Any]) -> None:
        assert self._transport is not None
        request_id, frame = self.conversation.ask(asked.call)
        self._asked[request_id] = asked
        asked.sent = True
        if asked.call.gives_back:
            self._giving[_key(asked.call)] = asked
        self._transport.write(frame)

    def _settle(self, answer: Answer[Any]) -> None:
        asked = self._asked.pop(answer.request_id)
        if asked.call.gives_back:
            self._giving.pop(_key(asked.call), None)
        if asked.timer is not None:
            asked.timer.cancel()
        if asked.answer.cancelled():
            self._undo(answer)
        elif not asked.answer.done():
            asked.answer.set_result(answer)

    def _give_up(self, asked: Asked[Any]) -> None:
        """The task was cancelled; its answer may be there already, or come later, or never."""
        asked.answer.cancel()  # of no effect where it is done
        if not asked.sent:
            if asked in self._line:
                self._line.remove(asked)
            if asked.timer is not None:
                asked.timer.cancel()
        elif not asked.answer.cancelled() and asked.answer.exception() is None:
            self._undo(asked.answer.result())

    def _undo(self, answer: Answer[Any]) -> None:
        if answer.call.undo is None or self._closed is not None:
            return
        try:
            undo = answer.call.undo(answer.read())
        except RadixMeshError:
            return  # an error did nothing that must be undone
        self.submit(undo).answer.cancel()

    def _expire(self, asked: Asked[Any]) -> None:
        what = asked.call.method
        if not asked.sent:
            if asked in self._line:
                self._line.remove(asked)
            what = f"{what}, behind other tasks' calls,"
        error = Timeout(f"{what} was not answered within {self._timeout_s:g} s")
        if not asked.answer.done():
            asked.answer.set_exception(error)
        if asked.sent:
            self.shut(str(error))

    def _flow(self) -> None:
        """Reads on, or leaves what comes in the socket."""
        transport = self._transport
        if transport is None or self._closed is not None or transport.is_closing():
            return
        if len(self.notes) >= NOTES_MAX:
            transport.pause_reading()
        elif not transport.is_reading():
            transport.resume_reading()

    def _wake(self) -> None:
        if self._noted is not None and not self._noted.done():
            self._noted.set_result(None)


def _size(call: Call[Any]) -> int:
    """About how many bytes it takes: those of what may be long."""
    tokens = call.params.get("tokens", b"")
    runs = call.params.get("slots", ())
    return 64 + (tokens.nbytes if isinstance(tokens, memoryview) else len(tokens)) + 18 * len(runs)


def _key(call: Call[Any]) -> object:
    return call.method, *call.params.items()
