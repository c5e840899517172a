"""Waits until the router has heard of what the engines did.

The router's picture trails the nodes by a fraction of a millisecond, and a gateway that routes the
next request of a chat sooner than that would blame the router for what is only the speed of light.
So before routing it waits until the router's version vector has reached, for each engine that
changed since the last wait, the position which that engine's own sidecar reports. A deadline bounds
the wait; without one a lost op that nobody repairs would hang the run instead of failing it.
"""

from __future__ import annotations

import time
from typing import Any, Dict, Tuple

from gateway.failure import Failure

CATCH_UP_S_MAX = 20.0
# The wait is usually over at the first or second look; these keep a longer one off the one core
# that the sidecars need to end it.
BACKOFF_S_MIN = 0.000_05
BACKOFF_S_MAX = 0.005


class RouterView:
    """Positions are (epoch, seq): a restarted engine's are above all of its former life."""

    def __init__(self, router: Any, catch_up_s_max: float = CATCH_UP_S_MAX):
        self._router = router
        self._catch_up_s_max = catch_up_s_max
        self._changed: Dict[str, Any] = {}

    def note_change(self, engine: Any) -> None:
        self._changed[engine.addr] = engine

    def wait(self) -> None:
        """Returns at once where nothing changed; Failure where the router does not catch up."""
        if not self._changed:
            return
        missing = {
            addr: position(engine.status(), addr) for addr, engine in self._changed.items()
        }
        deadline = time.monotonic() + self._catch_up_s_max
        backoff_s = BACKOFF_S_MIN
        while True:
            status = self._router.status()
            missing = {a: at for a, at in missing.items() if position(status, a) < at}
            if not missing:
                break
            if time.monotonic() > deadline:
                raise Failure(self._describe(missing, status))
            time.sleep(backoff_s)  # tidy: backoff
            backoff_s = min(2 * backoff_s, BACKOFF_S_MAX)
        self._changed.clear()

    def _describe(self, missing: Dict[str, Tuple[int, int]], status: dict) -> str:
        addr, wanted = next(iter(missing.items()))
        return (
            f"the router has not caught up with {addr} after {self._catch_up_s_max:g} s: "
            f"it is at (epoch, seq) {position(status, addr)}, {addr} at {wanted}"
        )


def position(status: dict, addr: str) -> Tuple[int, int]:
    """How far `addr` has got by this status; before everything if it is not known there."""
    epoch, seq = status["version_vector"].get(addr, (0, -1))
    return epoch, seq
