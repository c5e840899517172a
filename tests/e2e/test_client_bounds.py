"""Many clients, or one with much: the engine is served all the same, and nothing is lost."""

import struct

import pytest

from loopback import wait_until
from raw_ipc import RawClient, request

CLIENTS_MAX = 256
ENTRIES = 6_000  # more than one turn gives back


@pytest.fixture
def node(mesh_of):
    mesh = mesh_of(prefill=2).start()
    mesh.wait_alive()
    return mesh["p0"], mesh["p1"]


def insert(number):
    tokens = struct.pack("<2I", number, 7)
    return request("insert", {"tokens": tokens, "slots": [[2 * number, 2]]}, number)


def answers_of(client, frames):
    client.send(b"".join(frames))
    answers = [client.receive() for _ in frames]
    assert all(answer is not None and answer[2] is None for answer in answers)
    return [answer[3] for answer in answers]


def slots_in(runs):
    return sorted(slot for start, count in runs for slot in range(start, start + count))


def test_silent_connections_do_not_lock_the_engine_out(node):
    p0, _ = node
    silent = [RawClient(p0.socket) for _ in range(CLIENTS_MAX + 20)]
    with RawClient(p0.socket) as engine:
        status = engine.call("status")
        assert status["ipc_cut_for_place"] > 0
        # Who has asked stays, however many come.
        silent += [RawClient(p0.socket) for _ in range(CLIENTS_MAX + 20)]
        assert engine.call("status")["ipc_cut_for_place"] > status["ipc_cut_for_place"]
    for client in silent:
        client.close()


def test_a_large_reset_frees_every_slot_once_and_what_follows_waits_for_it(node):
    p0, p1 = node
    with RawClient(p0.socket) as engine, RawClient(p0.socket) as other:
        answers_of(engine, [insert(number) for number in range(ENTRIES)])
        engine.send(request("reset") + insert(1))
        other.send(request("reset"))
        freed, stored = engine.receive(), engine.receive()
        freed_by_other = other.receive()
        gone = slots_in(freed[3]["freed"] + freed_by_other[3]["freed"])
        all_slots = list(range(2 * ENTRIES))
        # What came after the first reset the other one may have taken as well.
        assert gone in (all_slots, sorted(all_slots + [2, 3]))
        assert stored[3]["stored"] == 2
    wait_until(
        lambda: p0.client.status()["digests"] == p1.client.status()["digests"], "both agree again"
    )
    assert p1.client.status()["tree_tokens"] in (0, 2)


def test_who_goes_amid_its_reset_leaves_nothing_behind(node):
    p0, p1 = node
    with RawClient(p0.socket) as engine:
        answers_of(engine, [insert(number) for number in range(ENTRIES)])
        engine.send(request("reset"))
    wait_until(lambda: p0.client.status()["local_tokens"] == 0, "the reset is carried out")
    with RawClient(p0.socket) as engine:
        assert engine.call("reset") == {"freed": []}
        answers_of(engine, [insert(3)])
        assert slots_in(engine.call("reset")["freed"]) == [6, 7]
    wait_until(lambda: p1.client.status()["tree_tokens"] == 0, "the peer has nothing either")


def test_leases_of_a_client_that_goes_are_all_released(node):
    p0, _ = node
    with RawClient(p0.socket) as engine:
        answers_of(engine, [insert(1)])
        acquire = request("acquire", {"tokens": struct.pack("<2I", 1, 7)})
        answers_of(engine, [acquire] * ENTRIES)
        assert p0.client.status()["protected_tokens"] == 2
    wait_until(lambda: p0.client.status()["protected_tokens"] == 0, "nothing is locked")
    with RawClient(p0.socket) as engine:
        assert slots_in(engine.call("reset")["freed"]) == [2, 3]
