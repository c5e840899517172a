"""Events as an iterator, blocking and with asyncio, each on a connection of its own."""

from __future__ import annotations

import weakref
from typing import Iterator, Tuple, Union

from . import methods
from .aio_session import Session as AioSession
from .collecting import AioGcFreeEvent, Freed, GcFreeEvent
from .endpoint import Endpoint
from .entered import AioEntered, Entered
from .errors import ConnectionLost, RadixMeshError, ReportBug
from .protocol import Notification
from .results import FreedSlots, MembershipEvent, OpEvent
from .session import Session

__all__ = ["AioSubscription", "Subscription"]


class Subscription(Entered):
    """An iterator of events. `next()` waits without limit; for one thread at a time.

    Ends when it is closed, here or from another thread. Raises ConnectionLost when the sidecar
    goes, ReportBug for a malformed event. Where the Mesh reconnects, it subscribes again by itself,
    also while nobody waits in it, and goes on with what happens from then on; what happened
    meanwhile is not told, but each gc_free that was not acknowledged is.

    An exception that a signal handler raises into `next()` loses no event.
    """

    def __init__(
        self, endpoint: Endpoint, events: Tuple[str, ...], freed: Freed, reconnect: bool = False
    ) -> None:
        call = methods.subscribe(events)
        self._freed = freed
        self._session: Session[None] = Session(
            endpoint, lambda: call, reconnect=reconnect, keeps_notes=True
        )
        weakref.finalize(self, self._session.close)
        self._session.start()
        self._link = self._session.link  # that which is read

    def __iter__(self) -> Iterator[Union[OpEvent, MembershipEvent, GcFreeEvent]]:
        return self

    def __next__(self) -> Union[OpEvent, MembershipEvent, GcFreeEvent]:
        while True:
            link = self._link
            try:
                taken = link.next_note()
            except RadixMeshError as error:
                if not self._session.reconnect:
                    raise
                self._go_on()
                if not isinstance(error, ConnectionLost):
                    raise
                continue
            if taken is None:
                raise StopIteration
            note, rest = taken
            try:
                event = self._event(note)
            except ReportBug:
                link.inbox = rest
                raise
            before = link.inbox
            try:
                link.inbox = rest  # now it is taken
                if event is not None:
                    return event
            except BaseException:
                link.inbox = before  # an interrupt was faster than the return
                raise

    def _event(self, note: Notification) -> Union[OpEvent, MembershipEvent, GcFreeEvent, None]:
        """What is to be told of it, if anything."""
        event = methods.event_of(note)
        if not isinstance(event, FreedSlots):
            return event
        if event not in self._freed:
            return GcFreeEvent(self._freed, event)
        self._freed.acknowledge(event)
        return None

    def _go_on(self) -> None:
        following = self._session.after(self._link)
        self._link.dispose()
        if following is None:
            raise StopIteration
        self._link = following

    def close(self) -> None:
        """Ends the iteration, and wakes a thread that waits in it. Closing twice is no error."""
        self._session.close()
        self._link.close()

    def _leave(self) -> None:
        self.close()


class AioSubscription(AioEntered):
    """An asynchronous iterator of events, each step waiting without limit; for one task at a time.

    A step that is cancelled loses no event, so `asyncio.wait_for` around it is safe. Ends when it
    is closed. Raises ConnectionLost when the sidecar goes, ReportBug for a malformed event; where
    the Mesh reconnects, it goes on as `radixmesh.Subscription`. What is not read waits in the
    socket, and from there on the sidecar drops events.
    """

    def __init__(
        self, endpoint: Endpoint, events: Tuple[str, ...], freed: Freed, reconnect: bool = False
    ) -> None:
        call = methods.subscribe(events)
        self._freed = freed
        self._session: AioSession[None] = AioSession(
            endpoint, lambda: call, "subscribe", reconnect=reconnect, keeps_notes=True
        )
        self._closed = False

    def __aiter__(self) -> AioSubscription:
        return self

    async def __anext__(self) -> Union[OpEvent, MembershipEvent, AioGcFreeEvent]:
        if not self._closed:
            await self._start()
        while not self._closed:
            link = self._link
            if not await link.wait_note():
                if self._closed:
                    break
                await self._go_on()
                continue
            event = methods.event_of(link.notes.popleft())
            if isinstance(event, FreedSlots):
                if event not in self._freed:
                    return AioGcFreeEvent(self._freed, event)
                await self._freed.acknowledge_by_asyncio(event)
            elif event is not None:
                return event
        raise StopAsyncIteration

    async def _go_on(self) -> None:
        link = self._link
        if self._session.reconnect:
            following = await self._session.after(link)
            if following is None:
                return
            self._link = following
        try:
            link.raise_reason()
        except ConnectionLost:
            if not self._session.reconnect:
                raise

    async def close(self) -> None:
        """Ends the iteration, in a task that waits in it too. Closing twice is no error."""
        self._closed = True
        await self._session.close()

    async def _begin(self) -> None:
        await self._start()

    async def _leave(self) -> None:
        await self.close()

    async def _start(self) -> None:
        if not self._session.started:
            await self._session.start()
            self._link = self._session.link  # that which is read
