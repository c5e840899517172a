"""Duplicates that are collected: what an engine is told to free, and how it says that it has."""

from __future__ import annotations

from collections import deque
from typing import Set, Tuple

from . import methods
from .aio_link import open_with, within
from .conversation import Conversation
from .endpoint import Endpoint
from .link import Deadline, Link
from .results import FreedSlots
from .slots import Runs

__all__ = ["AioGcFreeEvent", "Freed", "GcFreeEvent"]


class Freed:
    """What a Mesh handed out and was acknowledged. A sidecar tells it once more where it did not
    hear of that; it must not be freed twice.

    An acknowledgement goes over a connection of its own, which ends with it: so any thread or task
    may say it while another waits for the next event, and behind the end of the subscription.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._numbers: Set[Tuple[int, int]] = set()

    @staticmethod
    def _key(told: FreedSlots) -> Tuple[int, int]:
        return told.state[0], told.number

    def acknowledge(self, told: FreedSlots) -> None:
        """Counts at once, also where it does not arrive."""
        self._numbers.add(self._key(told))
        deadline = Deadline(self._endpoint.timeout_s)
        link = Link.open(self._endpoint, deadline)
        try:
            link.call(methods.gc_ack(told.number), deadline)
        finally:
            link.close()

    async def acknowledge_by_asyncio(self, told: FreedSlots) -> None:
        """As `acknowledge`; it counts also where it is cancelled."""
        self._numbers.add(self._key(told))
        call = methods.gc_ack(told.number)
        saying = open_with(self._endpoint, Conversation(), call, deque())
        _, writer = await within(self._endpoint, call.method, saying)
        writer.close()

    def __contains__(self, told: FreedSlots) -> bool:
        return not told.advice and self._key(told) in self._numbers


class _Told:
    """What both clients' events show of it."""

    def __init__(self, freed: Freed, told: FreedSlots) -> None:
        self._freed = freed
        self._told = told
        self._acknowledged = told.advice  # there is nothing to acknowledge

    @property
    def slots(self) -> Runs:
        return self._told.slots

    @property
    def advice(self) -> bool:
        return self._told.advice

    @property
    def state(self) -> Tuple[int, int]:
        return self._told.state

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}(slots={self.slots}, advice={self.advice}, state={self.state})"


class GcFreeEvent(_Told):
    """Slots that hold duplicates.

    advice False: they are nobody's any more. Free them, then `ack()`; only then does the sidecar
        take them for gone. What is not acknowledged is told again to whoever subscribes anew.
    advice True: nothing has changed; these are the slots that could go.
    slots: runs `(start, count)`.
    state: (epoch, seq) as of which this is so: to be given to `connect(state=...)` after a restart
        of the sidecar.
    """

    def ack(self) -> None:
        """The slots are free. Any thread may say so, at any time. For advice, and the second time,
        it does nothing.

        Errors are those of a call. Then the sidecar may not know, and it may be said again; until
        it knows, another `connect()` is told of these slots, this Mesh is not."""
        if not self._acknowledged:
            self._freed.acknowledge(self._told)
            self._acknowledged = True


class AioGcFreeEvent(_Told):
    """As GcFreeEvent, with asyncio."""

    async def ack(self) -> None:
        """As `radixmesh.GcFreeEvent.ack`."""
        if not self._acknowledged:
            await self._freed.acknowledge_by_asyncio(self._told)
            self._acknowledged = True
