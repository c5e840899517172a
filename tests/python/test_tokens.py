"""Tokens on the wire: the same bytes from whatever held them, or a refusal; never other tokens."""

import array
import ctypes
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixmesh import FixRequest
from radixmesh.tokens import encode_tokens

np = pytest.importorskip("numpy")

IDS = [0, 1, 127, 128, 255, 256, 32000, 65535, 65536, 2**31 - 1]
WIDE_IDS = IDS + [2**31, 2**32 - 1]

rows = st.lists(st.integers(0, 2**32 - 1), max_size=70)


def wire(ids):
    return struct.pack(f"<{len(ids)}I", *ids)


class FakeTensor:
    """What a torch tensor shows of itself."""

    def __init__(self, values, device):
        self._values = values
        self.device = type("device", (), {"type": device})()

    def numpy(self):
        assert self.device.type == "cpu"
        return self._values


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_rows_of_python_integers(kind):
    assert bytes(encode_tokens(kind(WIDE_IDS))) == wire(WIDE_IDS)


def test_ranges_and_numpy_scalars():
    assert bytes(encode_tokens(range(5, 9))) == wire([5, 6, 7, 8])
    assert bytes(encode_tokens([np.int64(3), np.uint32(4)])) == wire([3, 4])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_the_wire_form_already(kind):
    assert bytes(encode_tokens(kind(wire(WIDE_IDS)))) == wire(WIDE_IDS)


@pytest.mark.parametrize("dtype", ["<u4", ">u4", "<i8", ">i8", "<u8", ">u8"])
def test_numpy_arrays_of_32_and_64_bits(dtype):
    assert bytes(encode_tokens(np.array(WIDE_IDS, dtype))) == wire(WIDE_IDS)


@pytest.mark.parametrize("dtype", ["<i4", ">i4"])
def test_numpy_arrays_of_signed_32_bits(dtype):
    assert bytes(encode_tokens(np.array(IDS, dtype))) == wire(IDS)


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "<i2", ">i2"])
def test_narrow_numpy_arrays_are_widened_and_not_taken_for_raw_bytes(dtype):
    assert bytes(encode_tokens(np.array([1, 2, 3, 127], dtype))) == wire([1, 2, 3, 127])


@pytest.mark.parametrize("dtype", ["<u4", ">u4", "<i4", "<i8", ">i8", "<u2", ">u2"])
def test_strided_numpy_arrays(dtype):
    values = np.arange(100, dtype=dtype)
    assert bytes(encode_tokens(values[3:50:7])) == wire(range(3, 50, 7))
    assert bytes(encode_tokens(values[::-1])) == wire(range(99, -1, -1))


@pytest.mark.parametrize("code", "bBhHiIlLqQ")
def test_arrays_of_every_item_size(code):
    assert bytes(encode_tokens(array.array(code, [0, 1, 99, 127]))) == wire([0, 1, 99, 127])


def test_typed_memoryviews_and_ctypes_arrays():
    assert bytes(encode_tokens(memoryview(array.array("q", IDS)))) == wire(IDS)
    assert bytes(encode_tokens(memoryview(array.array("I", IDS))[::3])) == wire(IDS[::3])
    assert bytes(encode_tokens((ctypes.c_uint32 * 3)(7, 8, 9))) == wire([7, 8, 9])


def test_tensors_on_the_cpu_are_taken_and_others_are_not_copied_silently():
    assert bytes(encode_tokens(FakeTensor(np.array(IDS), "cpu"))) == wire(IDS)
    with pytest.raises(FixRequest, match=r"device cuda: pass them as \.cpu\(\)"):
        encode_tokens(FakeTensor(np.array(IDS), "cuda"))


@pytest.mark.parametrize("dtype", ["<u4", "<i4"])
def test_32_bit_arrays_are_not_copied(dtype):
    values = np.array([1, 2, 3], dtype)
    encoded = encode_tokens(values)
    values[0] = 9
    assert bytes(encoded) == wire([9, 2, 3])


@pytest.mark.parametrize(
    "empty", [[], b"", array.array("i"), array.array("q"), np.array([], "u4"), np.array([], "i8")]
)
def test_no_tokens_are_no_bytes(empty):
    assert bytes(encode_tokens(empty)) == b""


@given(rows)
def test_all_holders_of_a_row_agree(ids):
    forms = [ids, array.array("I", ids), array.array("Q", ids), array.array("q", ids)]
    forms += [np.array(ids, dtype) for dtype in ("<u4", ">u4", "<i8", ">u8")]
    assert {bytes(encode_tokens(form)) for form in forms} == {wire(ids)}


@given(rows, st.integers(-(2**63), 2**63 - 1).filter(lambda n: not 0 <= n < 2**32), st.data())
def test_one_number_out_of_range_anywhere_is_found(ids, bad, data):
    ids.insert(data.draw(st.integers(0, len(ids))), bad)
    for form in (ids, array.array("q", ids), np.array(ids, "<i8"), np.array(ids, ">i8")):
        with pytest.raises(FixRequest, match=r"from 0 to 2\^32-1"):
            encode_tokens(form)


@given(st.lists(st.integers(0, 2**31 - 1)), st.integers(-(2**31), -1), st.data())
def test_one_negative_number_in_32_bits_is_found(ids, bad, data):
    ids.insert(data.draw(st.integers(0, len(ids))), bad)
    for form in (array.array("i", ids), np.array(ids, "<i4"), np.array(ids, ">i4")):
        with pytest.raises(FixRequest, match="negative"):
            encode_tokens(form)


@pytest.mark.parametrize("code", "bh")
def test_narrow_negative_numbers_are_refused(code):
    with pytest.raises(FixRequest, match=r"2\^32-1"):
        encode_tokens(array.array(code, [1, -1]))


@pytest.mark.parametrize(
    "wrong",
    [
        b"123",
        memoryview(b"12345"),
        "1234",
        {1, 2},
        {1: 2},
        7,
        None,
        [1.0],
        ["1"],
        [[1, 2]],
        array.array("d", [1.0]),
        np.array([1.5]),
        np.array([True]),
        np.array([[1, 2], [3, 4]], "u4"),
        np.array(5, "u4"),
        np.array(["2024-01-01"], "M8[D]"),
        np.array([object()]),
        memoryview(bytes(8)).cast("B", (2, 4)),
        memoryview(bytes(8)).cast("c"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_row_of_integers_is_refused(wrong):
    with pytest.raises(FixRequest):
        encode_tokens(wrong)


def test_a_refusal_is_also_a_value_error():
    with pytest.raises(ValueError):
        encode_tokens([-1])
