"""What a router promised the nodes of one request, until it is told that they have done it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from . import methods

if TYPE_CHECKING:
    from .aio import Mesh as AioMesh
    from .client import Mesh

__all__ = ["AioBooking", "Booking"]


class Booking:
    """The work that `route` booked. Say when the prompt is computed and when the request is over;
    what nobody ends expires after some minutes. It outlives its connection, and ending it twice, or
    after it expired, is no error."""

    def __init__(self, mesh: Mesh, booking_id: int) -> None:
        self._mesh = mesh
        self.id = booking_id

    def __repr__(self) -> str:
        return f"Booking(id={self.id})"

    def prefill_done(self, hit_tokens: Optional[int] = None) -> None:
        """The prompt is computed. hit_tokens: how much of it the engine really had cached, if it
        says; then `nodes` and `explain` show predicted beside actual hits."""
        self._mesh._call(methods.prefill_done(self.id, hit_tokens))

    def finish(self) -> None:
        """The request is over, its prompt included."""
        self._mesh._call(methods.finish(self.id))


class AioBooking:
    """As Booking, with asyncio."""

    def __init__(self, mesh: AioMesh, booking_id: int) -> None:
        self._mesh = mesh
        self.id = booking_id

    def __repr__(self) -> str:
        return f"AioBooking(id={self.id})"

    async def prefill_done(self, hit_tokens: Optional[int] = None) -> None:
        """As `radixmesh.Booking.prefill_done`."""
        await self._mesh._link.call(methods.prefill_done(self.id, hit_tokens))

    async def finish(self) -> None:
        """As `radixmesh.Booking.finish`."""
        await self._mesh._link.call(methods.finish(self.id))
