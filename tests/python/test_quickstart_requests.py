"""The quickstart's requests: reading a trace, its tokens, its best possible hits, its own chats."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from gateway.chat import chat_workload  # noqa: E402
from gateway.failure import Failure  # noqa: E402
from gateway.request import Request, best_hit_tokens, blocks_needed  # noqa: E402
from gateway.tokens import expand  # noqa: E402
from gateway.trace import parse_line, read_trace  # noqa: E402


def line(**fields):
    return json.dumps({"timestamp": 0, "output_length": 5, **fields})


def trace_file(tmp_path, *lines):
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


# --- reading -------------------------------------------------------------------------------------


def test_reads_requests_in_order_and_skips_empty_lines(tmp_path):
    path = trace_file(
        tmp_path,
        line(input_length=512, hash_ids=[7]),
        "",
        line(input_length=513, hash_ids=[7, 8]),
    )
    assert read_trace(path) == [Request(512, (7,)), Request(513, (7, 8))]


def test_reads_only_as_many_as_asked(tmp_path):
    # The bad second line is never looked at.
    path = trace_file(tmp_path, line(input_length=1, hash_ids=[1]), "rubbish")
    assert len(read_trace(path, requests_max=1)) == 1


@pytest.mark.parametrize(
    "bad, why",
    [
        ("rubbish", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"input_length": 5', "not JSON"),
        ("[" * 100_000, "nested"),
        (line(hash_ids=[1]), "input_length"),
        (line(input_length=0, hash_ids=[]), "input_length"),
        (line(input_length=-3, hash_ids=[]), "input_length"),
        (line(input_length="512", hash_ids=[1]), "input_length"),
        (line(input_length=512.0, hash_ids=[1]), "input_length"),
        (line(input_length=True, hash_ids=[1]), "input_length"),
        (line(input_length=1 << 21, hash_ids=[1]), "input_length"),
        (line(input_length=512), "hash_ids"),
        (line(input_length=512, hash_ids=7), "hash_ids"),
        (line(input_length=512, hash_ids=["7"]), "hash_ids"),
        (line(input_length=512, hash_ids=[None]), "hash_ids"),
        (line(input_length=513, hash_ids=[7]), "makes 2 blocks"),
        (line(input_length=512, hash_ids=[7, 8]), "makes 1 blocks"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path, bad, why):
    path = trace_file(tmp_path, line(input_length=1, hash_ids=[1]), "", bad)
    with pytest.raises(Failure) as failure:
        read_trace(path)
    assert str(failure.value).startswith(f"{path}:3: ")
    assert why in str(failure.value)
    assert "\n" not in str(failure.value)


def test_an_absent_an_empty_and_a_binary_file_are_failures(tmp_path):
    with pytest.raises(Failure, match="No such file"):
        read_trace(str(tmp_path / "absent"))
    with pytest.raises(Failure, match="holds no requests"):
        read_trace(trace_file(tmp_path, "", ""))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failure, match="not text"):
        read_trace(str(tmp_path / "binary"))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_line_is_more_than_a_value_error(text):
    try:
        parse_line(text)
    except ValueError:
        pass


# --- tokens --------------------------------------------------------------------------------------


def token_by_the_formula(h, j):
    """The workload's definition, one token at a time, in integers without bound."""
    mask = (1 << 64) - 1
    z = (h * 0x9E3779B97F4A7C15 + j * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    return z % 128_000


def test_tokens_golden():
    # Figures of the formula, so that it and the expansion cannot drift together.
    assert expand(Request(4, (0,))).tolist() == [28330, 86388, 4328, 45150]
    assert expand(Request(516, (0, 46919))).tolist()[512:] == [571, 109485, 5486, 43923]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(min_value=-(2**63), max_value=2**64 - 1), min_size=1, max_size=4),
    st.integers(min_value=1, max_value=512),
)
def test_tokens_are_those_of_the_formula(hash_ids, last_length):
    length = 512 * (len(hash_ids) - 1) + last_length
    expected = [token_by_the_formula(hash_ids[i // 512], i % 512) for i in range(length)]
    tokens = expand(Request(length, tuple(hash_ids)))
    assert tokens.tolist() == expected
    assert tokens.dtype == "<u4" and tokens.flags.c_contiguous


# --- best possible hits --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "why, requests, hits",
    [
        ("nothing was seen before", [(1024, (1, 2))], 0),
        ("all was", [(1024, (1, 2)), (1024, (1, 2))], 1024),
        ("a common beginning", [(1024, (1, 2)), (1024, (1, 3))], 512),
        ("nothing after a gap counts", [(1024, (1, 2)), (1024, (3, 2))], 0),
        ("a part of the last block", [(1024, (1, 2)), (700, (1, 2))], 700),
        ("as far as it was ever filled", [(700, (1, 2)), (1024, (1, 2))], 700),
        ("and nothing after that", [(700, (1, 2)), (1400, (1, 2, 3)), (1400, (1, 2, 3))], 2100),
    ],
)
def test_best_hit_tokens(why, requests, hits):
    assert best_hit_tokens(Request(*request) for request in requests) == hits, why


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.lists(st.sampled_from("ab"), max_size=4), st.integers(1, 512))))
def test_best_hit_tokens_against_all_prefixes_ever_seen(prompts):
    # An id is made of the whole path, as an id stands for all that is before it.
    requests = []
    for path, last_length in prompts:
        path = path or ["a"]
        ids = tuple(
            int("".join(path[: i + 1]).replace("a", "1").replace("b", "2"))
            for i in range(len(path))
        )
        requests.append(Request(512 * (len(ids) - 1) + last_length, ids))
    seen = set()
    hits = 0
    for request in requests:
        tokens = [(block, at) for block, n in request.block_lengths() for at in range(n)]
        hits += next((i for i, token in enumerate(tokens) if token not in seen), len(tokens))
        seen.update(tokens)
    assert best_hit_tokens(requests) == hits


# --- own chats -----------------------------------------------------------------------------------


def test_chats_are_equal_for_equal_seeds_only():
    assert chat_workload(50, seed=1) == chat_workload(50, seed=1)
    assert chat_workload(50, seed=1) != chat_workload(50, seed=2)
    assert chat_workload(50) == chat_workload(500)[:50]


def test_chats_are_well_formed_and_worth_caching():
    requests = chat_workload(1000)
    assert len(requests) == 1000
    assert all(len(r.hash_ids) == blocks_needed(r.input_length) for r in requests)
    input_tokens = sum(r.input_length for r in requests)
    assert 0.6 < best_hit_tokens(requests) / input_tokens < 0.95
