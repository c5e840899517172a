"""A request as the traces describe it: how long its prompt is, and which blocks it consists of."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Tuple

BLOCK_TOKENS = 512


class Request(NamedTuple):
    """`hash_ids[i]` names tokens [512 i, 512 (i + 1)) of the prompt *and* everything before them.

    There are exactly as many ids as it takes to cover `input_length` (at least 1) tokens; the last
    block may be covered in part.
    """

    input_length: int
    hash_ids: Tuple[int, ...]

    def block_lengths(self) -> Iterable[Tuple[int, int]]:
        """Each id with the number of tokens of its block that belong to this prompt."""
        left = self.input_length
        for hash_id in self.hash_ids:
            yield hash_id, min(left, BLOCK_TOKENS)
            left -= BLOCK_TOKENS


def blocks_needed(input_length: int) -> int:
    return -(-input_length // BLOCK_TOKENS)


def best_hit_tokens(requests: Iterable[Request]) -> int:
    """The hits of one cache without bound that serves every request: no fleet can have more.

    Counted block by block. How much of a block was ever seen is kept, so that a prompt that ended
    within a block counts for the next one only as far as it went.
    """
    seen_tokens: dict = {}
    hits = 0
    for request in requests:
        unbroken = True
        for hash_id, length in request.block_lengths():
            seen = seen_tokens.get(hash_id, 0)
            if unbroken:
                hits += min(seen, length)
                unbroken = seen >= length
            if seen < length:
                seen_tokens[hash_id] = length
    return hits
