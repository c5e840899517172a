"""What a Mesh knows of its connections, one after the other: how they begin, who is at the other
end, and which leases end with them. The same for both clients."""

from __future__ import annotations

import weakref
from typing import Any, Callable, Dict, Optional, Protocol, Tuple, Union

from . import methods
from .errors import FixRequest
from .methods import Call
from .results import SidecarInfo

__all__ = ["Leases", "Lives", "State", "StateSource"]

# By their ids, and weakly: one that nobody holds any more is nobody's loss.
Leases = Dict[int, "weakref.ref[Any]"]

State = Optional[Tuple[int, int]]
StateSource = Union[State, Callable[[], State]]


class _Link(Protocol):
    frame_bytes_max: int
    leases: Leases


class Lives:
    """The greeting of each connection, and what came of it.

    on_leases_lost: is given the leases that ended with a connection, if there are any.
    on_life: is given the epoch of the sidecar at the other end.
    """

    def __init__(
        self,
        engine_token: Union[bytes, str, None],
        state: StateSource,
        on_leases_lost: Optional[Callable[[Tuple[Any, ...]], None]],
        on_life: Callable[[int], None],
    ) -> None:
        if on_leases_lost is not None and not callable(on_leases_lost):
            raise FixRequest("on_leases_lost must be callable")
        self._engine_token = engine_token
        self._state = state
        self._on_leases_lost = on_leases_lost
        self._on_life = on_life
        self._info: Optional[SidecarInfo] = None

    @property
    def info(self) -> SidecarInfo:
        assert self._info is not None  # a Mesh is handed out after its first greeting
        return self._info

    def greet(self) -> Call[SidecarInfo]:
        """A `hello` with what the engine knows now."""
        state = self._state() if callable(self._state) else self._state
        return methods.hello(self._engine_token, state)

    def greeted(self, link: _Link, info: SidecarInfo) -> None:
        link.frame_bytes_max = info.limits.frame_bytes_max
        self._info = info
        self._on_life(info.epoch)

    def broken(self, link: _Link) -> None:
        """Tells of the leases that ended with this link, once."""
        held = tuple(link.leases.values())
        link.leases.clear()
        lost = tuple(lease for lease in (reference() for reference in held) if lease is not None)
        if lost and self._on_leases_lost is not None:
            self._on_leases_lost(lost)
