"""An engine beside its sidecar, with a model of what it holds that is kept without the sidecar's
tree: the set of its prefixes, the slot of each one's last token, and what each op did to them.

Page size 1: each token of a prompt is a page, so a prefix is one entry of the model. A prefix's key
is a hash of its namespace and tokens; the depth of a lookup is the longest run of held keys. Every
answer of the sidecar that speaks of what this engine holds is compared with the model at once.

What was done last may never have left a sidecar that was killed. The journal knows by seq what each
op did, so the model can go back to the seq that came back.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import deque
from typing import Deque, Dict, Iterable, List, Optional, Sequence, Tuple

import radixmesh
from loopback import Node

HELD_MAX = 6000  # tokens; above it the engine evicts
JOURNAL_OPS = 20_000
NAMESPACES = (None, None, None, "tenant")
Query = Tuple[Optional[str], List[int]]


def keys_of(namespace: Optional[str], tokens: Sequence[int]) -> List[int]:
    """One for each prefix, the shortest first."""
    key = 0 if namespace is None else hash(("namespace", *namespace.encode()))
    keys = []
    for token in tokens:
        key = hash((key, token))
        keys.append(key)
    return keys


class Held:
    """What one engine holds."""

    def __init__(self) -> None:
        self.slots: Dict[int, int] = {}  # of each key
        self._keys: Dict[int, int] = {}  # of each slot
        self._above: Dict[int, int] = {}  # the key one token shorter, 0 at the first
        self._below: Dict[int, set] = {}

    def depth(self, keys: Sequence[int]) -> int:
        return sum(1 for _ in itertools.takewhile(self.slots.__contains__, keys))

    def put(self, key: int, above: int, slot: int) -> None:
        self.slots[key], self._keys[slot], self._above[key] = slot, key, above
        self._below.setdefault(above, set()).add(key)

    def drop(self, key: int) -> Tuple[int, int, int]:
        """What `put` needs to undo it."""
        slot, above = self.slots.pop(key), self._above.pop(key)
        del self._keys[slot]
        self._below[above].discard(key)
        if not self._below[above]:
            del self._below[above]
        return key, above, slot

    def key_at(self, slot: int) -> int:
        return self._keys[slot]

    def and_below(self, key: int) -> List[int]:
        found = [key]
        for each in found:
            found += self._below.get(each, ())
        return found

    def without_parent(self, keys: Iterable[int]) -> List[int]:
        """Those of `keys` that are held though what is above them is not."""
        return [key for key in keys if any(each in self.slots for each in self._below.get(key, ()))]


class Engine:
    """`step()` does one thing to the cache. `lock` is held meanwhile: who holds it may do things
    to the sidecar that no call survives."""

    def __init__(self, node: Node, seed: object, token: Optional[bytes] = None):
        self.node = node
        self.token = token
        self.lock = threading.Lock()
        self.held = Held()
        self.steps = 0
        self.lost_ops = 0
        self.failure: Optional[BaseException] = None
        self.client: Optional[radixmesh.Mesh] = None
        self._chance = random.Random(f"engine {seed}")
        self._next_slot = 0
        self._seq = 0
        # What each op did: the seq after it, what it put, what it dropped.
        self._journal: Deque[Tuple[int, list, list]] = deque(maxlen=JOURNAL_OPS)
        shared = random.Random("shared prefixes")
        self._known: List[Query] = [
            (None, [shared.randrange(50_000) for _ in range(shared.randrange(8, 80))])
            for _ in range(12)
        ]

    # ---- the connection --------------------------------------------------------------------------

    def attach(self, state: Optional[Tuple[int, int]] = None) -> None:
        """Connects; with a token the answer comes when what came back is there."""
        self.client = radixmesh.connect(
            self.node.socket, timeout=20, engine_token=self.token, state=state
        )
        seq = self._own_seq()
        while self._journal and self._journal[-1][0] > seq:
            self._undo(*self._journal.pop()[1:])
            self.lost_ops += 1
        self._seq = seq

    def detach(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    def begin_anew(self, token: Optional[bytes]) -> None:
        """The engine's process was started again: its cache is empty."""
        self.token = token
        self.held = Held()
        self._journal.clear()
        self._seq = 0

    def _own_seq(self) -> int:
        return self.client.status()["version_vector"][self.node.addr][1]

    # ---- the work --------------------------------------------------------------------------------

    def run(self, stop: threading.Event, pause_s: float) -> None:
        """Until `stop`, and whenever it is attached. A failure is kept for the test to find."""
        try:
            while not stop.wait(pause_s):
                with self.lock:
                    if self.client is not None:
                        self.step()
        except BaseException as failure:  # noqa: BLE001: shown by the test's own thread
            self.failure = failure

    def step(self) -> None:
        self.steps += 1
        kind = self._chance.random()
        if len(self.held.slots) > HELD_MAX:
            self._evict(HELD_MAX // 4)
        elif kind < 0.75:
            self._insert()
        elif kind < 0.85:
            self._evict(self._chance.randrange(1, 60))
        elif kind < 0.93:
            self._delete()
        elif kind < 0.998:
            self._match()
        else:
            self._reset()

    def some_query(self) -> Query:
        namespace, tokens = self._chance.choice(self._known)
        return namespace, tokens[: self._chance.randrange(1, len(tokens) + 1)]

    def insert(self, namespace: Optional[str], tokens: List[int]) -> None:
        keys = keys_of(namespace, tokens)
        first = self._next_slot
        self._next_slot += len(tokens)
        result = self.client.insert(tokens, [(first, len(tokens))], namespace)
        depth = self.held.depth(keys)
        assert (result.prefix_len, result.stored) == (depth, len(keys) - depth), result
        assert result.freed == ()
        put = []
        for i in range(depth, len(keys)):
            put.append((keys[i], keys[i - 1] if i else 0, first + i))
            self.held.put(*put[-1])
        self._note(put, [])

    def _insert(self) -> None:
        namespace, tokens = self.some_query()
        tokens = tokens + [
            self._chance.randrange(50_000) for _ in range(self._chance.randrange(0, 60))
        ]
        query = (self._chance.choice(NAMESPACES), tokens)
        if len(self._known) < 200:
            self._known.append(query)
        else:
            self._known[self._chance.randrange(12, 200)] = query
        self.insert(*query)

    def _evict(self, count: int) -> None:
        held = len(self.held.slots)
        freed = [self.held.key_at(slot) for slot in _each(self.client.evict(count))]
        assert len(freed) >= min(count, held), (
            f"evict({count}) freed {len(freed)} of {held} tokens; now: {self.client.status()}"
        )
        self._drop(freed)

    def _delete(self) -> None:
        namespace, tokens = self.some_query()
        last = keys_of(namespace, tokens)[-1]
        expected = self.held.and_below(last) if last in self.held.slots else []
        freed = [self.held.key_at(slot) for slot in _each(self.client.delete(tokens, namespace))]
        assert sorted(freed) == sorted(expected), "delete freed something else"
        self._drop(freed)

    def _match(self) -> None:
        namespace, tokens = self.some_query()
        match = self.client.match_prefix(tokens, namespace)
        slots = [self.held.slots[key] for key in self._held_keys(namespace, tokens)]
        assert list(_each(match.local_slots)) == slots

    def _reset(self) -> None:
        freed = [self.held.key_at(slot) for slot in _each(self.client.reset())]
        assert len(freed) == len(self.held.slots)
        self._drop(freed, is_op=True)

    def _held_keys(self, namespace: Optional[str], tokens: List[int]) -> List[int]:
        keys = keys_of(namespace, tokens)
        return keys[: self.held.depth(keys)]

    # ---- the journal -----------------------------------------------------------------------------

    def _drop(self, keys: List[int], is_op: bool = False) -> None:
        dropped = [self.held.drop(key) for key in keys]
        assert self.held.without_parent(keys) == [], "what is below a prefix went not with it"
        self._note([], dropped, is_op)

    def _note(self, put: list, dropped: list, is_op: bool = False) -> None:
        """What changed nothing is no op, but for a reset: that is one even of nothing."""
        if not put and not dropped and not is_op:
            return
        seq = self._own_seq()
        # Else a part of an op could come back, and the model could not know which.
        assert seq == self._seq + 1, f"one call made {seq - self._seq} ops"
        self._seq = seq
        self._journal.append((seq, put, dropped))

    def _undo(self, put: list, dropped: list) -> None:
        for key, _, _ in reversed(put):
            self.held.drop(key)
        for each in reversed(dropped):
            self.held.put(*each)


def _each(runs: Iterable[Tuple[int, int]]) -> Iterable[int]:
    for start, count in runs:
        yield from range(start, start + count)


def expected_depths(engines: Iterable[Engine], query: Query) -> Dict[str, int]:
    """What every node must answer to a lookup, by the engines' models."""
    keys = keys_of(*query)
    depths = {engine.node.addr: engine.held.depth(keys) for engine in engines}
    return {addr: depth for addr, depth in depths.items() if depth > 0}


def check_lookups(nodes: Iterable[Node], engines: Sequence[Engine], count: int = 300) -> None:
    """Every node answers `count` sampled prefixes as the models do."""
    chance = random.Random("lookups")
    queries = [chance.choice(engines).some_query() for _ in range(count)]
    found = 0
    for query in queries:
        expected = expected_depths(engines, query)
        found += bool(expected)
        for node in nodes:
            match = node.client.match_prefix(query[1], query[0])
            assert dict(match.depths) == expected, f"{node.name} about {query}"
            assert match.length == max(expected.values(), default=0)
    assert found > count // 10, "hardly any sampled prefix is held by anyone"
