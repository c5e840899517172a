"""A random workload at one node, from a seed: shared prefixes, growth, removals of all kinds."""

from __future__ import annotations

import random
from typing import List, Sequence

import radixmesh

SLOTS_MAX = 1 << 40


def some_slots(chance: random.Random, count: int) -> List[tuple]:
    """Runs, one slot a token; a few runs so that both short and long ones occur."""
    runs = []
    while count > 0:
        length = min(count, chance.choice((1, 7, 64, 4096)))
        runs.append((chance.randrange(SLOTS_MAX), length))
        count -= length
    return runs


class Workload:
    """`step()` does one thing to the cache behind `client`."""

    def __init__(self, client: radixmesh.Mesh, seed: object, removals: bool = True):
        self.client = client
        self._chance = random.Random(f"workload {seed}")
        self._removals = removals
        # The same prefixes for all seeds: what several nodes hold is the interesting part.
        shared = random.Random("shared prefixes")
        self._known: List[List[int]] = [
            [shared.randrange(50_000) for _ in range(shared.randrange(16, 300))] for _ in range(12)
        ]

    def step(self) -> None:
        chance = self._chance
        kind = chance.random()
        if not self._removals or kind < 0.80:
            self._insert()
        elif kind < 0.90:
            self.client.evict(chance.randrange(1, 400))
        elif kind < 0.97:
            tokens = chance.choice(self._known)
            self._unless_locked(self.client.delete, tokens[: chance.randrange(1, len(tokens) + 1)])
        elif kind < 0.99:
            with self.client.acquire(chance.choice(self._known)):
                self.client.evict(100)
        else:
            self._unless_locked(self.client.reset)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def _insert(self) -> None:
        chance = self._chance
        tokens = list(chance.choice(self._known))
        tokens = tokens[: chance.randrange(1, len(tokens) + 1)]
        tokens += [chance.randrange(50_000) for _ in range(chance.randrange(0, 200))]
        if len(self._known) < 200:
            self._known.append(tokens)
        namespace = chance.choice((None, None, None, "tenant", radixmesh.Namespace(lora="l1")))
        self.client.insert(tokens, some_slots(chance, len(tokens)), namespace)

    @staticmethod
    def _unless_locked(call, *arguments: Sequence[int]) -> None:
        try:
            call(*arguments)
        except radixmesh.RetryLater:
            pass  # another client of this node holds a lease
