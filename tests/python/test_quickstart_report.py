"""The quickstart's words: the table, the JSON, the progress, and whether replicas agree."""

import io
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from gateway.converge import first_difference, wait_for_agreement  # noqa: E402
from gateway.failure import Failure  # noqa: E402
from gateway.progress import Progress  # noqa: E402
from gateway.report import Report, write_json  # noqa: E402
from gateway.run import Totals  # noqa: E402
from gateway.wire_meter import WireMeter  # noqa: E402


def report(**changes):
    totals = Totals(
        requests=4000,
        input_tokens=1_000_000,
        hit_tokens=405_000,
        new_tokens=1_200_000,
        seconds=8,
        reasons=Counter(hash=1000, prefix=3000),
    )
    fields = {
        "totals": totals,
        "best_hit_tokens": 651_000,
        "tokens_per_node": [("127.0.0.1:4001", "prefill", 999_984), ("127.0.0.1:9", "router", 0)],
        "wire_bytes": 3_000_000,
        "converge_seconds": 0.0123,
        "policy": "cost",
    }
    fields.update(changes)
    return Report(**fields)


def test_table():
    assert "\n".join(report().lines()) == TABLE.strip("\n")


TABLE = """
requests             4,000
policy               cost: prefix 3,000, hash 1,000
input tokens         1,000,000
hit rate             40.5 %   (best possible 65.1 %, by one cache without bound)
tokens per node      127.0.0.1:4001        prefill       999,984
                     127.0.0.1:9           router              0
new tokens           1,200,000, over all engines
bytes on the wire    2.50 per new token   (3,000,000 in all)
time to converge     12.3 ms after the last request
all replicas agree   yes
violations           0
seconds              8.0   (500.0 requests/s)
"""


def test_a_good_run_has_no_failures():
    assert report().failures() == []


def test_each_failure_is_one_line():
    bad = report(difference="a and b differ", converge_seconds=30.0)
    bad.totals.violated("request 3 at x: routed for 32 cached tokens, 16 were there")
    bad.totals.violated("another")
    assert bad.failures() == [
        "the replicas do not agree after 30.0 s: a and b differ",
        "2 violations, the first: request 3 at x: routed for 32 cached tokens, 16 were there",
    ]
    assert any(line.split()[-1] == "NO" for line in bad.lines())


def test_a_run_without_new_tokens_or_time_divides_by_nothing():
    lines = report(totals=Totals()).lines()
    assert any("no new token" in line for line in lines)


def test_json_has_the_contract_s_keys(tmp_path):
    path = tmp_path / "out.json"
    write_json(str(path), report())
    written = json.loads(path.read_text())
    contract = {
        "requests": 4000,
        "input_tokens": 1_000_000,
        "hit_tokens": 405_000,
        "best_hit_tokens": 651_000,
        "converged": True,
        "wire_bytes": 3_000_000,
        "new_tokens": 1_200_000,
        "seconds": 8,
    }
    assert {key: written[key] for key in contract} == contract


def test_json_that_cannot_be_written_is_a_failure(tmp_path):
    with pytest.raises(Failure, match="cannot write"):
        write_json(str(tmp_path / "no" / "folder"), report())


# --- progress ------------------------------------------------------------------------------------


def test_progress_in_a_log_is_a_line_every_tenth():
    stream = io.StringIO()
    progress = Progress(1000, stream)
    for done in range(1, 1001):
        progress.show(done)
    progress.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == " 10 %  100 requests"
    assert lines[-1] == "100 %  1,000 requests"


def test_progress_on_a_terminal_is_one_line():
    stream = io.StringIO()
    stream.isatty = lambda: True
    progress = Progress(3, stream)
    for done in (1, 2, 3):
        progress.show(done)
    progress.close()
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("] 100 %  3 of 3 requests\n")


# --- agreement -----------------------------------------------------------------------------------


def statuses(**changes):
    """Three nodes that agree, but for `node__what__member=fact`."""
    addrs = ["a", "b", "c"]
    found = {
        node: {
            "version_vector": {member: [1, 10] for member in addrs},
            "digests": {member: "00ff" for member in addrs},
        }
        for node in addrs
    }
    for path, fact in changes.items():
        node, what, member = path.split("__")
        if fact is None:
            del found[node][what][member]
        else:
            found[node][what][member] = fact
    return found


@pytest.mark.parametrize(
    "changes, words",
    [
        ({}, None),
        ({"b__version_vector__c": (1, 10)}, None),
        ({"c__version_vector__a": [1, 9]}, "a and c differ in the version_vector of a"),
        ({"b__version_vector__b": [2, 10]}, "a and b differ in the version_vector of b"),
        ({"c__digests__b": "00fe"}, "a and c differ in the digests of b: 00ff and 00fe"),
        ({"b__digests__c": None}, "b has no digests of c"),
        ({"a__version_vector__c": None}, "a has no version_vector of c"),
    ],
)
def test_first_difference(changes, words):
    found = first_difference(statuses(**changes))
    assert (found is None) if words is None else (words in found)


class Replaying:
    """Answers one status after the other, the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def status(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_waits_until_all_agree():
    behind = statuses(c__version_vector__a=[1, 9])["c"]
    good = statuses()
    clients = {
        "a": Replaying(good["a"]),
        "b": Replaying(good["b"]),
        "c": Replaying(behind, behind, good["c"]),
    }
    agreement = wait_for_agreement(clients)
    assert agreement.agreed and agreement.statuses["c"] == good["c"]


def test_gives_up_at_the_deadline_with_the_difference():
    clients = {addr: Replaying(s) for addr, s in statuses(c__digests__c="01").items()}
    agreement = wait_for_agreement(clients, converge_s_max=0.01)
    assert not agreement.agreed and "digests of c" in agreement.difference


def test_wire_bytes_over_two_lives():
    meter = WireMeter({"a": {"bytes_sent": 100}, "b": {"bytes_sent": 7}})
    meter.end_life("a", {"bytes_sent": 150})
    assert meter.total({"a": {"bytes_sent": 30}, "b": {"bytes_sent": 9}}) == 50 + 30 + 2
