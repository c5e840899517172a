"""How far the run has got: a bar on a terminal, a line every tenth of the way elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

REDRAW_S = 0.1
BAR_COLUMNS = 30


class Progress:
    def __init__(self, total: int, stream: TextIO):
        self._total = total
        self._stream = stream
        self._live = stream.isatty()
        self._drawn_at = float("-inf")
        self._tenths = 0

    def show(self, done: int) -> None:
        percent = 100 * done // self._total
        if not self._live:
            # A log file wants few lines, whatever the number of requests.
            if percent // 10 > self._tenths:
                self._tenths = percent // 10
                print(f"{percent:3d} %  {done:,} requests", file=self._stream, flush=True)
            return
        now = time.monotonic()
        if done < self._total and now - self._drawn_at < REDRAW_S:
            return
        self._drawn_at = now
        filled = BAR_COLUMNS * done // self._total
        bar = "#" * filled + "." * (BAR_COLUMNS - filled)
        self._stream.write(f"\r[{bar}] {percent:3d} %  {done:,} of {self._total:,} requests")
        self._stream.flush()

    def close(self) -> None:
        """Leaves the line, so that what follows begins on its own."""
        if self._live:
            self._stream.write("\n")
            self._stream.flush()
