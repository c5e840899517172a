"""The quickstart's slot pool: no slot is ever with two owners."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from gateway.slot_pool import SlotPool, cut  # noqa: E402

CAPACITY = 40


def slots_of(runs):
    return [slot for start, count in runs for slot in range(start, start + count)]


class PoolAgainstASet(RuleBasedStateMachine):
    """The model is the set of slots that are handed out."""

    def __init__(self):
        super().__init__()
        self.pool = SlotPool(CAPACITY)
        self.out = set()

    @rule(count=st.integers(0, CAPACITY))
    def allocate(self, count):
        if count > CAPACITY - len(self.out):
            with pytest.raises(ValueError):
                self.pool.allocate(count)
            return
        slots = slots_of(self.pool.allocate(count))
        assert len(slots) == len(set(slots)) == count
        assert not self.out & set(slots)
        assert all(0 <= slot < CAPACITY for slot in slots)
        self.out |= set(slots)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def free_some(self, data):
        slots = data.draw(st.lists(st.sampled_from(sorted(self.out)), min_size=1, unique=True))
        slots = data.draw(st.sampled_from([slots, sorted(slots), sorted(slots, reverse=True)]))
        self.pool.free([(slot, 1) for slot in slots])
        self.out -= set(slots)

    @rule(start=st.integers(-2, CAPACITY + 2), count=st.integers(-1, 6))
    def free_a_run_right_or_wrong(self, start, count):
        slots = set(range(start, start + count))
        if slots and slots <= self.out:
            self.pool.free([(start, count)])
            self.out -= slots
        else:
            with pytest.raises(ValueError):
                self.pool.free([(start, count)])

    @rule(start=st.integers(-2, CAPACITY + 2), count=st.integers(1, 6))
    def holds(self, start, count):
        assert self.pool.holds([(start, count)]) == (set(range(start, start + count)) <= self.out)

    @invariant()
    def counts_what_is_free(self):
        assert self.pool.free_slots == CAPACITY - len(self.out)

    @invariant()
    def runs_are_in_order_and_joined(self):
        ends = [s + c for s, c in zip(self.pool._starts, self.pool._counts)]
        assert all(end < start for end, start in zip(ends, self.pool._starts[1:]))
        assert sum(self.pool._counts) == self.pool.free_slots


PoolAgainstASet.TestCase.settings = settings(max_examples=60, deadline=None)
TestPoolAgainstASet = PoolAgainstASet.TestCase


def test_few_pieces():
    pool = SlotPool(100)
    assert pool.allocate(100) == [(0, 100)]
    pool.free([(0, 5), (20, 30), (70, 10)])
    assert pool.allocate(35) == [(20, 30), (70, 5)]


def test_what_came_back_is_whole_again():
    pool = SlotPool(100)
    pool.allocate(100)
    pool.free([(50, 50), (0, 25), (25, 25)])
    assert pool.allocate(100) == [(0, 100)]


def test_a_pool_without_slots():
    pool = SlotPool(0)
    assert pool.allocate(0) == []
    assert not pool.holds([(0, 1)])


@pytest.mark.parametrize("runs", [[(8, 4), (8, 4)], [(8, 4), (4, 8)], [(8, 4), (6, 4)]])
def test_no_slot_comes_back_twice_in_one_call(runs):
    pool = SlotPool(100)
    pool.allocate(100)
    with pytest.raises(ValueError):
        pool.free(runs)


@pytest.mark.parametrize(
    "begin, end, pieces",
    [
        (0, 8, [(10, 3), (50, 5)]),
        (0, 3, [(10, 3)]),
        (1, 4, [(11, 2), (50, 1)]),
        (3, 3, []),
        (5, 99, [(52, 3)]),
        (-4, 0, []),
    ],
)
def test_cut(begin, end, pieces):
    assert cut([(10, 3), (50, 5)], begin, end) == pieces
