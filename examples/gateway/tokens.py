"""Turns a request's block ids into token ids: traces carry no text, so the tokens are made up.

Token j of block h is z mod 128,000, where, all modulo 2^64,

    z = h * 0x9E3779B97F4A7C15 + j * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9
    z = (z ^ z >> 27) * 0x94D049BB133111EB
    z = z ^ z >> 31

the workload of the tree bench, so that both speak of the same prompts. Computed anew for every
request: that costs 11 ns a token, and a cache of blocks would save a third of it for 90 MB.
"""

from __future__ import annotations

import numpy

from gateway.request import BLOCK_TOKENS, Request

VOCABULARY = 128_000
_MASK = (1 << 64) - 1

# The part of z that depends on j alone. numpy's arithmetic on uint64 arrays wraps, as wanted.
_OFFSETS = numpy.arange(BLOCK_TOKENS, dtype=numpy.uint64) * numpy.uint64(
    0xD1B54A32D192ED03
) + numpy.uint64(0x632BE59BD9B4E019)


def expand(request: Request) -> numpy.ndarray:
    """The prompt: `input_length` token ids, as little-endian u32, the form that the wire wants."""
    ids = numpy.array([hash_id & _MASK for hash_id in request.hash_ids], dtype=numpy.uint64)
    z = (ids * numpy.uint64(0x9E3779B97F4A7C15))[:, None] + _OFFSETS
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    z ^= z >> numpy.uint64(31)
    return (z % numpy.uint64(VOCABULARY)).astype("<u4").reshape(-1)[: request.input_length]
