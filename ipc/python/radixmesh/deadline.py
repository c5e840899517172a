"""The end of a call as a whole, whatever it is made of."""

from __future__ import annotations

import time
from typing import Optional

from .errors import Timeout

__all__ = ["Deadline"]


class Deadline:
    """Begins to run when it is made. `timeout_s` None: there is no end."""

    def __init__(self, timeout_s: Optional[float]) -> None:
        self.timeout_s = timeout_s
        self._end_s = None if timeout_s is None else time.monotonic() + timeout_s

    def remaining_s(self, what: str) -> Optional[float]:
        """Seconds left, more than 0, or None for no end. Raises Timeout once it has passed."""
        if self._end_s is None:
            return None
        remaining_s = self._end_s - time.monotonic()
        if remaining_s <= 0:
            raise self.passed(what)
        return remaining_s

    def passed(self, what: str) -> Timeout:
        return Timeout(f"{what} was not answered within {self.timeout_s:g} s")
