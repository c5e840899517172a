"""What one node does, all others see: the mesh's one picture, asked through real sockets."""

import random
import signal
import subprocess
import sys
import threading

import pytest

import radixmesh
from loopback import alive_at, wait_until
from workload import Workload

STATUS_FIELDS = (
    "addr rank role epoch cluster ready page_size topology policy local_tokens evictable_tokens "
    "protected_tokens tree_tokens version_vector digests ops_applied bytes_sent bytes_received "
    "memory_bytes counters"
).split()
NODE_FIELDS = "addr rank role epoch state applied head last_heard_ms load".split()
EMPTY_DIGEST = "0" * 32


@pytest.fixture(scope="module")
def mesh(module_mesh_of):
    """2 prefill, 1 decode, 2 routers, page size 1; the last node late, a router first."""
    mesh = module_mesh_of(prefill=2, decode=1, router=2)
    for name in ("r1", "r0", "d0", "p1"):
        mesh[name].start()
    wait_until(mesh["r1"].answers, "the first node answers while others are missing")
    assert mesh["r1"].client.status()["ready"] is False
    mesh["p0"].start()
    mesh.wait_ready(*mesh.nodes)
    mesh.wait_alive()
    return mesh


@pytest.fixture
def tokens():
    """300 tokens that no other test of this module uses."""
    return [random.SystemRandom().randrange(2**32) for _ in range(300)]


def slots(start, count):
    return [(start, count)]


def depths_at(node, tokens, namespace=None):
    return dict(node.client.match_prefix(tokens, namespace).depths)


def wait_depths(mesh, tokens, expected, namespace=None):
    for node in mesh.nodes:
        wait_until(
            lambda node=node: depths_at(node, tokens, namespace) == expected,
            f"{node.name} shows {expected}, not {depths_at(node, tokens, namespace)}",
        )


def test_status_has_the_fields_of_the_contract(mesh):
    mesh.wait_agree()
    addrs = sorted(node.addr for node in mesh.nodes)
    for node in mesh.nodes:
        status = node.client.status()
        assert [name for name in STATUS_FIELDS if name not in status] == []
        assert (status["addr"], status["rank"]) == (node.addr, node.rank)
        assert (status["role"], status["cluster"]) == (node.role, mesh.cluster)
        assert (status["ready"], status["page_size"], status["topology"]) == (True, 1, "mesh")
        assert list(status["version_vector"]) == addrs
        assert list(status["digests"]) == addrs
        for router in (mesh["r0"], mesh["r1"]):
            epoch, seq = status["version_vector"][router.addr]
            assert epoch == router.client.status()["epoch"]
            assert seq == 0
            assert status["digests"][router.addr] == EMPTY_DIGEST
        assert all(len(digest) == 32 for digest in status["digests"].values())
        assert status["version_vector"][node.addr][0] == status["epoch"]


def test_members_without_ops_stand_in_vector_and_digests_with_seq_0(mesh_of):
    mesh = mesh_of(prefill=1, unified=1, router=1)
    mesh["u0"].start()
    wait_until(mesh["u0"].answers, "u0 answers")
    status = mesh["u0"].client.status()
    assert list(status["version_vector"]) == sorted(node.addr for node in mesh.nodes)
    assert {tuple(entry)[1] for entry in status["version_vector"].values()} == {0}
    assert set(status["digests"].values()) == {EMPTY_DIGEST}
    assert status["version_vector"][mesh["p0"].addr] == [0, 0], "never heard of"


def test_nodes_has_one_entry_a_member_in_order_of_rank(mesh):
    for node in mesh.nodes:
        members = node.client.nodes()
        assert [member.rank for member in members] == list(range(len(mesh.nodes)))
        assert [member.addr for member in members] == [other.addr for other in mesh.nodes]
        assert [member.role for member in members] == [other.role for other in mesh.nodes]
        assert {member.state for member in members} == {"alive"}
        for member, other in zip(members, mesh.nodes):
            assert member.epoch == other.client.status()["epoch"]
            assert all(hasattr(member, field) for field in NODE_FIELDS)


def test_an_insert_is_seen_at_all_others_with_its_depth(mesh, tokens):
    mesh["p0"].client.insert(tokens, slots(1000, 300))
    mesh["d0"].client.insert(tokens[:120], slots(50, 120))
    wait_depths(mesh, tokens, {mesh["p0"].addr: 300, mesh["d0"].addr: 120})
    wait_depths(mesh, tokens[:100], {mesh["p0"].addr: 100, mesh["d0"].addr: 100})
    wait_depths(mesh, [*tokens[:200], 1], {mesh["p0"].addr: 200, mesh["d0"].addr: 120})


def test_a_match_never_mixes_what_is_here_with_what_is_elsewhere(mesh, tokens):
    p0, p1, d0 = mesh["p0"], mesh["p1"], mesh["d0"]
    d0.client.insert(tokens, slots(10, 300))
    p1.client.insert(tokens[:100], slots(10, 100))
    wait_depths(mesh, tokens, {p1.addr: 100, d0.addr: 300})

    here = p1.client.match_prefix(tokens)
    assert (here.length, here.local_length, here.local_slots) == (300, 100, ((10, 100),))
    assert [(s.begin, s.end, s.addr, s.slots) for s in here.segments] == [
        (0, 100, p1.addr, ((10, 100),)),
        (100, 300, d0.addr, ((110, 200),)),
    ]
    elsewhere = p0.client.match_prefix(tokens)
    assert (elsewhere.length, elsewhere.local_length, elsewhere.local_slots) == (300, 0, ())
    at_router = mesh["r0"].client.match_prefix(tokens)
    assert (at_router.length, at_router.local_length, at_router.local_slots) == (300, 0, ())
    assert [segment.slots for segment in at_router.segments] == [None, None]


def test_remote_entries_are_not_evictable_here(mesh, tokens):
    p0, p1 = mesh["p0"], mesh["p1"]
    p0.client.insert(tokens, slots(0, 300))
    wait_depths(mesh, tokens, {p0.addr: 300})
    p1.client.reset()
    assert p1.client.status()["evictable_tokens"] == 0
    assert p1.client.evict(1000) == ()
    wait_depths(mesh, tokens, {p0.addr: 300})


def test_delete_evict_and_reset_reach_all(mesh, tokens):
    p1, d0 = mesh["p1"], mesh["d0"]
    p1.client.reset()
    p1.client.insert(tokens, slots(0, 300))
    d0.client.insert(tokens, slots(0, 300))
    wait_depths(mesh, tokens, {p1.addr: 300, d0.addr: 300})

    assert p1.client.delete(tokens[:200]) == ((199, 101),), "what is above stays"
    wait_depths(mesh, tokens, {p1.addr: 199, d0.addr: 300})
    freed = p1.client.evict(99)
    assert sum(count for _, count in freed) == 99
    wait_depths(mesh, tokens, {p1.addr: 100, d0.addr: 300})
    assert p1.client.reset() == ((0, 100),)
    wait_depths(mesh, tokens, {d0.addr: 300})
    assert p1.client.status()["local_tokens"] == 0
    mesh.wait_agree()


def test_namespaces_share_nothing(mesh, tokens):
    p0, d0 = mesh["p0"], mesh["d0"]
    names = [None, "a", radixmesh.Namespace(model="a"), radixmesh.Namespace(extra_key=b"a")]
    for length, name in enumerate(names, start=10):
        p0.client.insert(tokens[:length], slots(0, length), name)
    d0.client.insert(tokens[:5], slots(0, 5), "a")
    for length, name in enumerate(names, start=10):
        expected = {p0.addr: length}
        if name == "a":
            expected[d0.addr] = 5
        wait_depths(mesh, tokens, expected, name)
    wait_depths(mesh, tokens, {}, radixmesh.Namespace(lora="a"))
    p0.client.delete(tokens[:1], "a")
    wait_depths(mesh, tokens, {d0.addr: 5}, "a")
    wait_depths(mesh, tokens, {p0.addr: 10})


def test_a_router_holds_nothing_and_says_so(mesh, tokens):
    for call in (
        lambda client: client.insert(tokens, slots(0, 300)),
        lambda client: client.evict(1),
        lambda client: client.delete(tokens),
        lambda client: client.reset(),
        lambda client: client.acquire(tokens),
    ):
        with pytest.raises(radixmesh.UseAnotherNode):
            call(mesh["r0"].client)


def test_a_router_routes_to_the_deepest_of_each_role(mesh, tokens):
    p0, p1, d0 = mesh["p0"], mesh["p1"], mesh["d0"]
    p0.client.insert(tokens[:50], slots(0, 50))
    p1.client.insert(tokens[:80], slots(0, 80))
    d0.client.insert(tokens[:20], slots(0, 20))
    wait_depths(mesh, tokens, {p0.addr: 50, p1.addr: 80, d0.addr: 20})
    for name in ("r0", "r1"):
        route = mesh[name].client.route(tokens, book=False)
        assert (route.prefill.addr, route.prefill.depth) == (p1.addr, 80)
        assert (route.decode.addr, route.decode.depth) == (d0.addr, 20)
        assert route.reason


def test_routers_agree_on_a_prompt_that_nobody_holds(mesh, tokens):
    one, other = (mesh[name].client.route(tokens, book=False) for name in ("r0", "r1"))
    assert one == other
    assert one.prefill.depth == one.decode.depth == 0


HOLD_A_LEASE = """
import sys, radixmesh
client = radixmesh.connect(sys.argv[1])
client.acquire([int(token) for token in sys.argv[2].split(",")])
print("held", flush=True)
sys.stdin.read()
"""


def test_the_lease_of_a_client_that_is_killed_is_released(mesh, tokens):
    p0 = mesh["p0"]
    p0.client.reset()
    p0.client.insert(tokens, slots(0, 300))
    engine = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_LEASE, p0.socket, ",".join(map(str, tokens))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert engine.stdout.readline() == b"held\n"
        assert p0.client.status()["protected_tokens"] == 300
        assert p0.client.evict(1000) == ()
        for refused in (p0.client.reset, lambda: p0.client.delete(tokens[:5])):
            with pytest.raises(radixmesh.RetryLater):
                refused()
        engine.send_signal(signal.SIGKILL)
        wait_until(lambda: p0.client.status()["evictable_tokens"] == 300, "the lease is gone")
        assert sum(count for _, count in p0.client.evict(1000)) == 300
    finally:
        engine.kill()
        engine.communicate()


def test_events_tell_of_each_op_in_order(mesh, tokens):
    p0, r0 = mesh["p0"], mesh["r0"]
    mesh.wait_agree()
    with r0.connect().subscribe("op", "membership") as events:
        p0.client.insert(tokens, slots(0, 300))
        p0.client.delete(tokens[:1])
        p0.client.reset()
        first = r0.client.status()["version_vector"][p0.addr][1]
        seen = [next(events) for _ in range(3)]
    assert [event.type for event in seen] == ["INSERT", "DELETE", "RESET"]
    assert {event.origin for event in seen} == {p0.addr}
    assert [event.seq - seen[0].seq for event in seen] == [0, 1, 2]
    assert first <= seen[-1].seq
    assert (seen[0].tokens, seen[1].tokens) == (300, 300)


@pytest.mark.parametrize("topology", ["mesh", "ring"])
@pytest.mark.parametrize("page_size", [1, 16])
def test_all_agree_after_a_random_workload_of_several_clients(mesh_of, topology, page_size):
    mesh = mesh_of(
        prefill=2,
        decode=1,
        unified=1,
        router=2,
        flags=["--topology", topology, "--page-size", page_size, "--max-radix-cache-size", 20_000],
    ).start()
    failures = []

    def work(node, seed):
        try:
            with node.connect(timeout=20) as client:
                Workload(client, f"{topology} {page_size} {node.name} {seed}").run(120)
        except Exception as error:  # noqa: BLE001: shown below, from the test's own thread
            failures.append(f"{node.name}: {error!r}")

    threads = [
        threading.Thread(target=work, args=(node, seed)) for node in mesh.holders for seed in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    picture = mesh.wait_agree()
    assert sum(seq for _, seq in picture["version_vector"].values()) > 300
    for node in mesh.running:
        counters = node.client.status()["counters"]
        assert "digest_mismatches" not in counters
        assert "malformed_frames" not in counters
        assert node.client.status()["local_tokens"] <= 20_000
        assert alive_at(node) == {other.addr for other in mesh.nodes}
    assert len({mesh[name].client.status()["topology"] for name in ("p0", "r1")}) == 1
    assert mesh["r1"].client.status()["topology"] == topology
    check_lookups_agree(mesh, page_size)


def check_lookups_agree(mesh, page_size):
    shared = random.Random("shared prefixes")
    prompts = [
        [shared.randrange(50_000) for _ in range(shared.randrange(16, 300))] for _ in range(12)
    ]
    for prompt in prompts:
        answers = [depths_at(node, prompt) for node in mesh.nodes]
        assert all(answer == answers[0] for answer in answers)
        assert all(depth % page_size == 0 for depth in answers[0].values())
