"""Slots on the wire: always runs; one by one they are compressed into the fewest."""

import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixmesh import FixRequest
from radixmesh.slots import encode_slots

np = pytest.importorskip("numpy")

# Rows made of stretches, as an allocator would give them, and rows without any order.
stretches = st.lists(st.tuples(st.integers(0, 2**40), st.integers(1, 30)), max_size=8).map(
    lambda runs: [slot for start, count in runs for slot in range(start, start + count)]
)
rows = stretches | st.lists(st.integers(0, 2**63 - 1)) | st.lists(st.integers(0, 5))


def expand(runs):
    return [slot for start, count in runs for slot in range(start, start + count)]


def forms(slots):
    return [
        slots,
        tuple(slots),
        iter(slots),
        array.array("q", slots),
        memoryview(array.array("Q", slots)),
        np.array(slots, "<i8"),
        np.array(slots, ">u8"),
        np.repeat(np.array(slots, "u8"), 2)[::2],
    ]


@given(rows)
def test_expanding_gives_back_the_slots_and_no_two_runs_could_be_one(slots):
    for form in forms(slots):
        runs = encode_slots(form)
        assert expand(runs) == slots
        assert all(a[0] + a[1] != b[0] for a, b in zip(runs, runs[1:]))
        assert all(type(number) is int for run in runs for number in run)


@pytest.mark.parametrize("number", range(8))
def test_one_example_in_every_form(number):
    assert encode_slots(forms([5, 6, 7, 20, 3, 4])[number]) == [[5, 3], [20, 1], [3, 2]]


def test_descending_and_repeated_slots_do_not_run_together():
    assert encode_slots([3, 2, 1, 1]) == [[3, 1], [2, 1], [1, 1], [1, 1]]
    assert encode_slots(np.array([3, 2, 1, 1])) == [[3, 1], [2, 1], [1, 1], [1, 1]]


@pytest.mark.parametrize("dtype,top", [("u4", 2**32 - 1), ("u8", 2**64 - 2)])
def test_the_largest_slot_and_0_do_not_run_together(dtype, top):
    assert encode_slots(np.array([top, 0], dtype)) == [[top, 1], [0, 1]]
    assert encode_slots([top, 0]) == [[top, 1], [0, 1]]


def test_items_that_are_pairs_are_runs_and_stay_as_they_are():
    assert encode_slots([(8, 4), (12, 4)]) == [[8, 4], [12, 4]]
    assert encode_slots(((8, 4),)) == [[8, 4]]
    assert encode_slots([[8, 4]]) == [[8, 4]]
    assert encode_slots(np.array([[8, 4], [20, 1]])) == [[8, 4], [20, 1]]
    assert encode_slots([(2**64 - 2, 1)]) == [[2**64 - 2, 1]]


def test_two_integers_are_two_slots_and_no_run():
    assert encode_slots((0, 16)) == [[0, 1], [16, 1]]
    assert encode_slots([8, 4]) == [[8, 1], [4, 1]]


@pytest.mark.parametrize("nothing", [[], (), range(0), np.array([], "i8"), array.array("i")])
def test_no_slots_are_no_runs(nothing):
    assert encode_slots(nothing) == []


@pytest.mark.parametrize(
    "wrong",
    [
        7,
        None,
        "ab",
        b"ab",
        {1: 2},
        {1, 2},
        [1.5],
        [-1],
        [2**64 - 1],
        [2**64],
        ["12"],
        [None],
        [(1, 2, 3)],
        [(0, 0)],
        [(0, -1)],
        [(-1, 2)],
        [(2**64 - 1, 1)],
        [(2**64 - 2, 2)],
        [(1, 2**64 - 1)],
        [(0, 2**64)],
        [(0, 1.5)],
        [(0, 1), 5],
        [5, (0, 1)],
        np.array([1.5]),
        np.array([True]),
        np.array([-1]),
        np.array([2**64 - 1], "u8"),
        np.array([[2**64 - 1, 1]], "u8"),
        np.array([[1, 2, 3]]),
        np.array([[1, -2]]),
        np.array(3),
    ],
    ids=repr,
)
def test_what_is_neither_form_is_refused(wrong):
    with pytest.raises(FixRequest):
        encode_slots(wrong)
