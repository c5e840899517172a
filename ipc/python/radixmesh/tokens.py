"""Token ids as the wire wants them: one binary of unsigned 32-bit little-endian integers.

Nothing here runs Python code per token but the conversion of lists and of 8 and 16-bit items;
the rest works on whole buffers, and neither numpy nor torch is imported:

    given                                     what happens
    bytes, bytearray, memoryview of bytes     taken as they are: already u32 little-endian
    32-bit unsigned items, little-endian      taken as they are
    32-bit signed items                       sign bits checked, then taken as they are
    64-bit numpy arrays                       bounds checked, then converted by numpy
    other 64-bit items                        upper halves checked to be 0, lower halves gathered
    big-endian or strided buffers             brought into order first, then as above
    8 and 16-bit items, lists, tuples, ...    widened one by one
    torch tensors on the CPU                  their numpy view, then as above
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Set
from typing import Any, Iterable, Optional, Tuple, Union

from .errors import FixRequest

__all__ = ["Tokens", "encode_tokens", "host_array"]

TOKEN_BYTES = 4
TOKEN_MAX = 2**32 - 1

# What the functions take; numpy and torch arrays are iterables of integers for a type checker.
Tokens = Union[bytes, bytearray, memoryview, "array[int]", Iterable[int]]

_SIGNED = "bhilqn"
_UNSIGNED = "BHILQN"
_ARRAY_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}


def encode_tokens(tokens: Tokens) -> Union[bytes, memoryview]:
    """`tokens` as little-endian u32, sharing the caller's memory where its layout allows.

    Raises FixRequest for anything that is not a one-dimensional row of integers from 0 to 2^32-1.
    Costs O(1) for 32-bit unsigned buffers, else O(n).
    """
    if isinstance(tokens, (bytes, bytearray, memoryview)):
        view = memoryview(tokens)
        if view.format == "B":
            return _raw(view)
    else:
        tokens = _narrowed(host_array(tokens, "tokens"))
        buffer = _buffer(tokens)
        if buffer is None:
            return _widen(tokens)
        view = buffer
    return _from_buffer(view)


def _buffer(values: object) -> Optional[memoryview]:
    """A view of `values` if they have the buffer protocol, else None."""
    try:
        return memoryview(values)  # type: ignore[arg-type]
    except TypeError:
        return None
    except ValueError as error:
        # numpy raises this for dtypes without a buffer format, dates for one.
        raise FixRequest(f"this array cannot be read as integers: {error}") from error


def host_array(values: object, name: str) -> object:
    """`values`, or the numpy view of a torch tensor. Raises FixRequest if it is not on the CPU."""
    to_numpy = getattr(values, "numpy", None)
    device = getattr(values, "device", None)
    if not callable(to_numpy) or device is None:
        return values
    kind = getattr(device, "type", device)
    if kind != "cpu":
        # Copying from a GPU waits for it. That must be the caller's decision, where it can be seen.
        raise FixRequest(f"{name} are on the device {kind}: pass them as .cpu()")
    return to_numpy()


def _narrowed(values: Any) -> Any:
    """64-bit numpy arrays, what tensors mostly are, by numpy's own loops: ten times as fast as
    gathering their halves. All else as it is."""
    dtype = getattr(values, "dtype", None)
    is_wide = getattr(dtype, "kind", "") in ("i", "u") and dtype.itemsize == 8
    if not is_wide or not hasattr(values, "astype") or len(values.shape) != 1 or len(values) == 0:
        return values
    if values.min() < 0 or values.max() > TOKEN_MAX:
        raise FixRequest("tokens must be from 0 to 2^32-1; some 64-bit items are outside")
    return values.astype("<u4")


def _raw(view: memoryview) -> memoryview:
    if view.ndim != 1:
        raise FixRequest(f"tokens have {view.ndim} dimensions; they must have one")
    if view.nbytes % TOKEN_BYTES:
        raise FixRequest(
            f"tokens are {view.nbytes} bytes; raw tokens take {TOKEN_BYTES} bytes each"
        )
    return view if view.c_contiguous else memoryview(view.tobytes())


def _from_buffer(view: memoryview) -> Union[bytes, memoryview]:
    if view.ndim != 1:
        raise FixRequest(f"tokens have {view.ndim} dimensions; they must have one")
    signed, order = _layout(view)
    if view.itemsize < TOKEN_BYTES:
        return _widen(_as_array(view, signed, order))
    if order == "big":
        raw = memoryview(_as_array(view, signed, order)).cast("B")
    elif view.c_contiguous and view.format in ("I", "i", "L", "l", "Q", "q", "N", "n"):
        raw = view.cast("B")
    else:
        # Strided memory, or a format with a byte-order prefix, which cast() does not take.
        raw = memoryview(view.tobytes())
    if view.itemsize == 8:
        return _lower_halves(raw)
    # The top byte of each token: no bit 7 anywhere means that no token is negative. isascii()
    # asks just that of a whole buffer at once. (Copied first: slicing bytes is eight times as fast
    # as gathering from a memoryview.)
    if signed and not raw.tobytes()[TOKEN_BYTES - 1 :: TOKEN_BYTES].isascii():
        raise FixRequest("tokens must be from 0 to 2^32-1; some are negative")
    return raw


def _layout(view: memoryview) -> Tuple[bool, str]:
    """Whether the items are signed, and their byte order. FixRequest if they are no integers."""
    letter = view.format.lstrip("@=<>!")
    is_integer = len(letter) == 1 and letter in _SIGNED + _UNSIGNED
    if not is_integer or view.itemsize not in _ARRAY_CODES:
        raise FixRequest(f"tokens must be integers; these have the buffer format '{view.format}'")
    order = {"<": "little", ">": "big", "!": "big"}.get(view.format[0], sys.byteorder)
    return letter in _SIGNED, order


def _as_array(view: memoryview, signed: bool, order: str) -> "array[int]":
    """A copy of `view` whose bytes are little-endian, or native where items are read one by one."""
    code = _ARRAY_CODES[view.itemsize]
    values = array(code if signed else code.upper(), view.tobytes())
    if order != (sys.byteorder if view.itemsize < TOKEN_BYTES else "little"):
        values.byteswap()
    return values


def _lower_halves(raw: memoryview) -> bytes:
    halves = raw.cast("I")
    upper = halves[1::2].tobytes()
    # Negative numbers have ones there as well, so one check refuses both.
    if upper.count(0) != len(upper):
        raise FixRequest("tokens must be from 0 to 2^32-1; some 64-bit items are outside")
    return halves[0::2].tobytes()


def _widen(values: object) -> memoryview:
    if isinstance(values, (str, Set, Mapping)):
        raise FixRequest(f"tokens must be a row of integers, not {type(values).__name__}")
    try:
        tokens = array("I", values)  # type: ignore[call-overload]
    except OverflowError as error:
        raise FixRequest(f"tokens must be from 0 to 2^32-1: {error}") from error
    except TypeError as error:
        raise FixRequest(f"tokens must be a row of integers: {error}") from error
    if sys.byteorder == "big":
        tokens.byteswap()
    return memoryview(tokens).cast("B")
