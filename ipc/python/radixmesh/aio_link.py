"""The asyncio transport: calls of many tasks share one connection and overtake nobody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Coroutine, Deque, Dict, List, Optional, Tuple, TypeVar, Union

from .conversation import Answer, Conversation
from .endpoint import CONNECT_RETRY_S, READ_BYTES, Endpoint
from .errors import ConnectionLost, RadixMeshError, Timeout
from .methods import Call
from .protocol import Notification

__all__ = ["Link", "Streams", "open_streams", "open_with", "receive", "within"]

T = TypeVar("T")

Streams = Tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def open_streams(endpoint: Endpoint) -> Streams:
    """Connects; waits without a limit of its own where the sidecar's queue is full."""
    # Not asyncio.open_unix_connection(path): on a full queue asyncio waits for the socket to become
    # writable, which it is already, and takes that for a connection.
    connection = endpoint.try_connect()
    while connection is None:
        await asyncio.sleep(CONNECT_RETRY_S)
        connection = endpoint.try_connect()
    return await asyncio.open_unix_connection(sock=connection)


async def receive(
    reader: asyncio.StreamReader, conversation: Conversation
) -> List[Union[Answer[Any], Notification]]:
    """The next messages, maybe none. Cancelling loses nothing. ConnectionLost at the end."""
    try:
        data = await reader.read(READ_BYTES)
    except OSError as error:
        raise ConnectionLost(f"the connection broke: {error.strerror}") from error
    if not data:
        raise ConnectionLost("the sidecar closed the connection")
    return conversation.receive(data)


async def open_with(
    endpoint: Endpoint,
    conversation: Conversation,
    call: Call[None],
    notifications: Deque[Notification],
) -> Streams:
    """Connects and makes the call, the first of `conversation`; the connection is the caller's.

    Notifications that come with the answer are kept. Errors, and being cancelled, close it.
    """
    reader, writer = await open_streams(endpoint)
    try:
        writer.write(conversation.ask(call)[1])
        await writer.drain()
        answer: Optional[Answer[None]] = None
        while answer is None:
            for message in await receive(reader, conversation):
                if isinstance(message, Notification):
                    notifications.append(message)
                else:
                    answer = message
        answer.read()
    except OSError as error:
        writer.transport.abort()
        if isinstance(error, RadixMeshError):
            raise
        raise ConnectionLost(f"{call.method} could not be sent: {error.strerror}") from error
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


async def within(endpoint: Endpoint, what: str, work: Coroutine[Any, Any, T]) -> T:
    """`work`, bounded by the endpoint's timeout."""
    try:
        return await asyncio.wait_for(work, endpoint.timeout_s)
    except asyncio.TimeoutError as error:
        if isinstance(error, Timeout):
            raise
        raise Timeout(f"{what} was not answered within {endpoint.timeout_s:g} s") from error


class Link:
    """A connection. Calls are sent when they are made and answered in that order.

    A call whose task is cancelled leaves the link in order: its answer is dropped when it comes,
    and what it did is undone where that matters (a lease). A call that runs into its deadline
    closes the link: answers come in order, so none can be expected behind it either.
    """

    def __init__(self, endpoint: Endpoint, streams: Streams) -> None:
        self.conversation = Conversation()
        self._timeout_s = endpoint.timeout_s
        self._reader, self._writer = streams
        self._sending = asyncio.Lock()
        self._waiters: Dict[int, asyncio.Future[Answer[Any]]] = {}
        self._closed: Optional[str] = None  # why
        self._reading = asyncio.ensure_future(self._read())

    @property
    def closed(self) -> bool:
        return self._closed is not None

    async def call(self, call: Call[T]) -> T:
        self._refuse_if_closed()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Answer[T]] = loop.create_future()
        timer: Optional[asyncio.TimerHandle] = None
        if self._timeout_s is not None:
            timer = loop.call_later(self._timeout_s, self._expire, call.method, waiter)
        try:
            await self._send(call, waiter)
            answer = await waiter
        except asyncio.CancelledError:
            self._abandon(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            waiter.cancel()  # of no effect where it is done
        return answer.read()

    async def close(self) -> None:
        """Ends the link and the calls that wait in other tasks. Closing twice is no error."""
        self._shut("it was closed by this client")
        await asyncio.wait({self._reading})
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _send(self, call: Call[T], waiter: asyncio.Future[Answer[T]]) -> None:
        # One sender at a time: so what is under way when the sidecar does not read is bounded by
        # one frame, and not by the number of tasks.
        async with self._sending:
            if waiter.done():
                return
            self._refuse_if_closed()
            request_id, frame = self.conversation.ask(call)
            self._waiters[request_id] = waiter
            self._writer.write(frame)
            with suppress(OSError):  # the reading task learns of it as well, and tells all waiters
                await self._writer.drain()

    async def _read(self) -> None:
        try:
            while True:
                for message in await receive(self._reader, self.conversation):
                    if isinstance(message, Answer):
                        self._settle(message)
        except RadixMeshError as error:
            self._shut(str(error), error)

    def _settle(self, answer: Answer[Any]) -> None:
        waiter = self._waiters.pop(answer.request_id, None)
        if waiter is None:
            return  # the answer to an undoing
        if waiter.cancelled():
            self._undo(answer)
        else:
            waiter.set_result(answer)

    def _abandon(self, waiter: asyncio.Future[Answer[Any]]) -> None:
        """The task was cancelled; its answer may be there already, or come later."""
        if not waiter.cancel() and not waiter.cancelled() and waiter.exception() is None:
            self._undo(waiter.result())

    def _undo(self, answer: Answer[Any]) -> None:
        if answer.call.undo is None or self._closed is not None:
            return
        with suppress(RadixMeshError):  # an error did nothing that must be undone
            _, frame = self.conversation.ask(answer.call.undo(answer.read()))
            self._writer.write(frame)

    def _expire(self, method: str, waiter: asyncio.Future[Answer[Any]]) -> None:
        if not waiter.done():
            error = Timeout(f"{method} was not answered within {self._timeout_s:g} s")
            waiter.set_exception(error)
            self._shut(str(error))

    def _refuse_if_closed(self) -> None:
        if self._closed is not None:
            raise ConnectionLost(f"the connection is closed: {self._closed}")

    def _shut(self, reason: str, error: Optional[RadixMeshError] = None) -> None:
        """Closes for `reason`. The oldest call gets `error`, which may be its own; all others
        ConnectionLost."""
        if self._closed is None:
            self._closed = reason
        # Not close(), which would first wait until a sidecar that does not read has read all.
        self._writer.transport.abort()
        self._reading.cancel()
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_exception(
                    error or ConnectionLost(f"the connection is closed: {self._closed}")
                )
                error = None
        self._waiters.clear()
