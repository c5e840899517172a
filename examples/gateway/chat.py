"""The quickstart's own workload: chats of many turns, for a machine without a trace.

Tenants of unequal popularity each have a system prompt with which all their sessions begin. A
session grows turn by turn: the question, then the model's answer, which the next turn's prompt
contains.

    prompt of turn 2:  [system prompt | question 1 | answer 1 | question 2]
                        shared by the  shared with
                        tenant         turn 1

One block id stands for one stretch of one session, whatever part of it a turn covers: as a session
grows, its last block fills up.
"""

from __future__ import annotations

import heapq
import itertools
import random
from typing import Iterator, List, Tuple

from gateway.request import BLOCK_TOKENS, Request, blocks_needed

REQUESTS = 2_000
SEED = 7
TENANTS = 24
SYSTEM_PROMPT_BLOCKS = (1, 6)
TURNS = (2, 14)
QUESTION_TOKENS = (20, 400)
ANSWER_TOKENS = (40, 700)
SESSION_GAP_S = 1.0
TURN_GAP_S = 12.0


def chat_workload(requests: int = REQUESTS, seed: int = SEED) -> List[Request]:
    """The first so many requests, in the order in which they arrive; equal for equal seeds."""
    return list(itertools.islice(_arrivals(random.Random(seed)), requests))


class _Session:
    """One chat: whose it is, how long its prompt has grown, and which ids its blocks have."""

    def __init__(self, rng: random.Random, system_ids: Tuple[int, ...], fresh_ids: Iterator[int]):
        self._rng = rng
        self._ids = list(system_ids)
        self._fresh_ids = fresh_ids
        self._length = len(system_ids) * BLOCK_TOKENS
        self.turns_left = rng.randint(*TURNS)

    def ask(self) -> Request:
        """The next turn's request; the answer to it is part of the turn after."""
        self._length += self._rng.randint(*QUESTION_TOKENS)
        while len(self._ids) < blocks_needed(self._length):
            self._ids.append(next(self._fresh_ids))
        request = Request(self._length, tuple(self._ids[: blocks_needed(self._length)]))
        self._length += self._rng.randint(*ANSWER_TOKENS)
        self.turns_left -= 1
        return request


def _arrivals(rng: random.Random) -> Iterator[Request]:
    fresh_ids = itertools.count()
    tenants = [
        tuple(itertools.islice(fresh_ids, rng.randint(*SYSTEM_PROMPT_BLOCKS)))
        for _ in range(TENANTS)
    ]
    popularity = [rng.paretovariate(1.1) for _ in tenants]
    # Waiting turns by time; the number breaks ties, as sessions have no order.
    turns: list = []
    next_session_s = 0.0
    for number in itertools.count():
        while turns and turns[0][0] <= next_session_s:
            at_s, tie, session = heapq.heappop(turns)
            yield session.ask()
            if session.turns_left:
                again_s = at_s + rng.expovariate(1 / TURN_GAP_S)
                heapq.heappush(turns, (again_s, tie, session))
        system_ids = rng.choices(tenants, popularity)[0]
        session = _Session(rng, system_ids, fresh_ids)
        heapq.heappush(turns, (next_session_s, number, session))
        next_session_s += rng.expovariate(1 / SESSION_GAP_S)
