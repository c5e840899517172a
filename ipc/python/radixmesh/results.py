"""What the calls answer: plain values, frozen, compared by content.

Lengths and depths count tokens; intervals are half-open; runs are `(start, count)` of slots; a node
is named by its `addr`, "host:port".
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Dict, Generic, Mapping, NamedTuple, Optional, Tuple, TypeVar, Union

from .namespace import Namespace
from .slots import Runs

__all__ = [
    "Booked",
    "Candidate",
    "CostTerms",
    "Event",
    "Explanation",
    "FreedSlots",
    "Hits",
    "InsertResult",
    "Limits",
    "Match",
    "MembershipEvent",
    "NodeInfo",
    "OpEvent",
    "Redirect",
    "Route",
    "Segment",
    "Source",
    "SidecarInfo",
    "Target",
    "Tree",
    "TreeEdge",
    "TreeEntry",
]

B = TypeVar("B")  # Booking, or AioBooking

# `slots=True` came with Python 3.10. The decorator is called in full each time: type checkers do
# not see through a wrapper around it.
_SLOTS: Dict[str, Any] = {"slots": True} if sys.version_info >= (3, 10) else {}


@dataclass(frozen=True, **_SLOTS)
class Limits:
    """The sidecar's bounds in force."""

    frame_bytes_max: int
    tokens_max: int  # in one request
    runs_max: int  # in one request
    answer_runs_max: int  # in one answer
    evicted_runs_max: int  # at which `evict` stops
    clients_max: int
    output_bytes_max: int  # unread output at which a client is cut
    leases_max: int  # on one connection


@dataclass(frozen=True, **_SLOTS)
class SidecarInfo:
    """Answer of `hello`: who is at the other end."""

    protocol: int
    addr: str
    rank: int
    role: str  # prefill, decode, unified or router
    cluster: str
    page_size: int  # tokens
    epoch: int
    limits: Limits
    # For so long slots that the engine held before this life of the sidecar, and that it does not
    # hold now, may not be used again: other nodes may still read them.
    free_wait_ms: int = 0


@dataclass(frozen=True, **_SLOTS)
class Segment:
    """The tokens `[begin, end)` of a match, and where they lie."""

    begin: int
    end: int
    addr: str  # the holder of the lowest rank
    slots: Optional[Runs]  # None where the asked node does not keep the holder's slots


@dataclass(frozen=True, **_SLOTS)
class Match:
    """What is cached of a row of tokens, here and elsewhere."""

    length: int  # the largest of the depths
    local_length: int  # on the asked node, in local_slots
    local_slots: Runs
    depths: Mapping[str, int]  # addr -> tokens held without a gap from the first, this node too
    segments: Tuple[Segment, ...]  # cut [0, length)


class Acquired(NamedTuple):
    """Answer of `acquire` as it is on the wire; the clients wrap it into a Lease."""

    lease: int
    match: Match
    segments: Tuple[Segment, ...]


@dataclass(frozen=True, **_SLOTS)
class InsertResult:
    """Answer of `insert`."""

    prefix_len: int  # tokens that were present on this node before: their old slots stay
    stored: int  # tokens newly stored
    freed: Runs  # slots that had to go to make room


@dataclass(frozen=True, **_SLOTS)
class Target:
    """A node to send a request to."""

    addr: str
    rank: int
    depth: int  # tokens of the prompt that it holds


@dataclass(frozen=True, **_SLOTS)
class Source:
    """From where the node that computes should read KV instead of computing it (`--pull-rate`).

    Safely, as `acquire(remote=True)` there names the slots and keeps them.
    """

    addr: str
    depth: int  # tokens of the prompt that it has
    tokens: int  # the last so many of these: they come sooner than they are computed


class RouteAnswer(NamedTuple):
    """Answer of `route` as it is on the wire; the clients wrap it into a Route."""

    prefill: Optional[Target]
    decode: Optional[Target]
    reason: str
    booking: Optional[int]
    source: Optional[Source]


@dataclass(frozen=True, **_SLOTS)
class Route(Generic[B]):
    """Answer of `route`; None where no node is named for that role, or nothing was booked."""

    prefill: Optional[Target]
    decode: Optional[Target]
    reason: str  # prefix, load, hash, decode_only, warm_up or nobody
    booking: Optional[B]
    source: Optional[Source] = None  # where the node that computes reads what it lacks


@dataclass(frozen=True, **_SLOTS)
class Redirect:
    """Answer of `redirect`."""

    target: Optional[Target]  # None: stay
    reason: str  # sooner (there), stay, or hop_limit
    source: Optional[Source] = None  # where the target reads what it lacks

    @property
    def stay(self) -> bool:
        return self.target is None


@dataclass(frozen=True, **_SLOTS)
class Booked:
    """What all routers promised a node, in sum."""

    requests: int  # not finished
    prefills: int  # prompts not computed yet
    prefill_tokens: int
    decode_tokens: int
    pull_in_tokens: int = 0  # of KV to come from other nodes
    pull_out_tokens: int = 0  # ... to be read by others


@dataclass(frozen=True, **_SLOTS)
class Hits:
    """Of the asked router's bookings at a node whose engine told its real hits."""

    reports: int
    predicted_tokens: int
    actual_tokens: int


@dataclass(frozen=True, **_SLOTS)
class CostTerms:
    """Seconds: until the node is free, to compute what is not cached, what that costs others, to
    transfer what the decode node lacks, a decode step; and, 0 of older sidecars, what a copy counts
    there, until it has room for the KV, until what it reads from another node has come, beyond the
    wait."""

    wait_s: float
    compute_s: float
    delay_s: float
    transfer_s: float
    step_s: float
    duplicate_s: float = 0.0
    room_s: float = 0.0
    pull_s: float = 0.0


@dataclass(frozen=True, **_SLOTS)
class Candidate:
    """A node in an explanation. Costs are seconds; the lower wins."""

    addr: str
    rank: int
    role: str
    excluded: Optional[str]  # why it may not be chosen, such as dead, suspect, not_ready
    depth: int  # tokens of the prompt that it is believed to have
    indexed_depth: int  # ... by the index, without what is booked there
    load: Optional[Mapping[str, Any]]  # what its engine reported last
    requests: int  # reported or booked
    queued_tokens: float  # of prompts, before this one
    decode_tokens: float  # of KV that its requests read with every step
    prefill_rate: float  # tokens/s
    rate_source: str  # reported, learned, fleet or configured
    booked: Booked
    hits: Hits
    terms: CostTerms
    prefill_cost_s: Optional[float]  # None where it may not serve as that
    decode_cost_s: Optional[float]
    is_prefill: bool  # it is the choice
    is_decode: bool
    busy: float = 0.0  # the share of the last minute that the prompts take which it was given
    kv_free: Optional[float] = None  # tokens that no request has or will have, if its engine says
    pull_rate: int = 0  # tokens/s of KV to it from other nodes, and from it; 0: none
    pull_in_tokens: float = 0.0  # still to come to it
    pull_out_tokens: float = 0.0  # still to go from it
    source: Optional[Source] = None  # where it would read what it lacks


@dataclass(frozen=True, **_SLOTS)
class Explanation:
    """Answer of `explain`: what `route` would answer, and everything that leads to it."""

    tokens: int
    policy: str
    reason: str
    prefill: Optional[Target]
    decode: Optional[Target]
    candidates: Tuple[Candidate, ...]  # in order of rank; those that are excluded, too
    near_equals: int = 0  # others that were about as good: a lot was drawn among them
    source: Optional[Source] = None


@dataclass(frozen=True, **_SLOTS)
class NodeInfo:
    """A member of the mesh as the asked node sees it."""

    addr: str
    rank: int
    role: str
    epoch: int
    state: str  # alive, suspect, dead, left or unseen
    applied: Optional[int]  # seq of its last op that was applied here
    head: Optional[int]  # seq of its last op, as far as it was heard
    last_heard_ms: Optional[int]  # milliseconds ago
    load: Optional[Mapping[str, Any]]  # what its engine reported last
    refute: int  # suspicions that it refuted in this life
    lag_ops: int  # ops of it that exist and are not applied here
    lag_seconds: float  # for so long something has been missing
    last_repair: Optional[Mapping[str, Any]]  # how ("replay" or "snapshot"), seconds_ago
    digest_mismatches: int  # times that its entries here were found to be wrong
    prefill_rate: float  # tokens/s
    rate_source: str  # reported, learned, fleet or configured
    booked: Booked
    hits: Hits
    tokens: Optional[int] = None  # that it holds, as the asked node knows
    ready: Optional[bool] = None  # it may get requests
    behind_ops: Optional[int] = None  # by its own word: ops of all others that it misses
    behind_seconds: Optional[float] = None  # ... and for how long some have been missing
    sees: Optional[Tuple[int, int]] = None  # ... and how many members, of those that it should
    why_not_ready: Optional[str] = None  # what stands between it and the asked node
    pull_rate: int = 0  # tokens/s of KV to it from other nodes, and from it; 0: none


@dataclass(frozen=True, **_SLOTS)
class TreeEdge:
    """An edge of the asked node's tree. Where edges begin and end differs between replicas."""

    namespace: Namespace
    begin: int
    end: int
    head: Tuple[int, ...]  # its first tokens, at most 8
    hash: str  # of the prefix at its end, hex
    holders: Tuple[str, ...]  # addrs
    lock_ref: int
    retiring: Tuple[str, ...] = ()  # addrs of those whose pages here are on their way out


@dataclass(frozen=True, **_SLOTS)
class TreeEntry:
    """An INSERT of one holder whose pages still live; equal on all replicas that agree."""

    seq: int
    namespace: Namespace
    begin: int
    end: int
    head: Tuple[int, ...]
    hash: str


@dataclass(frozen=True, **_SLOTS)
class Tree:
    """A stretch of the tree: its edges, or the entries of the holder that was asked for."""

    edges: Tuple[TreeEdge, ...]  # parents before children; empty where a holder was named
    entries: Tuple[TreeEntry, ...]  # in the order of seq; empty where no holder was named
    total: int  # how many there are in all
    tree_tokens: int


@dataclass(frozen=True, **_SLOTS)
class OpEvent:
    """An op was applied on the asked node."""

    origin: str
    epoch: int
    seq: int
    type: str  # INSERT, DELETE, RESET, GC_QUERY or GC_ABORT
    tokens: int  # added, removed, or that began to retire or no longer do


@dataclass(frozen=True, **_SLOTS)
class MembershipEvent:
    """A member of the mesh changed."""

    addr: str
    rank: int
    role: str
    epoch: int
    state: str


class FreedSlots(NamedTuple):
    """A gc_free as it is on the wire; the clients wrap it into a GcFreeEvent."""

    number: int
    slots: Runs
    advice: bool
    state: Tuple[int, int]


Event = Union[OpEvent, MembershipEvent, FreedSlots]
