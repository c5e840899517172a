"""What is ended at the end of the `with` that it was entered by."""

from __future__ import annotations

from types import TracebackType
from typing import Optional, Type, TypeVar

__all__ = ["AioEntered", "Entered"]

S = TypeVar("S", bound="Entered")
A = TypeVar("A", bound="AioEntered")


class Entered:
    """Usable as a context manager, which ends it."""

    def _leave(self) -> None:
        raise NotImplementedError

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._leave()


class AioEntered:
    """Usable with `async with`, which ends it."""

    async def _begin(self) -> None:
        """What is to be done first."""

    async def _leave(self) -> None:
        raise NotImplementedError

    async def __aenter__(self: A) -> A:
        await self._begin()
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self._leave()
