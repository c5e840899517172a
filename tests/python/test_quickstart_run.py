"""The quickstart's engines and gateway, on a mesh in memory that keeps the protocol's promises.

FakeMesh is the relation itself: each node has a set of pages, a page being the bytes of the whole
prefix that ends with it, and every node reads all sets. Switches break single promises on purpose.
"""

import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from gateway.chat import chat_workload  # noqa: E402
from gateway.converge import first_difference  # noqa: E402
from gateway.engine import Engine  # noqa: E402
from gateway.failure import Failure  # noqa: E402
from gateway.report import tokens_per_node  # noqa: E402
from gateway.request import Request, best_hit_tokens  # noqa: E402
from gateway.router_view import RouterView  # noqa: E402
from gateway.run import Gateway  # noqa: E402
from gateway.tokens import expand  # noqa: E402

PAGE = 4


class FakeMesh:
    def __init__(self, addrs, page_size=PAGE):
        self.page_size = page_size
        self.nodes = {addr: FakeNode(self, addr) for addr in addrs}
        self.calls = []

    def __getitem__(self, addr):
        return self.nodes[addr]


class FakeNode:
    """`slots` has one entry a page: the slots of its tokens."""

    def __init__(self, mesh, addr, epoch=1):
        self.mesh = mesh
        self.addr = addr
        self.epoch = epoch
        self.seq = 0
        self.slots = {}
        self.used = {}
        self.locked = set()
        self.clock = count()
        # How many looks at the router's status it takes until it has caught up.
        self.lag = 0
        self.route_deeper_by = 0

    def status(self):
        self.mesh.calls.append((self.addr, "status"))
        behind = self.lag > 0
        self.lag = max(self.lag - 1, 0)
        vector = {
            a: [n.epoch, n.seq - (behind and n is not self)] for a, n in self.mesh.nodes.items()
        }
        return {
            "version_vector": vector,
            "digests": {a: str(hash(frozenset(n.slots))) for a, n in self.mesh.nodes.items()},
            "role": self.addr[:-1],
            "local_tokens": len(self.slots) * self.mesh.page_size,
            "bytes_sent": 10 * self.seq,
            "policy": "a policy",
        }

    def pages_of(self, tokens):
        size = self.mesh.page_size
        data = numpy.ascontiguousarray(tokens, dtype="<u4").tobytes()
        return [data[: 4 * end] for end in range(size, len(tokens) + 1, size)]

    def held(self, tokens):
        pages = self.pages_of(tokens)
        return pages[: next((i for i, p in enumerate(pages) if p not in self.slots), len(pages))]

    def acquire(self, tokens):
        self.mesh.calls.append((self.addr, "acquire"))
        pages = self.held(tokens)
        for page in reversed(pages):
            self.used[page] = next(self.clock)
        self.locked = set(pages)
        match = SimpleNamespace(
            local_length=len(pages) * self.mesh.page_size,
            local_slots=tuple((slot, 1) for page in pages for slot in self.slots[page]),
        )
        return FakeLease(self, match)

    def insert(self, tokens, slots):
        self.mesh.calls.append((self.addr, "insert"))
        flat = [slot for start, n in slots for slot in range(start, start + n)]
        assert len(flat) == len(tokens), "one slot per token"
        held = self.held(tokens)
        new = self.pages_of(tokens)[len(held) :]
        size = self.mesh.page_size
        for at, page in enumerate(new, start=len(held)):
            self.slots[page] = flat[at * size : (at + 1) * size]
            self.used[page] = next(self.clock)
        self.seq += bool(new)
        return SimpleNamespace(prefix_len=len(held) * size, stored=len(new) * size, freed=())

    def evict(self, num_tokens):
        self.mesh.calls.append((self.addr, "evict"))
        freed = []
        while len(freed) < num_tokens:
            leaves = [
                page
                for page in self.slots
                if page not in self.locked
                and not any(p != page and p.startswith(page) for p in self.slots)
            ]
            if not leaves:
                break
            oldest = min(leaves, key=self.used.__getitem__)
            freed += self.slots.pop(oldest)
        self.seq += bool(freed)
        return tuple((slot, 1) for slot in freed)

    def route(self, tokens):
        self.mesh.calls.append((self.addr, "route"))

        def best(role):
            nodes = [n for a, n in self.mesh.nodes.items() if a.startswith(role)]
            if not nodes:
                return None
            node = max(nodes, key=lambda n: (len(n.held(tokens)), -len(n.slots)))
            depth = len(node.held(tokens)) * self.mesh.page_size + self.route_deeper_by
            return SimpleNamespace(addr=node.addr, depth=depth)

        booking = SimpleNamespace(
            prefill_done=lambda hit_tokens: self.mesh.calls.append((self.addr, "prefill_done")),
            finish=lambda: self.mesh.calls.append((self.addr, "finish")),
        )
        return SimpleNamespace(
            prefill=best("prefill"), decode=best("decode"), reason="a test", booking=booking
        )


class FakeLease:
    def __init__(self, node, match):
        self.node = node
        self.match = match

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.mesh.calls.append((self.node.addr, "release"))
        self.node.locked = set()


def gateway_on(mesh, capacity, expand_request=expand):
    router = mesh["router0"]
    engines = {
        addr: Engine(addr, node, capacity, mesh.page_size)
        for addr, node in mesh.nodes.items()
        if not addr.startswith("router")
    }
    view = RouterView(router, catch_up_s_max=0.05)
    return Gateway(router, engines, view, expand_request)


def small_mesh():
    return FakeMesh(["prefill0", "prefill1", "decode0", "router0"])


def prompt(*tokens):
    return numpy.array(tokens, dtype="<u4")


# --- an engine -----------------------------------------------------------------------------------


def engine_on_one_node(capacity):
    mesh = FakeMesh(["prefill0"])
    return mesh, Engine("prefill0", mesh["prefill0"], capacity, PAGE)


def test_serves_the_running_example():
    mesh, engine = engine_on_one_node(capacity=100)
    assert engine.serve(prompt(1, 2, 3, 4)).stored == 4
    served = engine.serve(prompt(*range(1, 11)))
    assert (served.local_length, served.stored, served.changed) == (4, 4, True)
    # The tail of two came back, so 8 slots are out.
    assert engine._pool.free_slots == 92


def test_a_prompt_that_is_cached_whole_costs_two_calls():
    mesh, engine = engine_on_one_node(capacity=100)
    engine.serve(prompt(1, 2, 3, 4))
    mesh.calls.clear()
    served = engine.serve(prompt(1, 2, 3, 4, 5))
    assert (served.local_length, served.stored, served.changed) == (4, 0, False)
    assert mesh.calls == [("prefill0", "acquire"), ("prefill0", "release")]


def test_evicts_what_is_missing():
    mesh, engine = engine_on_one_node(capacity=8)
    engine.serve(prompt(*range(8)))
    assert engine.serve(prompt(*range(100, 104))).stored == 4
    # Leaf first: the beginning of the first prompt is still there.
    assert engine.serve(prompt(*range(8))).local_length == 4


def test_caches_the_beginning_of_a_prompt_larger_than_its_pool():
    mesh, engine = engine_on_one_node(capacity=10)
    engine.serve(prompt(*range(100, 108)))
    assert engine.serve(prompt(*range(20))).stored == 8
    assert engine.serve(prompt(*range(20))).local_length == 8


def test_frees_its_duplicates_where_another_writer_was_first():
    mesh, engine = engine_on_one_node(capacity=100)
    node = mesh["prefill0"]
    tokens = prompt(*range(12))
    # Between acquire and insert somebody else stores the same prompt.
    acquire = node.acquire

    def acquire_and_lose(tokens):
        lease = acquire(tokens)
        node.acquire = acquire
        FakeNode.insert(node, tokens[:8], [(1000, 8)])
        return lease

    node.acquire = acquire_and_lose
    assert engine.serve(tokens).stored == 4
    assert engine._pool.free_slots == 96


def test_a_sidecar_that_gives_back_what_it_has_not_is_a_failure():
    mesh, engine = engine_on_one_node(capacity=8)
    engine.serve(prompt(*range(8)))
    mesh["prefill0"].evict = lambda n: ((0, 4), (0, 4))
    with pytest.raises(Failure, match="prefill0 gave back slots that it did not hold"):
        engine.serve(prompt(*range(100, 108)))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(4, 40),
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=30), max_size=20),
)
def test_pool_and_cache_agree_after_any_prompts(capacity, prompts):
    mesh, engine = engine_on_one_node(capacity)
    node = mesh["prefill0"]
    for tokens in prompts:
        served = engine.serve(prompt(*tokens))
        assert not served.phantom
        cached = sorted(slot for page in node.slots.values() for slot in page)
        assert len(cached) == len(set(cached))
        assert engine._pool.free_slots == capacity - len(cached)
        assert engine._pool.holds([(slot, 1) for slot in cached])


# --- the gateway ---------------------------------------------------------------------------------


def send(gateway, requests):
    done = []
    gateway.send_all(requests, done.append)
    assert done == list(range(1, len(requests) + 1))
    return gateway.totals


def test_without_evictions_one_node_a_role_reaches_the_best_possible():
    mesh = FakeMesh(["prefill0", "decode0", "router0"])
    # Lengths of whole pages, so that blocks and pages count the same.
    requests = [Request(600, (1, 2)), Request(600, (1, 3)), Request(700, (1, 2))]
    totals = send(gateway_on(mesh, capacity=10**6), requests)
    assert (totals.requests, totals.input_tokens) == (3, 1900)
    assert totals.hit_tokens == 512 + 600
    assert totals.hit_tokens == best_hit_tokens(requests)
    # Both engines stored everything that the prefill node had not found.
    assert totals.new_tokens == 2 * (totals.input_tokens - totals.hit_tokens)
    assert (totals.violations, totals.first_violation) == (0, None)


def test_with_evictions_hits_stay_below_the_best_and_nothing_is_violated():
    mesh = small_mesh()
    mesh.page_size = 256
    requests = chat_workload(40)
    totals = send(gateway_on(mesh, capacity=8_000), requests)
    assert ("prefill0", "evict") in mesh.calls
    assert 0 < totals.hit_tokens < best_hit_tokens(requests)
    assert totals.violations == 0
    statuses = {addr: node.status() for addr, node in mesh.nodes.items()}
    assert first_difference(statuses) is None
    assert all(tokens <= 8_000 for _, _, tokens in tokens_per_node(statuses))


def test_a_router_that_promises_too_much_is_a_violation():
    mesh = small_mesh()
    mesh["router0"].route_deeper_by = PAGE
    totals = send(gateway_on(mesh, 1000), [Request(8, (1,))])
    assert totals.violations == 2
    assert "routed for 4 cached tokens, 0 were there" in totals.first_violation


def test_a_match_of_slots_that_were_never_filled_is_a_violation():
    mesh = FakeMesh(["prefill0", "decode0", "router0"])
    gateway = gateway_on(mesh, 1000)
    mesh["prefill0"].insert(expand(Request(8, (1,))), [(500, 8)])
    totals = send(gateway, [Request(8, (1,))])
    assert totals.violations == 1 and "never filled" in totals.first_violation


def test_waits_for_the_router_only_after_a_change():
    mesh = FakeMesh(["prefill0", "decode0", "router0"])
    gateway = gateway_on(mesh, 1000)
    send(gateway, [Request(8, (1,))])
    assert ("router0", "status") not in mesh.calls
    mesh["router0"].lag = 3
    mesh.calls.clear()
    gateway.send_all([Request(8, (1,))] * 2, lambda done: None)
    before_route = mesh.calls[: mesh.calls.index(("router0", "route"))]
    assert before_route.count(("router0", "status")) == 4
    assert before_route.count(("prefill0", "status")) == 1
    # The second of the two found all there and changed nothing, so nobody was asked again.
    assert mesh.calls.count(("router0", "status")) == 4


def test_a_router_that_never_catches_up_is_a_failure():
    mesh = small_mesh()
    gateway = gateway_on(mesh, 1000)
    send(gateway, [Request(8, (1,))])
    mesh["router0"].lag = 10**9
    with pytest.raises(Failure, match="has not caught up with .* after 0.05 s"):
        gateway.send_all([Request(8, (1,))], lambda done: None)


def test_no_node_is_a_failure():
    mesh = FakeMesh(["prefill0", "router0"])
    with pytest.raises(Failure, match="request 1: the router names no decode node"):
        send(gateway_on(mesh, 1000), [Request(8, (1,))])


def test_a_stranger_s_address_is_a_failure():
    mesh = small_mesh()
    gateway = gateway_on(mesh, 1000)
    del gateway.engines["decode0"]
    with pytest.raises(Failure, match="decode0, which is no engine"):
        send(gateway, [Request(8, (1,))])


def test_a_killed_engine_starts_empty_and_the_router_is_waited_for():
    mesh = small_mesh()
    gateway = gateway_on(mesh, 10_000)
    requests = [Request(600, (1, 2)), Request(600, (1, 3))] * 4

    def kill_in_the_middle(done):
        if done == 4:
            mesh.nodes["prefill0"] = FakeNode(mesh, "prefill0", epoch=2)
            mesh["router0"].lag = 2
            gateway.engines["prefill0"] = Engine("prefill0", mesh["prefill0"], 10_000, PAGE)
            gateway.view.note_change(gateway.engines["prefill0"])

    gateway.send_all(requests, kill_in_the_middle)
    assert gateway.totals.violations == 0
