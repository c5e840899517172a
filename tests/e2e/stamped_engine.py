"""An engine with a pool of slots, each of which carries a stamp of what was computed into it, so
that whoever reads a slot of another engine can tell whether it read what it was promised.

All pools live in this process: reading another engine's slot is looking into its pool, without any
sidecar, as a one-sided read over the network would. A pool belongs to one life of an engine, and
knows the epochs of the sidecars that served it: who is told of slots by another epoch cannot read.

Page size 1. A stamp is (owner, life of the engine, generation of the slot, position): the position
is a hash of the tokens up to the slot's own.
"""

from __future__ import annotations

import itertools
import random
import threading
from typing import Dict, List, Optional, Sequence, Set, Tuple

import radixmesh
from loopback import Node, wait_until

READ_S_MAX = 0.02
TAIL_TOKENS = (8, 64)
Stamp = Tuple[str, int, int, int]
Runs = Sequence[Tuple[int, int]]


def positions(tokens: Sequence[int]) -> List[int]:
    """One for each token: what is computed there depends on all before it."""
    return list(itertools.accumulate(tokens, lambda key, token: hash((key, token)), initial=7))[1:]


def each(runs: Runs) -> List[int]:
    return [slot for start, count in runs for slot in range(start, start + count)]


class Pool:
    """Slots: free, held by the cache, or kept back for a while after a restart of the sidecar."""

    def __init__(self, owner: str, life: int, size: int):
        self.owner, self.life, self.size = owner, life, size
        self.free: List[int] = list(range(size))
        self.held: Set[int] = set()
        self.kept_back: Set[int] = set()
        self.epochs: Set[int] = set()  # of the sidecars that this life was attached to
        self.stamps: List[Optional[Stamp]] = [None] * size
        self._generations = [0] * size

    def take(self, keys: Sequence[int]) -> List[int]:
        """Slots for these positions, computed."""
        slots = [self.free.pop() for _ in keys]
        for slot, key in zip(slots, keys):
            self._generations[slot] += 1
            self.stamps[slot] = (self.owner, self.life, self._generations[slot], key)
        return slots

    def give_back(self, slots: Sequence[int]) -> None:
        """They are free, and overwritten soon: at once, so that whoever reads on is found out."""
        for slot in slots:
            self.stamps[slot] = None
        self.free.extend(slots)

    def check(self) -> None:
        parts = (set(self.free), self.held, self.kept_back)
        assert len(self.free) == len(parts[0]), f"{self.owner} freed a slot twice"
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
        assert sum(map(len, parts)) == self.size, (
            f"{self.owner}: free {len(parts[0])} + held {len(parts[1])} + kept back "
            f"{len(parts[2])} is not {self.size}"
        )


class Fleet:
    """What the engines share: the pools by address, the prompts, and what was counted."""

    def __init__(self, seed: int):
        chance = random.Random(f"prompts {seed}")
        self.pools: Dict[str, Pool] = {}
        # Prompts have a common beginning, and mostly go on in the same way for a while.
        self.roots = [[chance.randrange(1000) for _ in range(80)] for _ in range(12)]
        self.stop = threading.Event()
        self.operations = itertools.count()
        self.wrong_reads: List[str] = []
        self.reads = {"accepted": 0, "refused": 0, "failed": 0}


class StampedEngine:
    """`run()` in a thread of its own, and another one that frees what it is told to free."""

    def __init__(self, node: Node, fleet: Fleet, seed: int, slots: int = 1500):
        self.node, self.fleet, self.slots = node, fleet, slots
        self.lock = threading.RLock()  # held while its sidecar cannot answer, and with each step
        self.failure: Optional[BaseException] = None
        self.freed_by_gc = 0
        self.life = 0
        self.state: Optional[Tuple[int, int]] = None
        self._chance = random.Random(f"{seed} {node.name}")
        self._prompts: List[List[int]] = []  # that were inserted, wholly or in part
        self.begin_anew()

    @property
    def token(self) -> bytes:
        return b"%s %d" % (self.node.name.encode(), self.life)

    def begin_anew(self) -> None:
        """The engine itself died: its pool is gone, and nobody reads it any more."""
        self.life += 1
        self.pool = Pool(self.node.name, self.life, self.slots)
        self.fleet.pools[self.node.addr] = self.pool
        self._prompts.clear()
        self.state = None

    # ---- its sidecar -----------------------------------------------------------------------------

    def attach(self) -> None:
        """To a sidecar that has just begun to answer. What it does not hold any more is kept back
        for as long as it says, then free."""
        self.client = radixmesh.connect(
            self.node.socket, timeout=10, engine_token=self.token, state=self.state
        )
        self.pool.epochs.add(self.client.info.epoch)
        known = {
            slot
            for tokens in self._prompts
            for slot in each(self.client.match_prefix(tokens).local_slots)
        }
        assert known <= self.pool.held, "the sidecar came back with slots that were free"
        gone = self.pool.held - known
        self.pool.held -= gone
        wait_s = self.client.info.free_wait_ms / 1000
        if gone and wait_s > 0:
            self.pool.kept_back |= gone
            threading.Timer(wait_s, self._let_go, (self.pool, gone)).start()
        else:
            self.pool.give_back(sorted(gone))
        self._remember_state()
        self._listen()

    def _let_go(self, pool: Pool, slots: Set[int]) -> None:
        with self.lock:
            pool.kept_back -= slots
            pool.give_back(sorted(slots))

    def detach(self) -> None:
        self.subscription.close()
        self.client.close()

    def _remember_state(self) -> None:
        epoch, seq = self.client.status()["version_vector"][self.node.addr]
        self.state = max(self.state or (0, 0), (epoch, seq))

    def _listen(self) -> None:
        self.subscription = self.client.subscribe("gc_free")
        thread = threading.Thread(target=self._free_what_goes, args=(self.subscription, self.pool))
        thread.daemon = True
        thread.start()

    def _free_what_goes(self, subscription: radixmesh.Subscription, pool: Pool) -> None:
        try:
            for event in subscription:
                with self.lock:
                    if pool is not self.pool or subscription is not self.subscription:
                        return
                    self._drop(each(event.slots))
                    self.freed_by_gc += len(each(event.slots))
                    self.state = max(self.state or (0, 0), event.state)
                    event.ack()
        except ConnectionError:
            pass  # the sidecar is gone; what it told is told by attach() then
        except BaseException as error:  # the test looks at it
            self.failure = self.failure or error

    # ---- its work --------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            while not self.fleet.stop.is_set():
                with self.lock:
                    self.step()
        except BaseException as error:
            self.failure = error

    def step(self) -> None:
        next(self.fleet.operations)
        kind = self._chance.random()
        if kind < 0.55:
            self.compute(self._prompt())
        elif kind < 0.95:
            self.read_elsewhere(self._prompt())
        else:
            self._delete()
        self.pool.check()

    def _prompt(self) -> List[int]:
        root = self._chance.choice(self.fleet.roots)
        tokens = root[: self._chance.choice((20, 40, 60, 80))]
        if self._chance.random() < 0.3:
            length = self._chance.randint(*TAIL_TOKENS)
            tokens = tokens + [self._chance.randrange(1000) for _ in range(length)]
        return tokens

    def _drop(self, slots: List[int]) -> None:
        assert set(slots) <= self.pool.held, f"{self.node.name} is to free what it does not hold"
        self.pool.held -= set(slots)
        self.pool.give_back(slots)

    def _make_room(self, wanted: int) -> bool:
        missing = wanted - len(self.pool.free)
        if missing > 0:
            freed = each(self.client.evict(missing))
            self._drop(freed)
            if freed:
                self._remember_state()
        return len(self.pool.free) >= wanted

    def compute(self, tokens: List[int]) -> None:
        """A request: what is cached is locked, the rest computed and inserted."""
        keys = positions(tokens)
        with self.client.acquire(tokens) as lease:
            cached = each(lease.match.local_slots)
            for slot, key in zip(cached, keys):
                assert self.pool.stamps[slot][3] == key, f"{self.node.name}: a wrong local slot"
            if not self._make_room(len(tokens) - len(cached)):
                return
            fresh = self.pool.take(keys[len(cached) :])
            done = self.client.insert(tokens, cached + fresh)
            assert done.prefix_len == len(cached)
            stored = fresh[: done.stored]
            self.pool.held |= set(stored)
            self.pool.give_back(fresh[done.stored :])
            self._prompts.append(tokens)
            if done.freed:
                self._drop(each(done.freed))
                self._remember_state()
        if len(self._prompts) > 400:
            held = self.pool.held
            self._prompts = [
                each_one
                for each_one in self._prompts
                if held & set(each(self.client.match_prefix(each_one).local_slots))
            ]

    def read_elsewhere(self, tokens: List[int]) -> None:
        """What another engine has of a prompt is read there, and used if it may be."""
        with self.client.acquire(tokens, remote=True) as lease:
            remote = [each_one for each_one in lease.segments if each_one.addr != self.node.addr]
            if not remote or remote[0].slots is None:
                return
            segment = remote[0]
            epoch = self.client.status()["version_vector"][segment.addr][0]
            pool = self.fleet.pools[segment.addr]
            if epoch not in pool.epochs:
                self.fleet.reads["failed"] += 1  # that life of the engine is gone
                return
            self.fleet.stop.wait(self._chance.uniform(0, READ_S_MAX))
            read = [pool.stamps[slot] for slot in each(segment.slots)]
            lost = self.fleet.pools[segment.addr] is not pool
            valid = lease.is_valid() and not lost
            self.fleet.reads["accepted" if valid else "refused"] += 1
            if not valid:
                return
            wanted = positions(tokens)[segment.begin : segment.end]
            for stamp, key in zip(read, wanted):
                if stamp is None or (stamp[0], stamp[1], stamp[3]) != (pool.owner, pool.life, key):
                    self.fleet.wrong_reads.append(f"{self.node.name} of {pool.owner}: {stamp}")

    def _delete(self) -> None:
        try:
            freed = each(self.client.delete(self._prompt()[: self._chance.randint(20, 40)]))
        except radixmesh.RetryLater:
            return  # others may read it: it retires
        self._drop(freed)
        if freed:
            self._remember_state()

    # ---- in the end ------------------------------------------------------------------------------

    def check_in_the_end(self) -> None:
        """The sidecar and the engine count the same."""

        def settled() -> bool:
            status = self.client.status()
            with self.lock:
                self.pool.check()
                return (
                    status["gc"]["unacknowledged"] == 0
                    and status["local_tokens"] == len(self.pool.held)
                    and not self.pool.kept_back
                )

        wait_until(settled, f"{self.node.name} holds what its sidecar says", 30.0)
