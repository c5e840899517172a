"""Duplicates that are collected: what an engine is told to free, and how it says that it has."""

from __future__ import annotations

import asyncio
import time
from typing import Dict, List, Set, Tuple

from . import methods
from .aio_link import Link as AioLink
from .aio_session import within
from .deadline import Deadline
from .endpoint import Endpoint
from .errors import ConnectionLost
from .link import Link
from .results import FreedSlots
from .retrying import Pauses
from .slots import Runs

__all__ = ["AioGcFreeEvent", "Freed", "GcFreeEvent"]


class Freed:
    """What a Mesh handed out and was acknowledged. A sidecar tells it once more where it did not
    hear of that; it must not be freed twice.

    An acknowledgement goes over a connection of its own, which ends with it: so any thread or task
    may say it while another waits for the next event, and behind the end of the subscription. One
    that did not arrive is said again with the next.

    Numbers are of one life of the sidecar, whose epoch is in `state`. What an earlier life told,
    the one of now does not wait for: where that is known, it is not said to it.
    """

    def __init__(self, endpoint: Endpoint, reconnect: bool = False) -> None:
        self._endpoint = endpoint
        self._reconnect = reconnect
        self._epoch = 0  # the last one heard of; epochs only grow
        self._keys: Set[Tuple[int, int]] = set()
        self._unheard: Dict[Tuple[int, int], FreedSlots] = {}

    @staticmethod
    def _key(told: FreedSlots) -> Tuple[int, int]:
        return told.state[0], told.number

    def __contains__(self, told: FreedSlots) -> bool:
        return not told.advice and self._key(told) in self._keys

    def begin_life(self, epoch: int) -> None:
        """The sidecar at the other end is of this epoch: acknowledgements to others are moot."""
        if epoch > self._epoch:
            for key in [key for key in tuple(self._keys) if key[0] < epoch]:
                self._unheard.pop(key, None)
                self._keys.discard(key)
            self._epoch = epoch

    def _begin(self, told: FreedSlots) -> List[FreedSlots]:
        """What is to be said now."""
        self.begin_life(told.state[0])
        if told.state[0] >= self._epoch:
            self._keys.add(self._key(told))
            self._unheard[self._key(told)] = told
        return list(self._unheard.values())

    def acknowledge(self, told: FreedSlots) -> None:
        """Counts at once, also where it does not arrive."""
        to_say = self._begin(told)
        deadline = Deadline(self._endpoint.timeout_s)
        pauses = Pauses()
        while to_say:
            try:
                self._say(to_say, deadline)
                return
            except ConnectionLost:
                if not self._reconnect:
                    raise
            pause_s = pauses.next_s()
            left_s = deadline.remaining_s("gc_ack, without a connection,")
            time.sleep(pause_s if left_s is None else min(pause_s, left_s))
            to_say = list(self._unheard.values())

    def _say(self, to_say: List[FreedSlots], deadline: Deadline) -> None:
        link = Link.open(self._endpoint, deadline)
        try:
            for each in to_say:
                link.call(methods.gc_ack(each.number), deadline)
                self._unheard.pop(self._key(each), None)
        finally:
            link.close()

    async def acknowledge_by_asyncio(self, told: FreedSlots) -> None:
        """As `acknowledge`; it counts also where it is cancelled."""
        self._begin(told)
        await within(self._endpoint.timeout_s, "gc_ack", self._say_by_asyncio())

    async def _say_by_asyncio(self) -> None:
        pauses = Pauses()
        while self._unheard:
            try:
                await self._try_by_asyncio(list(self._unheard.values()))
                return
            except ConnectionLost:
                if not self._reconnect:
                    raise
            await asyncio.sleep(pauses.next_s())

    async def _try_by_asyncio(self, to_say: List[FreedSlots]) -> None:
        link = await AioLink.open(self._endpoint)
        try:
            for each in to_say:
                await link.call(methods.gc_ack(each.number))
                self._unheard.pop(self._key(each), None)
        finally:
            link.shut("all is said")


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
        of the sidecar, or by its callable.
    """

    def ack(self) -> None:
        """The slots are free. Any thread may say so, at any time. For advice, and the second time,
        it does nothing.

        Errors are those of a call. Then, and where an exception was raised into it from outside,
        the sidecar may not know: it may be said again, and is said again with the next one. Until
        it knows, another `connect()` is told of these slots; this Mesh is not. A sidecar that was
        restarted does not wait for it, and it is not said to one of which the Mesh knows that."""
        if not self._acknowledged:
            self._freed.acknowledge(self._told)
            self._acknowledged = True


class AioGcFreeEvent(_Told):
    """As GcFreeEvent, with asyncio."""

    async def ack(self) -> None:
        """As `radixmesh.GcFreeEvent.ack`, and the same where its task is cancelled."""
        if not self._acknowledged:
            await self._freed.acknowledge_by_asyncio(self._told)
            self._acknowledged = True
