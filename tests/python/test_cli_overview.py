"""`radixmesh status` and `nodes`: what is wrong first, a screen of 80 columns, exit codes."""

import os
import subprocess

import pytest

from fake_sidecar import ADDR, PEER
from test_cli_program import ENV, EPOCH, PROGRAM, WholeSidecar, json_of, radixmesh, text_of

COLUMNS = 80
WELL = {
    "role": "prefill",
    "epoch": EPOCH,
    "state": "alive",
    "applied": 1000,
    "head": 1000,
    "last_heard_ms": 250,
    "load": {"running": 1, "waiting": 0, "kv_used": 5, "kv_total": 10},
    "refusal": None,
    "refute": 0,
    "lag_ops": 0,
    "lag_seconds": 0.0,
    "last_repair": None,
    "digest_mismatches": 0,
}
TOLD = {"tokens": 1_234_567, "behind_ops": 0, "behind_seconds": 0.0, "ready": True}
TOLD.update({"sees": [64, 64], "why_not_ready": None})
LONG_REFUSAL = "page size 16 there and 32 here: it must be the same on all nodes of a mesh"


class ManySidecar(WholeSidecar):
    """64 members, or as many as `addresses`; `changes` of some by rank. `told`: newer fields."""

    def __init__(self, path):
        super().__init__(path)
        self.addresses = [f"10.20.30.{i}:50001" for i in range(64)]
        self.changes = {}
        self.told = TOLD

    def nodes(self):
        return [
            {"addr": addr, "rank": rank, **WELL, **self.told, **self.changes.get(rank, {})}
            for rank, addr in enumerate(self.addresses)
        ]


@pytest.fixture
def sidecar(tmp_path):
    with ManySidecar(tmp_path / "a.sock") as sidecar:
        yield sidecar


BAD = {
    3: {"state": "dead", "last_heard_ms": 3_600_000, "behind_ops": 7},
    4: {"state": "dead"},
    5: {"state": "suspect", "last_heard_ms": 4200},
    6: {"state": "unseen", "last_heard_ms": None, "tokens": None, "behind_ops": None},
    7: {"refusal": LONG_REFUSAL},
    8: {"ready": False, "sees": [40, 64], "why_not_ready": "24 members were never seen"},
    9: {"lag_ops": 1, "lag_seconds": 9.0},
    10: {"behind_ops": 1_500_000, "behind_seconds": 119.9},
}


def lines_of(sidecar, *arguments):
    lines = text_of(sidecar, *arguments).splitlines()
    assert max(map(len, lines)) <= COLUMNS
    return lines


def test_64_members(sidecar):
    sidecar.changes = BAD
    lines = lines_of(sidecar, "nodes")
    assert "\n".join(lines[:14]) == """\
64 members: 58 alive, 2 dead, 1 suspect, 1 unseen, 1 refused, 1 unready
rank  addr               role     state    tokens               behind   heard
   0  10.20.30.0:50001   prefill  alive    1.23 M                    0  250 ms
   1  10.20.30.1:50001   prefill  alive    1.23 M                    0  250 ms
   2  10.20.30.2:50001   prefill  alive    1.23 M                    0  250 ms
   3  10.20.30.3:50001   prefill  dead     1.23 M          7 ops, 0 ms  60 min
   4  10.20.30.4:50001   prefill  dead     1.23 M                    0  250 ms
   5  10.20.30.5:50001   prefill  suspect  1.23 M                    0   4.2 s
   6  10.20.30.6:50001   prefill  unseen        -                    -       -
   7  10.20.30.7:50001   prefill  refused  1.23 M                    0  250 ms
   8  10.20.30.8:50001   prefill  unready  1.23 M                    0  250 ms
   9  10.20.30.9:50001   prefill  alive    1.23 M                    0  250 ms
  10  10.20.30.10:50001  prefill  alive    1.23 M  1.50 M ops, 119.9 s  250 ms
  11  10.20.30.11:50001  prefill  alive    1.23 M                    0  250 ms"""
    assert "\n".join(lines[66:]) == f"""\
not here yet: 1 op of 1 member, for 9.0 s
10.20.30.7:50001 is refused: {LONG_REFUSAL[:51]}
  {LONG_REFUSAL[52:]}
10.20.30.8:50001 is not ready: 24 members were never seen; sees 40 of 64 members"""


def test_what_a_sidecar_does_not_tell_has_no_column(sidecar):
    sidecar.told = {}
    lines = lines_of(sidecar, "nodes")
    assert lines[0] == "64 members: 64 alive"
    assert lines[1].split() == ["rank", "addr", "role", "state", "heard"]
    assert len(lines) == 66


RACKS = [f"inference-gpu-{i:04}.rack{i // 8}.eu-central-1.example.com:5001" for i in range(64)]
IPV6 = [f"[2001:db8:aaaa:bbbb:cccc:dddd:eeee:{i:x}]:{5000 + i}" for i in range(64)]
UNLIKE = ["a" * 70 + f"{i}:{5000 + i}" for i in range(32)] + [f"b{i}" * 20 for i in range(32)]


@pytest.mark.parametrize(
    "addresses, shown, told",
    [
        (
            RACKS,
            {0: "0000.rack0", 63: "0063.rack7"},
            "all addresses begin with inference-gpu- and end in .eu-central-1.example.com:5001"
            " (--all has them in full)",
        ),
        (
            IPV6,
            {0: "0]:5000", 63: "3f]:5063"},
            "all addresses begin with [2001:db8:aaaa:bbbb:cccc:dddd:eeee: (--all has them in full)",
        ),
        (UNLIKE, {0: "aaaa…aaaa0:5000"}, "… stands for what has no room (--all has them in full)"),
        (RACKS[:1], {0: "infer…mple.com:5001"}, "… stands for what has no room"),
    ],
    ids=["one domain and port", "IPv6", "nothing in common", "one member"],
)
def test_addresses_that_have_no_room(sidecar, addresses, shown, told):
    sidecar.addresses = addresses
    sidecar.changes = {0: {"behind_ops": 1_500_000, "behind_seconds": 119.9}}
    lines = lines_of(sidecar, "nodes")
    for rank, text in shown.items():
        head, _, tail = lines[2 + rank].split()[1].partition("…")
        want_head, _, want_tail = text.partition("…")
        assert head.startswith(want_head) and tail.endswith(want_tail)
        assert tail or head == want_head
    assert told in " ".join(" ".join(lines).split())
    assert addresses[0] in text_of(sidecar, "nodes", "--all")


def test_every_field_of_the_members(sidecar):
    sidecar.addresses = sidecar.addresses[:1]
    sidecar.changes = {0: {"news": {"a": [1, 2], "b": {"c": None}}}}
    text = text_of(sidecar, "nodes", "--all")
    assert text == f"""\
1 member: 1 alive

10.20.30.0:50001
  rank               0
  role               prefill
  epoch              {EPOCH} (2023-11-14 22:13:20 UTC)
  state              alive
  applied            1,000
  head               1,000
  last_heard_ms      250
  load               running 1, waiting 0, kv_used 5, kv_total 10
  refusal            -
  refute             0
  lag_ops            0
  lag_seconds        0.0
  last_repair        -
  digest_mismatches  0
  tokens             1,234,567
  behind_ops         0
  behind_seconds     0.0
  ready              yes
  sees               64, 64
  why_not_ready      -
  news               a (1, 2), b (c -)
"""
    assert json_of(sidecar, "nodes") == sidecar.nodes()


def test_a_member_without_a_rank_has_none(sidecar):
    sidecar.changes = {0: {"rank": 2**32 - 1, "state": "unseen"}}
    assert lines_of(sidecar, "nodes")[2].split()[:2] == ["-", "10.20.30.0:50001"]
    assert "1 member is unseen: 10.20.30.0:50001" in text_of(sidecar, "status")


# ---- status --------------------------------------------------------------------------------------

STATUS = {
    "role": "prefill",
    "topology": "mesh",
    "policy": "cost",
    "evictable_tokens": 1_200_000,
    "protected_tokens": 34_567,
    "tree_tokens": 99_999_999,
    "ring": {"verified": True, "open_at": [], "round_trip_seconds": 0.00041},
    "health": 0,
    "isolated": False,
    "draining": False,
    "routing": {
        "routed": {"prefix": 1000, "hash": 0, "load": 20},
        "bookings": 3,
        "bookings_expired": 0,
    },
    "gc": {"mode": "off"},
    "leases": 2,
    "ops_applied": 123_456,
    "bytes_sent": 12_345_678,
    "bytes_received": 22_345_678,
    "caught_up": True,
    "sees": [64, 64],
    "longest_turn_ms": 12.5,
    "longest_turn_last_minute_ms": 0.4,
}


def test_the_node_in_a_screen(sidecar):
    sidecar.shown.update(STATUS)
    sidecar.changes = {3: BAD[3], 9: {"lag_ops": 12, "lag_seconds": 0.5}}
    lines = lines_of(sidecar, "status")
    assert "\n".join(lines) == f"""\
{ADDR}, prefill, rank 0, cluster test
! 1 member is dead: rank 3
ready         yes: sees 64 of 64 members
members       64: 63 alive, 1 dead
not here yet  12 ops of 1 member, for 500 ms
holds         1,234,567 tokens, 1,200,000 evictable, 34,567 locked, 2 leases
picture       99,999,999 distinct tokens of all nodes, 1.2 MiB, 123,456 ops
              applied
wire          11.8 MiB sent, 21.3 MiB received
ring          closed, two rounds take 0.4 ms
routed        prefix 1,000, load 20, 3 bookings open, 0 expired
collecting    off
loop          longest turn 12.5 ms, 0.4 ms in the last minute
settings      page size 2, topology mesh, policy cost
epoch         {EPOCH} (2023-11-14 22:13:20 UTC)
status --all has every field and counter"""


def test_a_node_that_is_not_well_says_so_first(sidecar):
    sidecar.shown.update(STATUS, ready=False, caught_up=False, sees=[2, 64], isolated=True)
    sidecar.shown.update(health=2, draining=True)
    sidecar.shown["ring"] = {"verified": False, "open_at": ["x:1", "y:2"]}
    lines = lines_of(sidecar, "status")
    assert "\n".join(lines[:5]) == f"""\
{ADDR}, prefill, rank 0, cluster test, leaving
! this node is not ready: not caught up; sees 2 of 64 members
! this node is isolated: so many seem gone that it accuses nobody
ready         no: not caught up; sees 2 of 64 members
members       64: 64 alive"""
    assert "ring          open at x:1, y:2" in lines


def test_what_is_wrong_with_the_node_itself_is_told_once(sidecar):
    sidecar.shown["ready"] = False
    sidecar.changes = {0: {"addr": ADDR, "ready": False}}
    lines = lines_of(sidecar, "status")
    assert [line for line in lines if line.startswith("!")] == ["! this node is not ready"]


def test_a_status_of_today_lacks_nothing_that_is_needed(sidecar):
    sidecar.told = {}
    assert lines_of(sidecar, "status")[:3] == [
        f"{ADDR}, rank 0, cluster test",
        "ready         yes",
        "members       64: 64 alive",
    ]


# ---- --check -------------------------------------------------------------------------------------

CHECKS = {
    "dead": ({7: BAD[3], 8: BAD[4]}, "2 members are dead: ranks 7-8"),
    "suspect": ({5: BAD[5]}, "1 member is suspect: rank 5"),
    "unseen": ({6: BAD[6]}, "1 member is unseen: rank 6"),
    "refused": ({1: BAD[7], 3: BAD[7], 4: BAD[7]}, "3 members are refused: ranks 1, 3-4"),
    "not ready": ({8: BAD[8]}, "1 member is not ready: rank 8"),
    "missing": (
        {9: BAD[9]},
        "1 member has ops that have been missing here for more than 5.0 s: rank 9",
    ),
    "behind": (
        {10: BAD[10]},
        "1 member has been behind the others for more than 5.0 s: rank 10",
    ),
}


@pytest.mark.parametrize("changes, told", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize("verb", ["status", "nodes"])
def test_check(sidecar, verb, changes, told):
    sidecar.changes = changes
    for arguments in ([verb], ["--json", verb], [verb, "--all"]):
        assert radixmesh(*arguments, socket=sidecar.path).returncode == 0
        done = radixmesh(*arguments, "--check", socket=sidecar.path)
        assert (done.returncode, done.stderr) == (3, "")
        if arguments == [verb]:
            assert f"! {told}\n" in done.stdout
    assert radixmesh("--json", verb, "--check", socket=sidecar.path).stdout.count("\n") == 1


@pytest.mark.parametrize("verb", ["status", "nodes"])
def test_check_of_what_is_well(sidecar, verb):
    sidecar.changes = {1: {"state": "left"}, 2: {"lag_ops": 9, "lag_seconds": 4.9}}
    assert radixmesh(verb, "--check", socket=sidecar.path).returncode == 0
    assert radixmesh(verb, "--check", "--lag-max", "4.8", socket=sidecar.path).returncode == 3
    sidecar.told = {}
    assert radixmesh(verb, "--check", socket=sidecar.path).returncode == 0


@pytest.mark.parametrize("change", [{"ready": False}, {"isolated": True}], ids=str)
def test_check_of_the_node_itself(sidecar, change):
    sidecar.shown.update(change)
    assert radixmesh("status", socket=sidecar.path).returncode == 0
    assert radixmesh("status", "--check", socket=sidecar.path).returncode == 3
    assert radixmesh("nodes", "--check", socket=sidecar.path).returncode == 0


def test_members_that_are_gone_are_not_said_to_lag(sidecar):
    sidecar.changes = {3: {**BAD[3], "lag_ops": 5, "lag_seconds": 99.0, "behind_seconds": 99.0}}
    text = radixmesh("nodes", "--check", socket=sidecar.path).stdout
    assert text.count("!") == 1
    assert PEER not in text


@pytest.mark.parametrize("verb", ["status", "nodes"])
def test_a_reader_that_goes_does_not_change_the_verdict(sidecar, verb):
    sidecar.changes = {3: BAD[3]}
    reading, writing = os.pipe()
    os.close(reading)
    for arguments, code in (([verb], 0), ([verb, "--check"], 3)):
        command = [PROGRAM, "--socket", sidecar.path, *arguments]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=ENV, timeout=30)
        assert (done.returncode, done.stderr) == (code, b"")
    os.close(writing)
