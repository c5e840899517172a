"""A lock on what `acquire` matched, for both clients."""

from __future__ import annotations

import weakref
from typing import Any, Tuple, Union

from . import methods
from .aio_link import Link as AioLink
from .aio_session import Session as AioSession
from .deadline import Deadline
from .entered import AioEntered, Entered
from .errors import ConnectionLost, RadixMeshError, Timeout
from .link import Link, Request
from .results import Acquired, Match, Segment
from .session import Session

__all__ = ["AioLease", "Lease"]


class _Held:
    """What both clients' leases are.

    segments: what it covers, in order; the match may name more.
    """

    def __init__(self, link: Union[Link, AioLink], acquired: Acquired) -> None:
        self._held_by = link
        self._released = False
        self._lost = False
        self.id: int = acquired.lease
        self.match: Match = acquired.match
        self.segments: Tuple[Segment, ...] = acquired.segments
        link.leases[self.id] = weakref.ref(self)

    @property
    def lost(self) -> bool:
        """Whether its connection ended while it was held, and it with it."""
        return self._lost or (not self._released and self._held_by.closed)

    def _end(self, lost: bool) -> None:
        self._lost = lost
        self._released = True
        self._held_by.leases.pop(self.id, None)


class Lease(_Held, Entered):
    """A lock on the local part of a match, and with `remote` a reference to what another node has.
    Belongs to its connection, and ends with it.

    segments: what it covers, in order; the match may name more.
    lost: whether its connection ended while it was held, and it with it.
    """

    def __init__(
        self, session: Session[Any], request: Request[Acquired], acquired: Acquired
    ) -> None:
        assert request.asked is not None
        super().__init__(request.asked.link, acquired)
        self._session = session
        self._link = request.asked.link
        self._release = Request(methods.release(self.id))

    def is_valid(self) -> bool:
        """Whether what was read under it until now may be used. To be asked after the read: a lease
        that lapsed during it protected nothing. False for a lost one where the Mesh reconnects, as
        with its connection it has lapsed; else ConnectionLost tells of it."""
        if self._released:
            return False
        try:
            return self._link.call(methods.validate(self.id), self._deadline())
        except ConnectionLost:
            if self._session.reconnect:
                return False
            raise

    def release(self) -> None:
        """Lets go. Releasing twice is no error, nor is it where the connection is lost or breaks:
        the lease has ended then. Calls after that say so.

        Where an exception is raised into it, by a signal handler, it can be called again and goes
        on; if it is not, what was begun is ended by the next call of the Mesh."""
        if self._released:
            return
        self._link.to_say.append(self._release)  # first: from here on it is said in any case
        try:
            self._link.ask(self._release, self._deadline())
        except (ConnectionLost, Timeout):
            if not self._link.closed:
                raise  # it ran out behind other threads' calls: nothing was sent
            self._end(lost=True)
        except RadixMeshError:
            self._end(lost=False)  # it is not held
            raise
        else:
            self._end(lost=False)

    def _deadline(self) -> Deadline:
        return Deadline(self._session.endpoint.timeout_s)

    def _leave(self) -> None:
        self.release()


class AioLease(_Held, AioEntered):
    """As `radixmesh.Lease`. Belongs to its connection, and ends with it."""

    def __init__(self, session: AioSession[Any], link: AioLink, acquired: Acquired) -> None:
        super().__init__(link, acquired)
        self._session = session
        self._link = link

    async def is_valid(self) -> bool:
        """As `radixmesh.Lease.is_valid`."""
        if self._released:
            return False
        try:
            return await self._link.call(methods.validate(self.id))
        except ConnectionLost:
            if self._session.reconnect:
                return False
            raise

    async def release(self) -> None:
        """Lets go. Releasing twice is no error, nor is it where the connection is lost or breaks:
        the lease has ended then. Calls after that say so. Where its task is cancelled, it is sent
        all the same."""
        if self._released:
            return
        try:
            asked = self._link.submit(methods.release(self.id))
            self._end(lost=False)  # it is sent, whatever becomes of this task
            await self._link.answer(asked)
        except (ConnectionLost, Timeout):
            self._end(lost=True)  # either closes the link

    async def _leave(self) -> None:
        await self.release()
