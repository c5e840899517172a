"""The program radixmesh against a sidecar that behaves: what it prints, for people and as JSON."""

import json
import os
import signal
import struct

import pytest

from fake_sidecar import ADDR, PEER
from test_cli_program import DIGEST, EPOCH, WholeSidecar, json_of, radixmesh, start, text_of

TOKENS = [1, 2, 3, 4, 91, 6]


@pytest.fixture
def sidecar(tmp_path):
    with WholeSidecar(tmp_path / "a.sock") as sidecar:
        sidecar.insert(struct.pack("<6I", *TOKENS), [[100, 4], [200, 2]])
        sidecar.insert(struct.pack("<2I", 7, 8), [[300, 2]], ["m,1", None, b"\x00\xff", "x\n"])
        yield sidecar


def test_status(sidecar):
    assert text_of(sidecar, "status") == f"""\
{ADDR}, rank 0, cluster test
! 1 member is suspect: rank 1
ready         yes
members       2: 1 alive, 1 suspect
not here yet  2 ops of 2 members, for up to 500 ms
holds         1,234,567 tokens
picture       1.2 MiB
settings      page size 2
epoch         {EPOCH} (2023-11-14 22:13:20 UTC)
status --all has every field and counter
"""
    assert json_of(sidecar, "status") == sidecar.status()


def test_every_field_of_status(sidecar):
    sidecar.shown["lag"] = {PEER: {"lag_ops": 1, "last_repair": None}}
    sidecar.shown["lag"][ADDR] = {"last_repair": {"how": "replay", "seconds_ago": 2}}
    assert text_of(sidecar, "status", "--all") == f"""\
addr          {ADDR}
rank          0
epoch         {EPOCH} (2023-11-14 22:13:20 UTC)
cluster       test
ready         yes
page_size     2
local_tokens  1,234,567
memory_bytes  1.2 MiB (1,234,567)

version_vector and digests
  addr            seq  digest  epoch
  {ADDR}    2  {DIGEST}    {EPOCH}
  {PEER}    0  0000    0

counters
  gaps  3

lag
  addr            lag_ops                last_repair
  {PEER}        1                          -
  {ADDR}        -  how replay, seconds_ago 2
"""


def test_nodes(sidecar):
    assert text_of(sidecar, "nodes") == f"""\
2 members: 1 alive, 1 suspect
rank  addr            role     state     heard
   0  {ADDR}  unified  alive      0 ms
   1  {PEER}  unified  suspect  900 ms
not here yet: 2 ops of 2 members, for up to 500 ms
"""
    assert json_of(sidecar, "nodes") == sidecar.nodes()


def test_member_remove(sidecar):
    assert text_of(sidecar, "member", "remove", "p9:1") == "p9:1 is forgotten\n"
    assert json_of(sidecar, "member", "remove", "p9:1") == {"addr": "p9:1", "wait_ms": 0}
    assert text_of(sidecar, "member", "remove", "reader:1") == (
        "reader:1 is forgotten in 2 s, when the lease lapses of what it refers to here\n"
    )


def test_drain(sidecar):
    assert text_of(sidecar, "drain") == "draining\n"
    assert json_of(sidecar, "drain") == {}


def test_match(sidecar):
    asked = struct.pack("<5I", *TOKENS[:4], 9)
    assert text_of(sidecar, "match", "1,2,3,4,9") == f"""\
length        4 of 5 tokens
local_length  4 of 5 tokens
local_slots   [100, 104)

depths
  addr            tokens
  {ADDR}       4

segments
  tokens  addr            slots
  [0, 4)  {ADDR}  [100, 104)
"""
    runs = [[100, 4]]  # neighbouring runs of the answer are joined
    answer = {**sidecar.match_prefix(asked), "local_slots": runs}
    answer["segments"] = [[0, 4, ADDR, runs]]
    assert json_of(sidecar, "match", "1,2,3,4,9") == answer


def test_match_only_observes(sidecar):
    text_of(sidecar, "match", "1,2,3,4")
    assert [method for method, _ in sidecar.requests] == ["match_prefix"]
    assert sidecar.requests[-1][1]["touch"] is False


def test_match_of_nothing(sidecar):
    assert "\ndepths\n  none\n\nsegments\n  none\n" in text_of(sidecar, "match", "5,5")


def test_route(sidecar):
    assert text_of(sidecar, "route", "1,2,3,4") == f"""\
         addr            rank  depth
prefill  {ADDR}     0  4 of 4 tokens
decode   none               -  -
reason: prefix
"""
    assert json_of(sidecar, "route", "1,2") == sidecar.route(struct.pack("<2I", 1, 2))


def test_what_is_read_from_another_node(sidecar):
    source = f"source: {PEER}, to read 4 of the 5 tokens that it has\n"
    assert source + "reason: prefix\n" in text_of(sidecar, "route", "1,2,3,4,5,6")
    text = text_of(sidecar, "explain", "1,2,3,4,5,6")
    assert source in text
    names, row = text.splitlines()[3:5]
    assert names.split()[9:12] == ["wait", "pull", "compute"] and names.endswith("reads")
    assert row.endswith(f"4 from {PEER}")


def test_explain(sidecar):
    text = text_of(sidecar, "explain", "1,2,3,4")
    first, _, names, row, units, excluded = text.splitlines()
    assert first == "policy cost, 4 tokens; reason: prefix"
    assert names.split()[:4] == ["chosen", "rank", "addr", "role"]
    terms = ["250.0"] * len(names[names.index("wait") : names.index("as prefill")].split())
    assert len(terms) == 7
    assert row.split() == [
        *f"prefill 0 {ADDR} unified 0 (+4) 2 1500 5000 learned".split(),
        *[*terms, "750.0", "500.0"],
    ]
    assert units == "times are in milliseconds"
    assert excluded == f"{PEER} is left out: dead"
    expected = sidecar.explain(struct.pack("<2I", 1, 2))
    assert json_of(sidecar, "explain", "1,2") == expected


def test_tree(sidecar):
    name = r"model=m\,1,salt:hex=00ff,extra_key=x\x0a"
    width = len(name)
    assert text_of(sidecar, "tree", "--limit", "2") == f"""\
tokens  holders         lock_ref  hash  {'namespace':{width}}  head
[0, 2)  {ADDR}         0  00ff  {'default':{width}}  1,2
[0, 2)  {ADDR}         0  00ff  {name}  7,8

2 of 4 edges, tree_tokens 8 (--limit 0 shows all)
"""
    answer = sidecar.tree()
    for edge in answer["edges"]:
        edge["head"] = list(edge["head"])
        edge["namespace"] = [list(p) if isinstance(p, bytes) else p for p in edge["namespace"]]
    assert json_of(sidecar, "tree") == answer
    assert list(json_of(sidecar, "tree")["edges"][0]) == list(answer["edges"][0])


def test_tree_of_a_holder(sidecar):
    lines = text_of(sidecar, "tree", "--holder", ADDR).splitlines()
    assert lines[0].split() == ["seq", "tokens", "hash", "namespace", "head"]
    assert lines[1].split() == ["1", "[0,", "2)", "00ff", "default", "1,2"]
    assert lines[-1] == "4 of 4 entries, tree_tokens 8"


def test_a_tree_of_many_answers_is_put_together(sidecar):
    sidecar.pages = {((None,) * 4, (i, 0)): [i, i] for i in range(25_000)}
    assert len(json_of(sidecar, "tree", "--limit", "0")["edges"]) == 25_000
    assert len(json_of(sidecar, "tree", "--limit", "10001")["edges"]) == 10_001
    assert len(json_of(sidecar, "tree")["edges"]) == 1000


def test_a_reader_that_goes_is_no_error(sidecar):
    sidecar.pages = {((None,) * 4, (i, 0)): [i, i] for i in range(25_000)}
    process = start(sidecar, "tree", "--limit", "0")
    assert process.stdout.readline().startswith("tokens")
    process.stdout.close()
    assert (process.wait(10), process.stderr.read()) == (0, "")


def test_ping(sidecar):
    lines = text_of(sidecar, "ping", "--count", "3").splitlines()
    assert [line.split()[::2] for line in lines[:3]] == [["1:", "us"], ["2:", "us"], ["3:", "us"]]
    assert lines[3].startswith(f"3 round trips to {ADDR}: min ")
    answer = json_of(sidecar, "ping", "--count", "3")
    assert (answer["addr"], len(answer["round_trips_us"])) == (ADDR, 3)
    assert answer["min_us"] <= answer["median_us"] <= answer["max_us"]


MEMBERSHIP = {"addr": PEER, "rank": 1, "role": "decode", "epoch": 7, "state": "dead"}


def test_tail(sidecar):
    process = start(sidecar, "tail", "--count", "2")
    sidecar.wait_until(lambda: sidecar.subscribers)
    sidecar.insert(struct.pack("<2I", 5, 5), [[1, 2]])
    sidecar.notify("membership", MEMBERSHIP)
    assert process.communicate(timeout=10) == (
        f"op {ADDR} INSERT tokens 2 seq 3 epoch 1\n"
        f"membership {PEER} dead rank 1 role decode epoch 7\n",
        "",
    )
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tail_ends_cleanly_when_it_is_asked_to(sidecar, number):
    process = start(sidecar, "--json", "tail")
    sidecar.wait_until(lambda: sidecar.subscribers)
    sidecar.notify("membership", MEMBERSHIP)
    told = json.loads(process.stdout.readline())
    assert told == {"method": "membership", "params": MEMBERSHIP}
    process.send_signal(number)
    assert process.wait(10) == 0


def test_tail_ends_when_nobody_reads_though_nothing_happens(sidecar):
    process = start(sidecar, "tail")
    sidecar.wait_until(lambda: sidecar.subscribers)
    process.stdout.close()
    assert process.wait(10) == 0


def test_tail_says_when_the_sidecar_goes(sidecar):
    process = start(sidecar, "tail")
    sidecar.wait_until(lambda: sidecar.subscribers)
    sidecar.cut_all()
    out, told = process.communicate(timeout=10)
    assert (process.returncode, out) == (2, "")
    assert told == "radixmesh: the sidecar closed the connection\n"


# Tokens and namespaces


TEXTS = ["[1, 2,\n 3]", " [1,2,3]\n", "1,2,3", "1 2 3", "1\n2\r\n3\n", "1 , 2,\n3", "[1,2, 3]"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("padding", range(4))
def test_text_is_tokens_whatever_its_length(sidecar, tmp_path, text, padding):
    """Binary it is never taken for, though one of four such lengths would do for that."""
    data = text.encode() + b" " * padding
    (tmp_path / "tokens").write_bytes(data)
    for argument in (f"@{tmp_path / 'tokens'}", "-"):
        assert radixmesh("match", argument, socket=sidecar.path, stdin=data).returncode == 0
        assert sidecar.requests[-1][1]["tokens"] == struct.pack("<3I", 1, 2, 3)


@pytest.mark.parametrize("tokens", [(1, 2, 3), (ord("["), 5), (0x20322031,), ()])
def test_binary_is_asked_for_by_name(sidecar, tmp_path, tokens):
    data = struct.pack(f"<{len(tokens)}I", *tokens)
    (tmp_path / "tokens").write_bytes(data)
    for argument in (f"@{tmp_path / 'tokens'}", "-"):
        done = radixmesh("match", "--binary", argument, socket=sidecar.path, stdin=data)
        assert done.returncode == 0
        assert sidecar.requests[-1][1]["tokens"] == data


def test_tokens_of_the_command_line_may_have_blanks(sidecar):
    assert radixmesh("match", "1, 2 3", socket=sidecar.path).returncode == 0
    assert sidecar.requests[-1][1]["tokens"] == struct.pack("<3I", 1, 2, 3)


def test_namespace(sidecar):
    text_of(sidecar, "match", "1,2", "--namespace", r"model=m\,1,lora=a=b,salt:hex=00fF")
    assert sidecar.requests[-1][1]["namespace"] == ["m,1", "a=b", b"\x00\xff", None]


def test_the_socket_comes_from_the_environment(sidecar):
    env = {**os.environ, "RADIXMESH_SOCKET": sidecar.path}
    assert radixmesh("status", env=env).returncode == 0
