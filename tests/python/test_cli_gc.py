"""`radixmesh gc`: what it shows, what of an answer that lacks something, and what is refused."""

import copy
import json
import struct

import pytest

from fake_sidecar import PEER, FakeSidecar, Refusal, ScriptedSidecar
from test_cli_errors import GARBAGE, check
from test_cli_program import json_of, radixmesh, text_of

THIRD = "10.0.0.3:7000"
HEAD = [1, 2, 3, 70000, 5, 6, 7, 8]
SHORT = struct.pack("<4I", *HEAD[:4])
COUNTS = {
    "mode": "local-ref",
    "engine_frees": True,
    "retiring_tokens": 48,
    "held_pages": 3,
    "references": {PEER: 2},
    "readers": {
        PEER: {"registered_seconds": 90.5, "silent_seconds": 0.25, "pages": 1200},
        THIRD: {"registered_seconds": 7.0, "silent_seconds": 3.0, "pages": 0},
    },
    "unacknowledged": 1,
    "unacknowledged_tokens": 4096,
    "unacknowledged_seconds": 1.5,
}
GC = {
    "mode": "local-ref",
    "period_seconds": 60.0,
    "keep_copies": 1,
    "hot_copies": 2,
    "hot_uses": 1000,
    "silent_reader": "block",
    "not_collecting": None,
    "duplicate_tokens": 1234567,
    "scarce_tokens": 160,
    "hot_tokens": 320,
    "locked_tokens": 64,
    "above_tokens": 16,
    "duplicates_total": 2500,
    "duplicates": [
        {"namespace": None, "begin": 0, "tokens": 4, "head": SHORT, "kept": [PEER]},
        {
            "namespace": ["m,1", None, b"\x00\xff", "x\n"],
            "begin": 1024,
            "tokens": 1230000,
            "head": struct.pack("<8I", *HEAD),
            "kept": [PEER, THIRD],
        },
    ],
    "round_running": True,
    "waits_for": [PEER, THIRD],
    "counts": COUNTS,
}
IDLE = {
    **GC,
    "not_collecting": "the engine frees no single slots",
    "duplicates_total": 0,
    "duplicates": [],
    "round_running": False,
    "waits_for": [],
    "counts": {**COUNTS, "readers": {}},
}


@pytest.fixture
def sidecar(tmp_path):
    with FakeSidecar(tmp_path / "a.sock") as sidecar:
        sidecar.collection = copy.deepcopy(GC)
        yield sidecar


# What it shows


FIRST = """\
mode local-ref, every 60.0 s; keeps 1 better copies, 2 of what was used 1,000 times in a period; \
a silent reader: block
"""
TOKENS = """\
     tokens  what becomes of them
  1,234,567  can go
         16  stay: duplicates, but something below them stays
        320  stay: used too often for so few better copies
        160  stay: too few better copies
         64  stay: locked by the engine, a reader or another node's round
         48  on their way out: readers are asked
      4,096  gone, but the engine has not said so
"""
NAME = r"model=m\,1,salt:hex=00ff,extra_key=x\x0a"
DUPLICATES = f"""
the first 2 of 2,500 that can go
     tokens  after  kept at                       {'namespace':{len(NAME)}}  head
          4      0  {PEER}                {'default':{len(NAME)}}  1,2,3,70000
  1,230,000  1,024  {PEER} {THIRD}  {NAME}  1,2,3,70000,5,6,7,8,...
"""
READERS = f"""
  reader          registered s  silent s  pages
  {PEER}          90.5      0.25  1,200
  {THIRD}            7.0       3.0      0
"""


def test_gc(sidecar):
    waits = f"\na round is under way; it waits for {PEER} {THIRD}\n"
    assert text_of(sidecar, "gc") == FIRST + TOKENS + DUPLICATES + READERS + waits
    assert sidecar.requests == [["gc", {"run": False}]]


def test_gc_where_there_is_little_to_tell(sidecar):
    sidecar.collection = IDLE
    obstacle = "nothing is collected: the engine frees no single slots\n"
    assert text_of(sidecar, "gc") == FIRST + obstacle + TOKENS


def test_gc_run(sidecar):
    sidecar.collection = {**GC, "waits_for": []}
    told = "\na round is under way; it waits for -\n"
    assert text_of(sidecar, "gc", "--run") == FIRST + TOKENS + DUPLICATES + READERS + told
    assert sidecar.requests == [["gc", {"run": True}]]


def test_a_round_that_is_over_before_it_is_told(sidecar):
    sidecar.collection = {**IDLE, "not_collecting": None}
    assert text_of(sidecar, "gc", "--run") == FIRST + TOKENS + "\nthe round is over\n"
    assert text_of(sidecar, "gc") == FIRST + TOKENS


@pytest.mark.parametrize("arguments", [["gc"], ["gc", "--run"]], ids=" ".join)
def test_gc_as_json(sidecar, arguments):
    expected = copy.deepcopy(GC)
    for row in expected["duplicates"]:
        row["head"] = list(row["head"])
    expected["duplicates"][1]["namespace"] = ["m,1", None, [0, 255], "x\n"]
    answer = json_of(sidecar, *arguments)
    assert answer == expected
    assert list(answer) == list(GC)
    assert sidecar.requests == [["gc", {"run": "--run" in arguments}]]


def test_options_may_stand_behind_the_verb(sidecar):
    done = radixmesh("gc", "--json", "--run", "--socket", sidecar.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["mode"] == "local-ref"


# Answers that lack something


NOTHING = """\
mode -, every - s; keeps - better copies, - of what was used - times in a period; \
a silent reader: -
  tokens  what becomes of them
       -  can go
       -  stay: duplicates, but something below them stays
       -  stay: used too often for so few better copies
       -  stay: too few better copies
       -  stay: locked by the engine, a reader or another node's round
       -  on their way out: readers are asked
       -  gone, but the engine has not said so
"""


def test_an_empty_answer(sidecar):
    sidecar.collection = {}
    assert text_of(sidecar, "gc") == NOTHING
    assert json_of(sidecar, "gc") == {}


def test_rows_that_lack_something(sidecar):
    sidecar.collection = {
        "mode": "global-ref",
        "duplicates": [{}, {"tokens": 4, "head": SHORT[:8], "kept": []}],
        "round_running": True,
        "counts": {"readers": {PEER: {}}},
    }
    assert text_of(sidecar, "gc") == NOTHING.replace("mode -", "mode global-ref") + f"""
the first 2 of - that can go
  tokens  after  kept at  namespace  head
       -      -  -        default    -
       4      -  -        default    1,2,...

  reader          registered s  silent s  pages
  {PEER}             -         -      -

a round is under way; it waits for -
"""


OF_FIELDS = {
    "hot_copies": "2 of what was used",
    "duplicate_tokens": "1,234,567 can go",
    "above_tokens": "16 stay: duplicates",
    "hot_tokens": "320 stay: used too often",
    "scarce_tokens": "160 stay: too few",
    "locked_tokens": "64 stay: locked",
    "counts": "48 on their way out: readers are asked 4,096 gone, but the engine has not said so",
    "duplicates": rf"1,230,000 1,024 {PEER} {THIRD} model=m\,1",
    "round_running": "a round is under way; it waits for",
}


@pytest.mark.parametrize("name", GC)
@pytest.mark.parametrize("odd", ["missing", None, 5, -1, "\x1b[2J", b"\xff", [], [5], {}, {"a": 5}])
def test_what_is_of_another_shape_is_shown_as_far_as_it_goes(sidecar, name, odd):
    if odd == "missing":
        del sidecar.collection[name]
    elif name == "mode":
        sidecar.gc = lambda run: {**GC, "mode": odd}
    else:
        sidecar.collection[name] = odd
    text = text_of(sidecar, "gc")
    assert "\x1b" not in text
    for other, told in OF_FIELDS.items():
        assert other == name or told in " ".join(text.split())


@pytest.mark.parametrize("answer", [None, 5, "text\x1b[2J", [], [{}], b"\xff"], ids=str)
def test_an_answer_that_is_no_map(sidecar, answer):
    sidecar.gc = lambda run: answer
    for arguments in (["gc"], ["gc", "--run"]):
        text = text_of(sidecar, *arguments)
        assert text.count("\n") == 1 and len(text) > 1 and "\x1b" not in text


# What is refused, and what is wrong


def test_a_round_where_nothing_is_collected(sidecar):
    sidecar.collection = {**IDLE, "mode": "off", "not_collecting": "off"}
    done = radixmesh("gc", "--run", socket=sidecar.path)
    check(done, 1, "radixmesh: fix_request: no round can begin: off\n")
    check(radixmesh("--json", "gc", "--run", socket=sidecar.path), 1, "no round can begin: off")
    off = FIRST.replace("local-ref", "off") + "nothing is collected: off\n"
    assert text_of(sidecar, "gc") == off + TOKENS


REFUSALS = {
    "retry_later": "no round can begin: draining",
    "use_another_node": "a router holds nothing: ask a node with an engine",
    "upgrade": "unknown method: gc",
}


@pytest.mark.parametrize("code, message", REFUSALS.items())
def test_a_refusal(sidecar, code, message):
    def refuse(run):
        raise Refusal(code, message)

    sidecar.gc = refuse
    for arguments in (["gc"], ["gc", "--run"]):
        told = f"radixmesh: {code}: {message}\n"
        check(radixmesh(*arguments, socket=sidecar.path), 1, told)


def test_no_socket_and_nobody_there(tmp_path):
    check(radixmesh("gc"), 64, "no socket: give --socket PATH, or set RADIXMESH_SOCKET")
    path = str(tmp_path / "none.sock")
    check(radixmesh("gc", "--run", socket=path), 2, f"no sidecar at {path}: No such file")


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage(tmp_path, data):
    def script(connection, _):
        connection.recv(1000)
        connection.sendall(data)

    with ScriptedSidecar(tmp_path / "a.sock", script, hello=False) as sidecar:
        check(radixmesh("gc", socket=sidecar.path), 2, "")


@pytest.mark.parametrize("line", ["gc --walk", "gc now", "gc --run now", "status --run", "--run"])
def test_a_wrong_command_line(sidecar, line):
    check(radixmesh(*line.split(), socket=sidecar.path), 64, line.split()[-1])
    assert sidecar.requests == []


def test_help():
    whole = radixmesh("--help").stdout
    assert "\n  gc " in whole
    assert "No verb but drain, member remove and gc --run changes anything." in whole
    help_of_gc = radixmesh("gc", "--help")
    assert (help_of_gc.returncode, help_of_gc.stderr) == (0, "")
    assert "\n  --run  " in help_of_gc.stdout
