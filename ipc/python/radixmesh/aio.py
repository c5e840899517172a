"""The asyncio client: the methods of `radixmesh.Mesh`, awaited.

    mesh = await radixmesh.aio.connect("/run/radixmesh/p0.sock")
    async with mesh.acquire(tokens) as lease: ...
    async for event in mesh.subscribe("membership"): ...

What the methods mean, take, answer and raise is written at their namesakes in `radixmesh.Mesh`.
The differences:

- Calls of several tasks share the connection; they are carried out in the order in which they were
  made, and none waits for the answer to another before it is sent.
- Cancelling a task that waits for a call closes nothing; a lease that it would have got is
  released. The sidecar carries the call out all the same.
- `acquire` and `subscribe` are not awaited themselves, but entered with `async with`, or iterated.

A Mesh belongs to the event loop in which it was made, and is not for other threads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import (
    Any,
    Deque,
    Dict,
    Generator,
    Iterable,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from . import methods
from .aio_link import Link, Streams, open_streams, open_with, receive, within
from .booking import AioBooking
from .collecting import AioGcFreeEvent, Freed
from .conversation import Conversation
from .endpoint import Endpoint, PathLike
from .errors import ConnectionLost, RadixMeshError, Timeout
from .methods import Call
from .namespace import NamespaceLike
from .protocol import Notification
from .results import (
    Acquired,
    Explanation,
    FreedSlots,
    InsertResult,
    Match,
    MembershipEvent,
    NodeInfo,
    OpEvent,
    Redirect,
    Route,
    Segment,
    SidecarInfo,
    Tree,
)
from .slots import Runs, Slots
from .tokens import Tokens

__all__ = ["Acquiring", "Lease", "Mesh", "Subscription", "connect"]

T = TypeVar("T")
AnyEvent = Union[OpEvent, MembershipEvent, AioGcFreeEvent]


async def connect(
    path: Optional[PathLike] = None,
    *,
    timeout: Optional[float] = 5.0,
    engine_token: Union[bytes, str, None] = None,
    state: Optional[Tuple[int, int]] = None,
) -> Mesh:
    """As `radixmesh.connect`."""
    endpoint = Endpoint.of(path, timeout)
    call = methods.hello(engine_token, state)

    async def greet() -> Mesh:
        link = Link(endpoint, await open_streams(endpoint))
        try:
            return Mesh(endpoint, link, await link.call(call))
        except BaseException:
            await link.close()
            raise

    return await within(endpoint, "connecting", greet())


class Mesh:
    """A connection to one sidecar. Usable with `async with`, which closes it."""

    def __init__(self, endpoint: Endpoint, link: Link, info: SidecarInfo) -> None:
        self._endpoint = endpoint
        self._link = link
        self._info = info
        self._freed = Freed(endpoint)
        link.conversation.frame_bytes_max = info.limits.frame_bytes_max

    @property
    def info(self) -> SidecarInfo:
        """Who is at the other end, its page size and its bounds, as of connecting."""
        return self._info

    async def insert(
        self, tokens: Tokens, slots: Slots, namespace: NamespaceLike = None
    ) -> InsertResult:
        """As `radixmesh.Mesh.insert`."""
        return await self._link.call(methods.insert(tokens, slots, namespace))

    async def match_prefix(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, touch: bool = True
    ) -> Match:
        """As `radixmesh.Mesh.match_prefix`."""
        return await self._link.call(methods.match_prefix(tokens, namespace, touch))

    def acquire(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, remote: bool = False
    ) -> Acquiring:
        """As `radixmesh.Mesh.acquire`: `async with mesh.acquire(tokens) as lease`, or
        `lease = await mesh.acquire(tokens)`."""
        return Acquiring(self, methods.acquire(tokens, namespace, remote))

    async def release(self, lease: Lease) -> None:
        """The same as `await lease.release()`."""
        await lease.release()

    async def evict(self, num_tokens: int) -> Runs:
        """As `radixmesh.Mesh.evict`."""
        return await self._link.call(methods.evict(num_tokens))

    async def delete(self, tokens: Tokens, namespace: NamespaceLike = None) -> Runs:
        """As `radixmesh.Mesh.delete`."""
        return await self._link.call(methods.delete(tokens, namespace))

    async def reset(self) -> Runs:
        """As `radixmesh.Mesh.reset`."""
        return await self._link.call(methods.reset())

    async def route(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, book: bool = True
    ) -> Route[AioBooking]:
        """As `radixmesh.Mesh.route`. A booking is ended where nobody waits for the answer."""
        answer = await self._link.call(methods.route(tokens, namespace, book))
        booking = None if answer.booking is None else AioBooking(self, answer.booking)
        return Route(answer.prefill, answer.decode, answer.reason, booking)

    async def redirect(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, visited: Iterable[str] = ()
    ) -> Redirect:
        """As `radixmesh.Mesh.redirect`."""
        return await self._link.call(methods.redirect(tokens, namespace, visited))

    async def explain(self, tokens: Tokens, namespace: NamespaceLike = None) -> Explanation:
        """As `radixmesh.Mesh.explain`."""
        return await self._link.call(methods.explain(tokens, namespace))

    async def finish_warm_up(self) -> None:
        """As `radixmesh.Mesh.finish_warm_up`."""
        await self._link.call(methods.finish_warm_up())

    async def report_load(
        self,
        *,
        running: int,
        waiting: int,
        queued_tokens: Optional[int] = None,
        kv_used: int,
        kv_total: int,
        prefill_rate: Optional[int] = None,
    ) -> None:
        """As `radixmesh.Mesh.report_load`."""
        await self._link.call(
            methods.report_load(
                running, waiting, queued_tokens, kv_used, kv_total, prefill_rate
            )
        )

    async def drain(self) -> None:
        """As `radixmesh.Mesh.drain`."""
        await self._link.call(methods.drain())

    async def status(self) -> Dict[str, Any]:
        """As `radixmesh.Mesh.status`."""
        return await self._link.call(methods.status())

    async def gc(self, *, run: bool = False) -> Dict[str, Any]:
        """As `radixmesh.Mesh.gc`."""
        return await self._link.call(methods.gc(run))

    async def nodes(self) -> Tuple[NodeInfo, ...]:
        """As `radixmesh.Mesh.nodes`."""
        return await self._link.call(methods.nodes())

    async def tree(
        self,
        holder: Optional[str] = None,
        *,
        skip: Optional[int] = None,
        limit: Optional[int] = None,
    ) -> Tree:
        """As `radixmesh.Mesh.tree`."""
        return await self._link.call(methods.tree(holder, skip, limit))

    def subscribe(self, *events: str) -> Subscription:
        """As `radixmesh.Mesh.subscribe`, but in force only from `async with`, or from the first
        step of `async for`."""
        return Subscription(self._endpoint, events, self._freed)

    async def close(self) -> None:
        """Closes the connection, which releases its leases; calls that wait in other tasks raise
        ConnectionLost. Closing twice is no error."""
        await self._link.close()

    async def __aenter__(self) -> Mesh:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()


class Acquiring:
    """An acquire that is yet to be made: await it once, or enter it with `async with` once."""

    def __init__(self, mesh: Mesh, call: Call[Acquired]) -> None:
        self._mesh = mesh
        self._call = call
        self._lease: Optional[Lease] = None

    def __await__(self) -> Generator[Any, None, Lease]:
        return self._acquire().__await__()

    async def _acquire(self) -> Lease:
        acquired = await self._mesh._link.call(self._call)
        return Lease(self._mesh, acquired.lease, acquired.match, acquired.segments)

    async def __aenter__(self) -> Lease:
        self._lease = await self._acquire()
        return self._lease

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        assert self._lease is not None
        await self._lease.release()


class Lease:
    """As `radixmesh.Lease`. Belongs to its connection, and ends with it."""

    def __init__(
        self, mesh: Mesh, lease_id: int, match: Match, segments: Tuple[Segment, ...]
    ) -> None:
        self._mesh = mesh
        self._released = False
        self.id = lease_id
        self.match = match
        self.segments = segments

    async def is_valid(self) -> bool:
        """As `radixmesh.Lease.is_valid`."""
        return not self._released and await self._mesh._link.call(methods.validate(self.id))

    async def release(self) -> None:
        """Lets go. Releasing twice is no error, nor is it where the connection is lost or breaks:
        the lease has ended then. Calls after that say so."""
        if self._released:
            return
        self._released = True
        try:
            await self._mesh._link.call(methods.release(self.id))
        except (ConnectionLost, Timeout):
            pass  # either closes the link

    async def __aenter__(self) -> Lease:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.release()


class Subscription:
    """An asynchronous iterator of events, each step waiting without limit; for one task at a time.

    A step that is cancelled loses no event, so `asyncio.wait_for` around it is safe. Ends when it
    is closed. Raises ConnectionLost when the sidecar goes, ReportBug for a malformed event. What
    is not read waits in the socket, and from there on the sidecar drops events.
    """

    def __init__(self, endpoint: Endpoint, events: Tuple[str, ...], freed: Freed) -> None:
        self._endpoint = endpoint
        self._freed = freed
        self._call = methods.subscribe(events)
        self._conversation = Conversation()
        self._notifications: Deque[Notification] = deque()
        self._streams: Optional[Streams] = None  # None until the subscription is in force
        self._closed = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> AnyEvent:
        if not self._closed:
            await self._start()
        while not self._closed:
            while self._notifications:
                event = methods.event_of(self._notifications.popleft())
                if isinstance(event, FreedSlots):
                    if event not in self._freed:
                        return AioGcFreeEvent(self._freed, event)
                    await self._freed.acknowledge_by_asyncio(event)
                elif event is not None:
                    return event
            await self._wait()
        raise StopAsyncIteration

    async def close(self) -> None:
        """Ends the iteration, in a task that waits in it too. Closing twice is no error."""
        self._closed = True
        if self._streams is not None:
            writer = self._streams[1]
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def __aenter__(self) -> Subscription:
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def _start(self) -> None:
        if self._streams is None:
            # Anew each time: an attempt that was cancelled must leave nothing behind.
            self._conversation = Conversation()
            self._notifications.clear()
            opening = open_with(
                self._endpoint, self._conversation, self._call, self._notifications
            )
            self._streams = await within(self._endpoint, "subscribe", opening)

    async def _wait(self) -> None:
        assert self._streams is not None
        reader, writer = self._streams
        try:
            for message in await receive(reader, self._conversation):
                if isinstance(message, Notification):
                    self._notifications.append(message)
        except RadixMeshError:
            writer.transport.abort()
            if not self._closed:
                raise
