"""The KV memory of a simulated engine: slots 0 to capacity - 1, handed out and taken back as runs.

Free slots are kept as runs by address, neighbours joined:

    slots   0 . . . . . . . . . 10. . . . . . . . . 20
    free    [------)            [---------)
    starts  [0, 10]   counts [3, 5]

A slot that comes back twice is an error at once: it would be handed to two prompts later.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Iterable, Iterator, List, Tuple

Run = Tuple[int, int]


class SlotPool:
    """Invariants: runs are disjoint, in order, never touching; `free_slots` is their sum."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.free_slots = capacity
        self._starts: List[int] = [0] if capacity else []
        self._counts: List[int] = [capacity] if capacity else []

    def allocate(self, count: int) -> List[Run]:
        """Exactly `count` slots (at most `free_slots`), from the longest runs, so in few pieces."""
        if count > self.free_slots:
            raise ValueError(f"{count} slots wanted, {self.free_slots} free")
        self.free_slots -= count
        taken: List[Run] = []
        emptied: List[int] = []
        longest_first = sorted(range(len(self._counts)), key=self._counts.__getitem__, reverse=True)
        for at in longest_first:
            if not count:
                break
            piece = min(count, self._counts[at])
            taken.append((self._starts[at], piece))
            self._starts[at] += piece
            self._counts[at] -= piece
            count -= piece
            if not self._counts[at]:
                emptied.append(at)
        for at in sorted(emptied, reverse=True):
            del self._starts[at], self._counts[at]
        return taken

    def free(self, runs: Iterable[Run]) -> None:
        """Takes slots back; ValueError for slots that were free already or never existed."""
        for start, count in _joined(runs):
            self._free_run(start, count)

    def holds(self, runs: Iterable[Run]) -> bool:
        """Whether all of these slots are handed out at present."""
        return not any(self._touches_free(start, count) for start, count in runs)

    def _touches_free(self, start: int, count: int) -> bool:
        if start < 0 or start + count > self.capacity:
            return True
        # Of the free runs that begin before the end, only the last can reach in.
        at = bisect_left(self._starts, start + count) - 1
        return at >= 0 and self._starts[at] + self._counts[at] > start

    def _free_run(self, start: int, count: int) -> None:
        if self._touches_free(start, count):
            raise ValueError(f"slots [{start}, {start + count}) were not handed out")
        self.free_slots += count
        at = bisect_right(self._starts, start)
        joins_left = at > 0 and self._starts[at - 1] + self._counts[at - 1] == start
        joins_right = at < len(self._starts) and self._starts[at] == start + count
        if joins_left and joins_right:
            self._counts[at - 1] += count + self._counts[at]
            del self._starts[at], self._counts[at]
        elif joins_left:
            self._counts[at - 1] += count
        elif joins_right:
            self._starts[at] = start
            self._counts[at] += count
        else:
            self._starts.insert(at, start)
            self._counts.insert(at, count)


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """The same slots with neighbours joined, whichever of the two comes first.

    Eviction gives back a page at a time, from the end of a prompt to its beginning, and most of a
    prompt lies in one piece: this is a tenth of the work of freeing each page.
    """
    low = high = 0
    for start, count in runs:
        if count <= 0:
            raise ValueError(f"a run of {count} slots")
        if start == high:
            high += count
        elif start + count == low:
            low = start
        else:
            if low < high:
                yield low, high - low
            low, high = start, start + count
    if low < high:
        yield low, high - low


def cut(runs: Iterable[Run], begin: int, end: int) -> List[Run]:
    """The slots at positions [begin, end), counted along the runs."""
    pieces: List[Run] = []
    position = 0
    for start, count in runs:
        low = max(begin - position, 0)
        high = min(end - position, count)
        if low < high:
            pieces.append((start + low, high - low))
        position += count
    return pieces
