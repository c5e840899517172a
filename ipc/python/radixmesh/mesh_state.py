"""What a Mesh keeps beside its connection, blocking or not."""

from __future__ import annotations

from typing import Any, Callable, Optional, Tuple, Union

from .collecting import Freed
from .endpoint import Endpoint
from .lives import Lives, StateSource
from .results import SidecarInfo

__all__ = ["MeshState"]


class MeshState:
    """Where the sidecar is, whose connections these are, and what it told to free."""

    def __init__(
        self,
        endpoint: Endpoint,
        reconnect: bool,
        engine_token: Union[bytes, str, None],
        state: StateSource,
        on_leases_lost: Optional[Callable[[Tuple[Any, ...]], None]],
    ) -> None:
        self._endpoint = endpoint
        self._freed = Freed(endpoint, reconnect)
        self._lives = Lives(engine_token, state, on_leases_lost, self._freed.begin_life)
        self._open(reconnect)

    def _open(self, reconnect: bool) -> None:
        """Makes the session over which it speaks."""
        raise NotImplementedError

    @property
    def info(self) -> SidecarInfo:
        """Who is at the other end, its page size and its bounds, as of connecting last."""
        return self._lives.info
