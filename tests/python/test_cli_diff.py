"""`radixmesh diff` against two sidecars that behave."""

import json
import struct

import pytest

from fake_sidecar import ADDR, PEER, FakeSidecar
from test_cli_program import EPOCH, WholeSidecar, radixmesh

HEAD = struct.pack("<8I", *range(10, 18))


def entry(seq, begin=0, end=16, hash="aa"):
    where = {"seq": seq, "begin": begin, "end": end, "hash": hash}
    return {**where, "namespace": [None, "l", None, None], "head": HEAD}


class Replica(WholeSidecar):
    """`rows` are the entries of ADDR."""

    def __init__(self, path):
        self.rows = [entry(1), entry(2, 16, 64, "bb")]
        super().__init__(path)

    def tree(self, holder=None, skip=0, limit=1000):
        rows = self.rows if holder == ADDR else []
        return {"entries": rows[skip : skip + limit], "total": len(rows), "tree_tokens": 0}


@pytest.fixture
def a(tmp_path):
    with Replica(tmp_path / "a.sock") as sidecar:
        yield sidecar


@pytest.fixture
def b(tmp_path):
    with Replica(tmp_path / "b.sock") as sidecar:
        yield sidecar


def diff(a, b, code, *options):
    done = radixmesh("diff", a.path, b.path, *options)
    assert (done.returncode, done.stderr) == (code, "")
    told = radixmesh("--json", "diff", a.path, b.path, *options)
    assert (told.returncode, told.stderr) == (code, "")
    return done.stdout, json.loads(told.stdout)


def test_equal(a, b):
    text, report = diff(a, b, 0)
    width = len(a.path)
    assert text == f"""\
           {'A':{width}}  B
socket     {a.path}  {b.path}
addr       {ADDR:{width}}  {ADDR}
cluster    {'test':{width}}  test
page_size  {'2':{width}}  2

addr                     epoch A           epoch B  seq A  seq B
{ADDR}  {EPOCH}  {EPOCH}      2      2  equal
{PEER}                 0                 0      0      0  equal

equal: 2 of 2 nodes are equal
"""
    assert report["verdict"] == "equal"
    assert report["nodes"][0] == {
        "addr": ADDR,
        "verdict": "equal",
        "a": [EPOCH, 2],
        "b": [EPOCH, 2],
    }
    assert [method for method, _ in a.requests] == ["status", "status"]  # no entries are fetched


def test_behind(a, b):
    b.shown["version_vector"] = {ADDR: [EPOCH, 1], PEER: [5, 3]}
    text, report = diff(a, b, 1)
    assert "B is behind by 1 op\n" in text
    assert "A is behind: its epoch is an earlier life\n" in text
    assert text.endswith("\ndifferent: 0 of 2 nodes are equal\n")
    assert [node["verdict"] for node in report["nodes"]] == ["b_behind", "a_behind"]
    assert report["nodes"][0]["ops"] == 1 and "ops" not in report["nodes"][1]


def test_a_node_that_only_one_knows(a, b):
    del a.shown["version_vector"][PEER]
    text, report = diff(a, b, 1)
    assert "A does not know it\n" in text
    assert (report["nodes"][1]["verdict"], report["nodes"][1]["a"]) == ("a_unknown", None)


FIRST = "seq 1, a prefix of 16 tokens, from 0 on 10,11,12,13,14,15,16,17,..., namespace lora=l"
OTHERS = {
    "another hash": ([entry(1, hash="cc")], f"  A: {FIRST}, hash aa\n  B: {FIRST}, hash cc\n"),
    "missing": ([entry(2, 16, 64, "bb")], f"  A: {FIRST}, hash aa\n  B: nothing\n"),
    "none at all": ([], f"  A: {FIRST}, hash aa\n  B: nothing\n"),
}


@pytest.mark.parametrize("rows, told", OTHERS.values(), ids=OTHERS)
def test_digests_differ(a, b, rows, told):
    b.shown["digests"][ADDR] = "0100"
    b.rows = rows
    text, report = diff(a, b, 1)
    assert "digests differ: 00ff, 0100\n" in text
    assert f"\nfirst difference of {ADDR}\n{told}" in text
    node = report["nodes"][0]
    assert (node["verdict"], node["digests"]) == ("digests_differ", ["00ff", "0100"])
    assert node["first_difference"]["a"] == {**entry(1), "head": list(HEAD)}


def test_the_difference_may_be_past_the_first_page(a, b):
    a.rows = [entry(seq) for seq in range(1, 10_003)]
    b.rows = a.rows[:10_001] + [entry(10_002, hash="cc")]
    b.shown["digests"][ADDR] = "0100"
    _, report = diff(a, b, 1)
    assert report["nodes"][0]["first_difference"]["b"]["seq"] == 10_002


def test_only_the_digests_differ(a, b):
    b.shown["digests"][ADDR] = "0100"
    text, report = diff(a, b, 1)
    assert "none: all entries are equal, only the digests differ" in text
    assert report["nodes"][0]["first_difference"] is None


def test_entries_differ_though_the_digests_are_equal(a, b):
    b.rows = [entry(1), entry(2, 16, 32, "bb")]
    diff(a, b, 0)
    text, report = diff(a, b, 1, "--entries")
    assert "entries differ, digests are equal\n" in text
    assert report["nodes"][0]["first_difference"]["b"]["end"] == 32


def test_settings_that_differ(a, b):
    b.shown.update(cluster="other", page_size=4)
    b.shown["digests"][ADDR] = "0100"
    text, report = diff(a, b, 1)
    assert report["differs"] == ["cluster", "page_size"]
    assert "not sought: the page sizes differ" in text


def test_a_node_that_moves_while_it_is_compared_is_left_open(a, b, monkeypatch):
    b.shown["digests"][ADDR] = "0100"
    tree = b.tree

    def tree_after_an_op(**params):
        seq = b.shown["version_vector"][ADDR][1] + 1
        b.shown = {**b.shown, "version_vector": {ADDR: [EPOCH, seq], PEER: [0, 0]}}
        a.shown["version_vector"] = {ADDR: [EPOCH, 3], PEER: [0, 0]}
        return tree(**params)

    monkeypatch.setattr(b, "tree", tree_after_an_op)
    done = radixmesh("diff", a.path, b.path)
    assert (done.returncode, done.stderr) == (2, "")
    assert "got ops while being compared: ask again\n" in done.stdout


def test_both_that_are_away_are_named(tmp_path):
    done = radixmesh("diff", tmp_path / "x", tmp_path / "y")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        str(tmp_path / "x"),
        str(tmp_path / "y"),
    ]


def test_a_status_that_lacks_what_is_compared(a, tmp_path):
    with FakeSidecar(tmp_path / "poor.sock") as poor:
        done = radixmesh("diff", a.path, poor.path)
        assert (done.returncode, done.stdout) == (2, "")
        told = f"could not compare: the status of {poor.path} lacks page_size"
        assert done.stderr == f"radixmesh: {told}\n"
