"""Reads what the sidecar answers, and believes none of it unchecked.

`Fields` takes a map apart; each getter checks the type of what it takes and raises ReportBug, with
the name of the field, where it is missing or of another type. Fields that this version does not
know are skipped: a newer sidecar may add some.
"""

from __future__ import annotations

import sys
from array import array
from typing import Any, Callable, Dict, Optional, Tuple, TypeVar

from .errors import ReportBug
from .namespace import Namespace
from .results import (
    Acquired,
    Booked,
    Candidate,
    CostTerms,
    Explanation,
    FreedSlots,
    Hits,
    InsertResult,
    Limits,
    Match,
    MembershipEvent,
    NodeInfo,
    OpEvent,
    Redirect,
    RouteAnswer,
    Source,
    Segment,
    SidecarInfo,
    Target,
    Tree,
    TreeEdge,
    TreeEntry,
)
from .slots import Runs

T = TypeVar("T")


def _wrong(what: str, wanted: str, value: object) -> ReportBug:
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return ReportBug(f"the sidecar's answer is malformed: {what} must be {wanted}, not {shown}")


class Fields:
    """A map of the answer. `what` names it in errors."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(what, "a map", value)
        self._map: Dict[Any, Any] = value
        self._what = what

    def name(self, field: str) -> str:
        return f"{self._what}.{field}"

    def any(self, field: str) -> Any:
        if field not in self._map:
            raise ReportBug(
                f"the sidecar's answer is malformed: {self._what} has no '{field}', "
                f"only {sorted(map(str, self._map))}"
            )
        return self._map[field]

    def has(self, field: str) -> bool:
        return field in self._map

    def number(self, field: str) -> int:
        return number(self.any(field), self.name(field))

    def real(self, field: str) -> float:
        return real(self.any(field), self.name(field))

    def flag(self, field: str) -> bool:
        value = self.any(field)
        if not isinstance(value, bool):
            raise _wrong(self.name(field), "true or false", value)
        return value

    def text(self, field: str) -> str:
        return text(self.any(field), self.name(field))

    def runs(self, field: str) -> Runs:
        return runs(self.any(field), self.name(field))

    def optional(self, field: str, read: Callable[[Any, str], T]) -> Optional[T]:
        value = self.any(field)
        return None if value is None else read(value, self.name(field))

    def each(self, field: str, read: Callable[[Any, str], T]) -> Tuple[T, ...]:
        return each(self.any(field), self.name(field), read)


def number(value: object, what: str) -> int:
    # type() and not isinstance(): True is an int for the latter.
    if type(value) is not int or value < 0:
        raise _wrong(what, "a number from 0", value)
    return value


def real(value: Any, what: str) -> float:
    # MessagePack packs a whole one as an integer.
    if type(value) not in (int, float) or value < 0:
        raise _wrong(what, "a number from 0", value)
    return float(value)


def text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise _wrong(what, "a string", value)
    return value


def table(value: object, what: str) -> Dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _wrong(what, "a map with strings for keys", value)
    return value


def each(value: object, what: str, read: Callable[[Any, str], T]) -> Tuple[T, ...]:
    if not isinstance(value, list):
        raise _wrong(what, "an array", value)
    return tuple(read(item, f"{what}[{position}]") for position, item in enumerate(value))


def runs(value: object, what: str) -> Runs:
    if not isinstance(value, list):
        raise _wrong(what, "an array of runs", value)
    for run in value:
        # Written out instead of calling number(): an answer may have many thousands of runs.
        if type(run) is not list or len(run) != 2:
            raise _wrong(what, "an array of [start, count]", run)
        start, count = run
        if type(start) is not int or type(count) is not int or start < 0 or count < 1:
            raise _wrong(what, "an array of [start, count]", run)
    return tuple((start, count) for start, count in value)


def hello(value: object) -> SidecarInfo:
    fields = Fields(value, "hello")
    limits = Fields(fields.any("limits"), "limits")
    return SidecarInfo(
        protocol=fields.number("protocol"),
        addr=fields.text("addr"),
        rank=fields.number("rank"),
        role=fields.text("role"),
        cluster=fields.text("cluster"),
        page_size=fields.number("page_size"),
        epoch=fields.number("epoch"),
        limits=Limits(**{name: limits.number(name) for name in Limits.__annotations__}),
        free_wait_ms=fields.number("free_wait_ms") if fields.has("free_wait_ms") else 0,
    )


def insert(value: object) -> InsertResult:
    fields = Fields(value, "insert")
    return InsertResult(fields.number("prefix_len"), fields.number("stored"), fields.runs("freed"))


def match(value: object, what: str = "match_prefix") -> Match:
    fields = Fields(value, what)
    depths = table(fields.any("depths"), fields.name("depths"))
    for addr, depth in depths.items():
        number(depth, f"{what}.depths[{addr!r}]")
    return Match(
        length=fields.number("length"),
        local_length=fields.number("local_length"),
        local_slots=fields.runs("local_slots"),
        depths=depths,
        segments=fields.each("segments", _segment),
    )


def _segment(value: object, what: str) -> Segment:
    if not isinstance(value, list) or len(value) != 4:
        raise _wrong(what, "[begin, end, addr, slots]", value)
    begin, end, addr, slots = value
    return Segment(
        number(begin, f"{what}.begin"),
        number(end, f"{what}.end"),
        text(addr, f"{what}.addr"),
        None if slots is None else runs(slots, f"{what}.slots"),
    )


def acquire(value: object) -> Acquired:
    fields = Fields(value, "acquire")
    return Acquired(
        fields.number("lease"),
        match(fields.any("match"), "acquire.match"),
        fields.each("segments", _segment) if fields.has("segments") else (),
    )


def valid(value: object) -> bool:
    return Fields(value, "validate").flag("valid")


def freed(value: object) -> Runs:
    return Fields(value, "the answer").runs("freed")


def removal(value: object) -> float:
    return Fields(value, "member_remove").number("wait_ms") / 1000


def nothing(value: object) -> None:
    Fields(value, "the answer")


def status(value: object) -> Dict[str, Any]:
    return table(value, "status")


def gc(value: object) -> Dict[str, Any]:
    return table(value, "gc")


def route(value: object) -> RouteAnswer:
    fields = Fields(value, "route")
    return RouteAnswer(
        prefill=fields.optional("prefill", _target),
        decode=fields.optional("decode", _target),
        reason=fields.text("reason"),
        booking=fields.optional("booking", number),
        source=_source(fields),
    )


def redirect(value: object) -> Redirect:
    fields = Fields(value, "redirect")
    target = fields.optional("target", _target)
    return Redirect(target, fields.text("reason"), _source(fields))


def explain(value: object) -> Explanation:
    fields = Fields(value, "explain")
    return Explanation(
        tokens=fields.number("tokens"),
        policy=fields.text("policy"),
        reason=fields.text("reason"),
        prefill=fields.optional("prefill", _target),
        decode=fields.optional("decode", _target),
        candidates=fields.each("candidates", _candidate),
        near_equals=fields.number("near_equals") if fields.has("near_equals") else 0,
        source=_source(fields),
    )


def _candidate(value: object, what: str) -> Candidate:
    fields = Fields(value, what)
    return Candidate(
        addr=fields.text("addr"),
        rank=fields.number("rank"),
        role=fields.text("role"),
        excluded=fields.optional("excluded", text),
        depth=fields.number("depth"),
        indexed_depth=fields.number("indexed_depth"),
        load=fields.optional("load", table),
        requests=fields.number("requests"),
        queued_tokens=fields.real("queued_tokens"),
        decode_tokens=fields.real("decode_tokens"),
        **_work(fields),
        terms=_terms(fields),
        prefill_cost_s=fields.optional("prefill_cost_s", real),
        decode_cost_s=fields.optional("decode_cost_s", real),
        is_prefill=fields.flag("is_prefill"),
        is_decode=fields.flag("is_decode"),
        busy=fields.real("busy") if fields.has("busy") else 0.0,
        kv_free=fields.optional("kv_free", real) if fields.has("kv_free") else None,
        pull_in_tokens=fields.real("pull_in_tokens") if fields.has("pull_in_tokens") else 0.0,
        pull_out_tokens=fields.real("pull_out_tokens") if fields.has("pull_out_tokens") else 0.0,
        source=_source(fields),
    )


def _work(fields: Fields) -> Dict[str, Any]:
    return {
        "prefill_rate": fields.real("prefill_rate"),
        "rate_source": fields.text("rate_source"),
        "pull_rate": fields.number("pull_rate") if fields.has("pull_rate") else 0,
        "booked": _numbers(Booked, fields, "booked", newer=("pull_in_tokens", "pull_out_tokens")),
        "hits": _numbers(Hits, fields, "hits"),
    }


def _numbers(kind: Callable[..., T], fields: Fields, name: str, newer: Tuple[str, ...] = ()) -> T:
    inner = Fields(fields.any(name), fields.name(name))
    names = [each for each in kind.__annotations__ if each not in newer or inner.has(each)]
    return kind(**{each: inner.number(each) for each in names})


def _terms(fields: Fields) -> CostTerms:
    inner = Fields(fields.any("terms"), fields.name("terms"))
    newer = ("duplicate_s", "room_s", "pull_s")
    names = [name for name in CostTerms.__annotations__ if name not in newer or inner.has(name)]
    return CostTerms(**{name: inner.real(name) for name in names})


def _target(value: object, what: str) -> Target:
    fields = Fields(value, what)
    return Target(fields.text("addr"), fields.number("rank"), fields.number("depth"))


def _source(fields: Fields) -> Optional[Source]:
    if not fields.has("source"):
        return None
    return fields.optional("source", _source_of)


def _source_of(value: object, what: str) -> Source:
    fields = Fields(value, what)
    return Source(fields.text("addr"), fields.number("depth"), fields.number("tokens"))


def nodes(value: object) -> Tuple[NodeInfo, ...]:
    return each(value, "nodes", _node)


def _node(value: object, what: str) -> NodeInfo:
    fields = Fields(value, what)
    return NodeInfo(
        addr=fields.text("addr"),
        rank=fields.number("rank"),
        role=fields.text("role"),
        epoch=fields.number("epoch"),
        state=fields.text("state"),
        applied=fields.optional("applied", number),
        head=fields.optional("head", number),
        last_heard_ms=fields.optional("last_heard_ms", number),
        load=fields.optional("load", table),
        refute=fields.number("refute"),
        lag_ops=fields.number("lag_ops"),
        lag_seconds=fields.real("lag_seconds"),
        last_repair=fields.optional("last_repair", table),
        digest_mismatches=fields.number("digest_mismatches"),
        **_work(fields),
        **_stand(fields),
    )


def _stand(fields: Fields) -> Dict[str, Any]:
    if not fields.has("tokens"):
        return {}
    sees = fields.each("sees", number)
    return {
        "tokens": fields.number("tokens"),
        "ready": fields.flag("ready"),
        "behind_ops": fields.number("behind_ops"),
        "behind_seconds": fields.real("behind_seconds"),
        "sees": (sees[0], sees[1]) if len(sees) == 2 else None,
        "why_not_ready": fields.optional("why_not_ready", text),
    }


def tree(value: object) -> Tree:
    fields = Fields(value, "tree")
    if fields.has("edges") == fields.has("entries"):
        raise _wrong("tree", "a map with either 'edges' or 'entries'", value)
    return Tree(
        edges=fields.each("edges", _edge) if fields.has("edges") else (),
        entries=fields.each("entries", _entry) if fields.has("entries") else (),
        total=fields.number("total"),
        tree_tokens=fields.number("tree_tokens"),
    )


def _edge(value: object, what: str) -> TreeEdge:
    fields = Fields(value, what)
    return TreeEdge(
        **_stretch(fields),
        holders=fields.each("holders", text),
        lock_ref=fields.number("lock_ref"),
        retiring=fields.each("retiring", text) if fields.has("retiring") else (),
    )


def _entry(value: object, what: str) -> TreeEntry:
    fields = Fields(value, what)
    return TreeEntry(seq=fields.number("seq"), **_stretch(fields))


def _stretch(fields: Fields) -> Dict[str, Any]:
    return {
        "namespace": fields.optional("namespace", _namespace) or Namespace(),
        "begin": fields.number("begin"),
        "end": fields.number("end"),
        "head": _head(fields.any("head"), fields.name("head")),
        "hash": fields.text("hash"),
    }


def _namespace(value: object, what: str) -> Namespace:
    parts = each(value, what, _part)
    if len(parts) != len(Namespace._fields):
        raise _wrong(what, "an array of four", value)
    return Namespace(*parts)


def _part(value: Any, what: str) -> Any:
    if value is not None and not isinstance(value, (str, bytes)):
        raise _wrong(what, "nil, a string or binary", value)
    return value


def _head(value: object, what: str) -> Tuple[int, ...]:
    tokens = array("I")
    if not isinstance(value, bytes) or len(value) % tokens.itemsize:
        raise _wrong(what, "binary of u32", value)
    tokens.frombytes(value)
    if sys.byteorder == "big":
        tokens.byteswap()
    return tuple(tokens)


def op_event(value: object) -> OpEvent:
    fields = Fields(value, "op")
    return OpEvent(
        origin=fields.text("origin"),
        epoch=fields.number("epoch"),
        seq=fields.number("seq"),
        type=fields.text("type"),
        tokens=fields.number("tokens"),
    )


def membership_event(value: object) -> MembershipEvent:
    fields = Fields(value, "membership")
    return MembershipEvent(
        addr=fields.text("addr"),
        rank=fields.number("rank"),
        role=fields.text("role"),
        epoch=fields.number("epoch"),
        state=fields.text("state"),
    )


def gc_free_event(value: object) -> FreedSlots:
    fields = Fields(value, "gc_free")
    state = fields.each("state", number)
    if len(state) != 2:
        raise _wrong(fields.name("state"), "[epoch, seq]", state)
    return FreedSlots(
        number=fields.number("number"),
        slots=fields.runs("slots"),
        advice=fields.flag("advice"),
        state=(state[0], state[1]),
    )
