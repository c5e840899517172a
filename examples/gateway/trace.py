"""Reads a request trace in the Mooncake format: one JSON object a line.

Of each line `input_length` and `hash_ids` are used. Timestamps are not: requests are sent one after
the other, as fast as the mesh answers. Empty lines are skipped.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Iterator, List, Optional, TextIO

from gateway.failure import Failure
from gateway.request import BLOCK_TOKENS, Request, blocks_needed

# What a sidecar takes in one call (`tokens_max` in ipc/PROTOCOL.md).
INPUT_TOKENS_MAX = 1 << 20


def read_trace(path: str, requests_max: Optional[int] = None) -> List[Request]:
    """The first `requests_max` requests of the file, or all; a bad line is a Failure naming it."""
    try:
        with open(path, encoding="utf-8") as lines:
            requests = list(islice(_requests(path, lines), requests_max))
    except OSError as error:
        raise Failure(f"cannot read the trace {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not text: {error}") from error
    if not requests:
        raise Failure(f"{path} holds no requests")
    return requests


def _requests(path: str, lines: TextIO) -> Iterator[Request]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield parse_line(line)
        except ValueError as error:
            raise Failure(f"{path}:{number}: {error}") from error


def parse_line(line: str) -> Request:
    """One request; ValueError names the rule that the line breaks."""
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("not JSON of a request: nested too deep") from error
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")
    input_length = fields.get("input_length")
    hash_ids = fields.get("hash_ids")
    if not _is_integer(input_length) or not 1 <= input_length <= INPUT_TOKENS_MAX:
        raise ValueError(f"input_length is not a number from 1 to {INPUT_TOKENS_MAX}")
    if not isinstance(hash_ids, list) or not all(map(_is_integer, hash_ids)):
        raise ValueError("hash_ids is not a list of integers")
    if len(hash_ids) != blocks_needed(input_length):
        raise ValueError(
            f"{len(hash_ids)} hash_ids, but input_length {input_length} makes "
            f"{blocks_needed(input_length)} blocks of {BLOCK_TOKENS} tokens"
        )
    return Request(input_length, tuple(hash_ids))


def _is_integer(value: object) -> bool:
    # true and false are ints to Python, but not to the format.
    return isinstance(value, int) and not isinstance(value, bool)
