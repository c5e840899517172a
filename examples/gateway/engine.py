"""A simulated engine beside one sidecar: what a real one does with its KV memory, without the GPU.

Per prompt, on the running example of page size 4, a prompt of 10 tokens of which 4 are cached:

    acquire    [a b c d]                      match 4, locked until release
    allocate             [e f g h  i j]       6 slots, evicting first if the pool is short
    insert     [a b c d . e f g h] i j        answers prefix_len 4, stored 4
    free                           i j        the tail after the last whole page
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.failure import Failure
from gateway.slot_pool import SlotPool, cut


class Served(NamedTuple):
    """What a prompt found here, and what it left."""

    local_length: int
    stored: int
    changed: bool
    # The match named slots that this engine had not handed out: not a match, whatever it says.
    phantom: bool


class Engine:
    """`client` is a connection to the sidecar; `capacity` the pool in tokens, one slot each."""

    def __init__(self, addr: str, client: Any, capacity: int, page_size: int):
        self.addr = addr
        self._client = client
        self._page_size = page_size
        self._pool = SlotPool(capacity)

    def status(self) -> dict:
        return self._client.status()

    def serve(self, tokens: Any) -> Served:
        """Caches the prompt as far as the pool allows, and frees whatever the sidecar did not take.

        No request goes to the sidecar that has nothing to do: a prompt that is cached whole is
        only acquired and released, and eviction is asked for only where the pool is short.
        """
        with self._client.acquire(tokens) as lease:
            match = lease.match
            have = match.local_length
            if not self._pool.holds(match.local_slots):
                return Served(have, 0, False, phantom=True)
            # A page at least must be missing for an insert to change anything.
            if len(tokens) - have < self._page_size:
                return Served(have, 0, False, phantom=False)
            evicted = self._make_room(len(tokens) - have)
            tokens = tokens[: have + self._pool.free_slots]
            stored = self._insert(tokens, have, match.local_slots)
        return Served(have, stored, bool(stored or evicted), phantom=False)

    def _make_room(self, wanted: int) -> int:
        """Evicts what is missing; the answer is short only where all the rest is locked."""
        short = wanted - self._pool.free_slots
        if short <= 0:
            return 0
        freed = self._client.evict(short)
        self._take_back(freed)
        return sum(count for _, count in freed)

    def _insert(self, tokens: Any, have: int, local_slots: Any) -> int:
        fresh = self._pool.allocate(len(tokens) - have)
        result = self._client.insert(tokens, [*map(tuple, local_slots), *fresh])
        # The insert contract: first writer wins, so what was here before `prefix_len` is ours to
        # free again, like what was not stored; the stretch between belongs to the cache now.
        kept_end = result.prefix_len + result.stored
        self._take_back(cut(fresh, 0, result.prefix_len - have))
        self._take_back(cut(fresh, max(kept_end - have, 0), len(tokens) - have))
        self._take_back(result.freed)
        return result.stored

    def _take_back(self, runs: Any) -> None:
        try:
            self._pool.free(runs)
        except ValueError as error:
            raise Failure(f"{self.addr} gave back slots that it did not hold: {error}") from error
