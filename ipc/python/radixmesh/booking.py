"""What a router promised the nodes of one request, until it is told that they have done it."""

from __future__ import annotations

from typing import Any, Optional

from . import methods
from .aio_session import Session as AioSession
from .deadline import Deadline
from .link import Request
from .methods import Call
from .session import Session

__all__ = ["AioBooking", "Booking"]


class Booking:
    """The work that `route` booked. Say when the prompt is computed and when the request is over;
    what nobody ends expires after some minutes. It outlives its connection, and ending it twice, or
    after it expired, is no error.

    Where an exception is raised into one of the two, by a signal handler, it can be called again;
    if it is not, what was begun is ended by the next call of the Mesh."""

    def __init__(self, session: Session[Any], booking_id: int) -> None:
        self._session = session
        self.id = booking_id

    def __repr__(self) -> str:
        return f"Booking(id={self.id})"

    def prefill_done(self, hit_tokens: Optional[int] = None) -> None:
        """The prompt is computed. hit_tokens: how much of it the engine really had cached, if it
        says; then `nodes` and `explain` show predicted beside actual hits."""
        self._say(methods.prefill_done(self.id, hit_tokens))

    def finish(self) -> None:
        """The request is over, its prompt included."""
        self._say(methods.finish(self.id))

    def _say(self, call: Call[None]) -> None:
        request = Request(call)
        self._session.link.to_say.append(request)  # from here on it is said in any case
        self._session.ask(request, Deadline(self._session.endpoint.timeout_s))


class AioBooking:
    """As Booking, with asyncio. What was said is sent, also where the task is cancelled that says
    it, unless there is no connection: then it can be said again."""

    def __init__(self, session: AioSession[Any], booking_id: int) -> None:
        self._session = session
        self.id = booking_id

    def __repr__(self) -> str:
        return f"AioBooking(id={self.id})"

    async def prefill_done(self, hit_tokens: Optional[int] = None) -> None:
        """As `radixmesh.Booking.prefill_done`."""
        await self._session.call(methods.prefill_done(self.id, hit_tokens))

    async def finish(self) -> None:
        """As `radixmesh.Booking.finish`."""
        await self._session.call(methods.finish(self.id))
