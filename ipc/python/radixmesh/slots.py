"""Slots as the wire wants them: runs `[start, count]`.

Two forms are taken. Which one is meant is told by the first item alone:

    [(start, count), ...]   items that are pairs are runs; an array of shape (n, 2) too
    [slot, slot, ...]       items that are integers are slots, one per token

So `(0, 16)` is two slots, 0 and 16; the run of sixteen slots is `[(0, 16)]`.
"""

from __future__ import annotations

from array import array
from itertools import compress, repeat
from operator import index, ne, sub
from typing import Any, Iterable, List, Sequence, Tuple, Union

from .errors import FixRequest
from .tokens import host_array

__all__ = ["Run", "Runs", "Slots", "encode_slots"]

# One less than 64 bits hold: the end of a run, which is behind its last slot, must fit them too.
SLOT_MAX = 2**64 - 2

Run = Tuple[int, int]  # (start, count): the slots [start, start + count)
Runs = Tuple[Run, ...]
Slots = Union[Iterable[int], Iterable[Sequence[int]]]


def encode_slots(slots: Slots) -> List[List[int]]:
    """`slots` as a list of `[start, count]`; slots one by one are compressed into the fewest runs.

    Runs are passed on as they are, neighbours not joined. Raises FixRequest for what is neither of
    the two forms, for a slot outside [0, 2^64 - 1), and for a run with a count below 1.
    Costs O(runs), or O(n) for slots one by one: in numpy's own loops for its arrays, else in the
    interpreter's iterators (some 70 ns a slot).
    """
    if isinstance(slots, (str, bytes, bytearray, dict, set, frozenset)):
        raise FixRequest(f"slots must be runs or integers, not {type(slots).__name__}")
    values: Any = host_array(slots, "slots")
    if hasattr(values, "dtype") and hasattr(values, "nonzero"):
        return _from_numpy(values)
    values = list(_iterate(values))
    if values and _is_pair(values[0]):
        return [_run(pair) for pair in values]
    return _compress(values)


def _iterate(values: Any) -> Iterable[Any]:
    try:
        return iter(values)
    except TypeError as error:
        raise FixRequest(f"slots must be runs or integers: {error}") from error


def _is_pair(item: object) -> bool:
    try:
        return len(item) == 2 and not isinstance(item, (str, bytes))  # type: ignore[arg-type]
    except TypeError:
        return False


def _run(pair: Any) -> List[int]:
    if not _is_pair(pair):
        raise FixRequest(f"slots are runs here, so each must be (start, count), not {pair!r}")
    try:
        start, count = index(pair[0]), index(pair[1])
    except TypeError as error:
        raise FixRequest(f"a run must be two integers: {error}") from error
    if start < 0 or not 1 <= count <= SLOT_MAX or start + count - 1 > SLOT_MAX:
        raise FixRequest(f"the run ({start}, {count}) is empty, or ends past 2^64 - 1")
    return [start, count]


def _compress(values: List[Any]) -> List[List[int]]:
    if not values:
        return []
    try:
        # Checks types and bounds of all, and makes plain integers of numpy's, whose sums wrap.
        slots = array("Q", values).tolist()
    except OverflowError as error:
        raise FixRequest(f"slots must be from 0 to 2^64-2: {error}") from error
    except TypeError as error:
        raise FixRequest(f"slots must be integers here, one for each token: {error}") from error
    if max(slots) > SLOT_MAX:
        raise FixRequest("slots must be from 0 to 2^64-2; some are larger")
    steps = map(sub, slots[1:], slots)
    begins = [0, *compress(range(1, len(slots)), map(ne, steps, repeat(1)))]
    return _runs([slots[begin] for begin in begins], begins, len(slots))


def _from_numpy(values: Any) -> List[List[int]]:
    """The same with the array's own operators, so that numpy need not be imported."""
    if values.dtype.kind not in "iu":
        raise FixRequest(f"slots must be integers; this array has the dtype {values.dtype}")
    if values.ndim == 2 and values.shape[1] == 2:
        return [_run(pair) for pair in values.tolist()]
    if values.ndim != 1:
        raise FixRequest(f"slots must have the shape (n,) or (n, 2), not {tuple(values.shape)}")
    if len(values) == 0:
        return []
    if values.dtype.kind == "i" and values.min() < 0:
        raise FixRequest("slots must be from 0 to 2^64-2; some are negative")
    if values.dtype.itemsize == 8 and int(values.max()) > SLOT_MAX:
        raise FixRequest("slots must be from 0 to 2^64-2; some are larger")
    after, before = values[1:], values[:-1]
    # The second term: unsigned differences wrap, so 0 after the largest number looks like one more.
    breaks = ((after - before != 1) | (after < before)).nonzero()[0] + 1
    begins = [0, *breaks.tolist()]
    return _runs(values[begins].tolist(), begins, len(values))


def _runs(starts: List[int], begins: List[int], length: int) -> List[List[int]]:
    ends = begins[1:] + [length]
    return [[start, end - begin] for start, begin, end in zip(starts, begins, ends)]
