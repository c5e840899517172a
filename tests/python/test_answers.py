"""The sidecar's answers: read into values, or refused by the name of the field that is wrong."""

import copy
import pickle

import pytest

import radixmesh
from fake_sidecar import ADDR, HELLO, PEER
from radixmesh import Namespace, ReportBug, answers

MATCH = {
    "length": 6,
    "local_length": 4,
    "local_slots": [[10, 4]],
    "depths": {ADDR: 4, PEER: 6},
    "segments": [[0, 4, ADDR, [[10, 4]]], [4, 6, PEER, None]],
}
TARGET = {"addr": ADDR, "rank": 0, "depth": 4}
ROUTE = {"prefill": TARGET, "decode": None, "reason": "prefix", "booking": 3}
WORK = {
    "prefill_rate": 10000.0,
    "rate_source": "configured",
    "booked": {"requests": 1, "prefills": 0, "prefill_tokens": 0, "decode_tokens": 9},
    "hits": {"reports": 0, "predicted_tokens": 0, "actual_tokens": 0},
}
CANDIDATE = {
    **TARGET,
    **WORK,
    "role": "unified",
    "excluded": None,
    "indexed_depth": 0,
    "load": None,
    "requests": 1,
    "queued_tokens": 2.5,
    "decode_tokens": 0,
    "terms": {"wait_s": 0.5, "compute_s": 0, "delay_s": 0, "transfer_s": 1, "step_s": 0},
    "prefill_cost_s": 0.5,
    "decode_cost_s": None,
    "is_prefill": True,
    "is_decode": False,
}
EXPLANATION = {
    "tokens": 4,
    "policy": "cost",
    "reason": "prefix",
    "prefill": TARGET,
    "decode": None,
    "candidates": [CANDIDATE],
}
NODE = {
    "addr": ADDR,
    "rank": 0,
    "role": "unified",
    "epoch": 9,
    "state": "alive",
    "applied": 3,
    "head": 5,
    "last_heard_ms": None,
    "load": {"running": 1},
    "refute": 0,
    "lag_ops": 2,
    "lag_seconds": 0.25,
    "last_repair": None,
    "digest_mismatches": 0,
    **WORK,
}
STRETCH = {
    "namespace": ["m", None, b"\x01", None],
    "begin": 0,
    "end": 16,
    "head": b"\x01\x00\x00\x00\x00\x00\x00\x80",
    "hash": "0a",
}
EDGE = {**STRETCH, "holders": [ADDR, PEER], "lock_ref": 1}
EDGES = {"edges": [EDGE], "total": 1, "tree_tokens": 16}
ENTRIES = {"entries": [{**STRETCH, "seq": 4, "namespace": None}], "total": 1, "tree_tokens": 16}
OP = {"origin": ADDR, "epoch": 1, "seq": 2, "type": "INSERT", "tokens": 16}
MEMBER = {"addr": PEER, "rank": 1, "role": "router", "epoch": 3, "state": "dead"}
INSERT = {"prefix_len": 2, "stored": 4, "freed": [[1, 2], [9, 1]]}

REALS = tuple(f"{end}',)" for end in ("seconds", "_s", "rate", "queued_tokens", "decode_tokens"))

MOVED = {"target": TARGET, "reason": "sooner"}
SOURCE = {"addr": PEER, "depth": 6, "tokens": 2}

SAMPLES = {
    "hello": (answers.hello, HELLO),
    "insert": (answers.insert, INSERT),
    "match": (answers.match, MATCH),
    "acquire": (answers.acquire, {"lease": 5, "match": MATCH}),
    "freed": (answers.freed, {"freed": [[1, 2]]}),
    "route": (answers.route, ROUTE),
    "redirect": (answers.redirect, MOVED),
    "source": (lambda source: answers.redirect({**MOVED, "source": source}), SOURCE),
    "explain": (answers.explain, EXPLANATION),
    "nodes": (answers.nodes, [NODE]),
    "edges": (answers.tree, EDGES),
    "entries": (answers.tree, ENTRIES),
    "op": (answers.op_event, OP),
    "membership": (answers.membership_event, MEMBER),
}


def test_values_are_read():
    match = answers.match(MATCH)
    assert (match.length, match.local_length, match.local_slots) == (6, 4, ((10, 4),))
    assert match.depths == {ADDR: 4, PEER: 6}
    assert match.segments[0] == radixmesh.Segment(0, 4, ADDR, ((10, 4),))
    assert match.segments[1].slots is None
    assert answers.insert(INSERT).freed == ((1, 2), (9, 1))
    assert answers.route(ROUTE).prefill == radixmesh.Target(ADDR, 0, 4)
    assert answers.nodes([NODE])[0].last_heard_ms is None
    edge = answers.tree(EDGES).edges[0]
    assert edge.namespace == Namespace("m", None, b"\x01", None)
    assert edge.head == (1, 2**31)
    assert answers.tree(ENTRIES).entries[0].namespace == Namespace()
    assert answers.op_event(OP) == radixmesh.OpEvent(ADDR, 1, 2, "INSERT", 16)
    assert answers.membership_event(MEMBER).state == "dead"
    assert answers.hello(HELLO).limits.leases_max == HELLO["limits"]["leases_max"]


def test_values_are_frozen_equal_by_content_and_picklable():
    match = answers.match(MATCH)
    assert match == answers.match(copy.deepcopy(MATCH))
    assert pickle.loads(pickle.dumps(match)) == match
    with pytest.raises(AttributeError):
        match.length = 0


def places(value, path=()):
    """The paths to all parts of a sample, itself included."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], path + (key,))


def with_change(sample, path, change):
    """A copy of `sample` in which `change` was made to (parent, key) at `path`."""
    box = [copy.deepcopy(sample)]
    parent, key = box, 0
    for step in path:
        parent, key = parent[key], step
    change(parent, key)
    return box[0]


def put(value):
    def change(parent, key):
        parent[key] = value

    return change


CASES = [(name, path) for name, (_, sample) in SAMPLES.items() for path in places(sample)]


def is_free(path):
    """Whether the place may hold anything: the load is a map that is passed on as it is."""
    return "load" in path[:-1]


@pytest.mark.parametrize("name,path", CASES, ids=str)
def test_a_wrong_type_in_any_place_is_refused_and_is_no_key_or_type_error(name, path):
    read, sample = SAMPLES[name]
    if is_free(path):
        return
    fractions = () if str(path[-1:]).endswith(REALS) else (1.5,)
    truths = () if path[-1:] in (("is_prefill",), ("is_decode",)) else (True,)
    for wrong in (*fractions, *truths, -1, (), object()):
        with pytest.raises(ReportBug, match="malformed"):
            read(with_change(sample, path, put(wrong)))


@pytest.mark.parametrize("name,path", CASES, ids=str)
def test_a_missing_field_or_item_is_refused(name, path):
    read, sample = SAMPLES[name]
    named = path and (isinstance(path[-1], str) and path[-1] not in (ADDR, PEER))
    of_fixed_length = len(path) > 1 and path[-2] in ("namespace",)
    in_segment = len(path) == 3 and path[0] == "segments" or "local_slots" in path[:-2]
    if is_free(path) or not (named or of_fixed_length or in_segment):
        return
    with pytest.raises(ReportBug, match="malformed"):
        read(with_change(sample, path, lambda parent, key: parent.pop(key)))


def test_what_older_sidecars_do_not_say_is_0():
    first = ("candidates", 0)
    places = [(*first, "terms", name) for name in ("duplicate_s", "room_s", "pull_s")]
    places += [(*first, "booked", name) for name in ("pull_in_tokens", "pull_out_tokens")]
    names = ("busy", "kv_free", "pull_rate", "pull_in_tokens", "pull_out_tokens")
    for place in [*places, *((*first, name) for name in names), ("near_equals",)]:
        said = with_change(EXPLANATION, place, put(3))
        assert value_at(answers.explain(said), place) == 3
        assert not value_at(answers.explain(EXPLANATION), place)
        with pytest.raises(ReportBug, match=place[-1]):
            answers.explain(with_change(EXPLANATION, place, put("1")))


def value_at(answer, place):
    for each in place:
        answer = answer[each] if isinstance(each, int) else getattr(answer, each)
    return answer


def test_the_refusal_names_the_place():
    for name, path, place in [
        ("match", ("segments", 1, 2), r"match_prefix.segments\[1\].addr must be a string"),
        ("hello", ("limits", "leases_max"), "limits.leases_max must be a number"),
        ("nodes", (0, "state"), r"nodes\[0\].state must be a string"),
    ]:
        read, sample = SAMPLES[name]
        with pytest.raises(ReportBug, match=place):
            read(with_change(sample, path, put(1.5)))


@pytest.mark.parametrize("runs", [[[0, 0]], [[1]], [[1, 2, 3]], [5], [[1, True]], [["1", 1]], {}])
def test_runs_that_are_none_are_refused(runs):
    with pytest.raises(ReportBug):
        answers.freed({"freed": runs})


def test_a_tree_is_either_of_edges_or_of_entries():
    for wrong in ({**EDGES, **ENTRIES}, {"total": 0, "tree_tokens": 0}):
        with pytest.raises(ReportBug, match="either"):
            answers.tree(wrong)


@pytest.mark.parametrize("name", SAMPLES)
def test_fields_that_a_newer_sidecar_adds_are_skipped(name):
    read, sample = SAMPLES[name]
    if isinstance(sample, dict):
        assert read({**sample, "new": object()}) == read(sample)
