"""Duplicates that are collected: what an engine is told to free, and how it says that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Set, Tuple

from . import methods
from .results import FreedSlots
from .slots import Runs

if TYPE_CHECKING:
    from .aio import Subscription as AioSubscription
    from .client import Subscription

__all__ = ["AioGcFreeEvent", "Freed", "GcFreeEvent"]


class Freed:
    """What was handed out and acknowledged. A sidecar tells it once more where a connection broke
    before it heard of it, or to another subscription; it must not be freed twice."""

    def __init__(self) -> None:
        self._numbers: Set[Tuple[int, int]] = set()

    @staticmethod
    def _key(told: FreedSlots) -> Tuple[int, int]:
        return told.state[0], told.number

    def add(self, told: FreedSlots) -> None:
        self._numbers.add(self._key(told))

    def __contains__(self, told: FreedSlots) -> bool:
        return not told.advice and self._key(told) in self._numbers


class _Told:
    """What both clients' events show of it."""

    def __init__(self, told: FreedSlots) -> None:
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

    def __init__(self, subscription: Subscription, told: FreedSlots) -> None:
        super().__init__(told)
        self._subscription = subscription

    def ack(self) -> None:
        """The slots are free. For advice, and the second time, it does nothing. Errors are those of
        a call; what was acknowledged and did not arrive is not handed out again."""
        if not self._acknowledged:
            self._subscription._acknowledge(self._told)
            self._acknowledged = True


class AioGcFreeEvent(_Told):
    """As GcFreeEvent, with asyncio."""

    def __init__(self, subscription: AioSubscription, told: FreedSlots) -> None:
        super().__init__(told)
        self._subscription = subscription

    async def ack(self) -> None:
        """As `radixmesh.GcFreeEvent.ack`."""
        if not self._acknowledged:
            await self._subscription._acknowledge(self._told)
            self._acknowledged = True


def acknowledgement(told: FreedSlots) -> methods.Call[None]:
    return methods.gc_ack(told.number)
