"""How both clients try again: how long they pause, and what they say of what cannot be known."""

from __future__ import annotations

from .errors import ConnectionLost

__all__ = ["Pauses", "uncertain"]

# A sidecar that restarts listens again within a fraction of a second; one that is away for long is
# asked for every other second, which costs nothing and is soon enough.
PAUSE_S_MIN = 0.02
PAUSE_S_MAX = 2.0


class Pauses:
    """Between attempts, each twice as long as the one before, up to a bound."""

    def __init__(self) -> None:
        self._next_s = PAUSE_S_MIN

    def next_s(self) -> float:
        pause_s = self._next_s
        self._next_s = min(2 * pause_s, PAUSE_S_MAX)
        return pause_s


def uncertain(method: str, error: ConnectionLost) -> ConnectionLost:
    """For a call that changes something, and whose connection broke before its answer came."""
    return ConnectionLost(
        f"{method} may or may not have been carried out: {error}; the next call uses another "
        "connection"
    )
