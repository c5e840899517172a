"""The methods of the protocol: how each is asked, and how its answer is read.

Each function checks and encodes its arguments and gives a `Call`, which both clients know how to
carry out. So the wire names of parameters stand here and nowhere else in this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any, Callable, Dict, Generic, Iterable, Optional, Tuple, TypeVar, Union

from . import answers
from .errors import FixRequest, Upgrade
from .namespace import NamespaceLike, encode_namespace
from .protocol import PROTOCOL, Notification
from .results import (
    Acquired,
    Event,
    Explanation,
    InsertResult,
    Match,
    NodeInfo,
    Redirect,
    RouteAnswer,
    SidecarInfo,
    Tree,
)
from .slots import Runs, Slots, encode_slots
from .tokens import Tokens, encode_tokens
from .version import __version__

T = TypeVar("T")

NUMBER_MAX = 2**64 - 1


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and how to read its answer.

    undo: what must be asked where the answer comes and nobody waits for it any more.
    repeats: whether asking it twice does no more than asking it once, so that it may be asked again
        where the connection broke: it only reads; or what it did went with the connection, as a
        lease; or was done by the first of the two, as the end of a booking.
    gives_back: whether it is said for the sidecar's sake: then it is sent, and first, also where
        nobody waits for it any more.
    """

    method: str
    params: Dict[str, Any]
    read: Callable[[object], T]
    undo: Optional[Callable[[T], "Call[Any]"]] = None
    repeats: bool = False
    gives_back: bool = False


def hello(
    engine_token: Union[bytes, str, None], state: Optional[Tuple[int, int]]
) -> Call[SidecarInfo]:
    params: Dict[str, Any] = {
        "protocol": [PROTOCOL, PROTOCOL],
        "client": f"radixmesh-python {__version__}",
    }
    if engine_token is not None:
        if isinstance(engine_token, str):
            engine_token = engine_token.encode()
        if not isinstance(engine_token, (bytes, bytearray)):
            raise FixRequest(
                f"engine_token must be bytes or a string, not {type(engine_token).__name__}"
            )
        params["engine_token"] = bytes(engine_token)
    if state is not None:
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            raise FixRequest("state is a pair (epoch, seq)")
        epoch, seq = state
        params["state"] = [_number("state's epoch", epoch), _number("state's seq", seq)]
    return Call("hello", params, _hello_answer)


def _hello_answer(value: object) -> SidecarInfo:
    info = answers.hello(value)
    if info.protocol != PROTOCOL:
        raise Upgrade(f"the sidecar speaks protocol {info.protocol}, this client {PROTOCOL}")
    return info


def insert(tokens: Tokens, slots: Slots, namespace: NamespaceLike) -> Call[InsertResult]:
    params = _prefix(tokens, namespace)
    params["slots"] = encode_slots(slots)
    return Call("insert", params, answers.insert)


def match_prefix(tokens: Tokens, namespace: NamespaceLike, touch: bool = True) -> Call[Match]:
    params = _prefix(tokens, namespace)
    if not touch:
        params["touch"] = False
    return Call("match_prefix", params, answers.match, repeats=True)


def acquire(
    tokens: Tokens, namespace: NamespaceLike, remote: bool, source: Optional[str] = None
) -> Call[Acquired]:
    params = _prefix(tokens, namespace)
    if remote:
        params["remote"] = True
    if source is not None:
        if not remote:
            raise FixRequest("source names the node of a remote reference: remote=True")
        if not isinstance(source, str):
            raise FixRequest(f"source must be an addr, not {type(source).__name__}")
        params["source"] = source
    return Call("acquire", params, answers.acquire, _release_acquired, repeats=True)


def _release_acquired(acquired: Acquired) -> Call[None]:
    return release(acquired.lease)


def release(lease: int) -> Call[None]:
    return Call("release", {"lease": lease}, answers.nothing, gives_back=True)


def validate(lease: int) -> Call[bool]:
    return Call("validate", {"lease": lease}, answers.valid, repeats=True)


def evict(num_tokens: int) -> Call[Runs]:
    return Call("evict", {"num_tokens": _number("num_tokens", num_tokens)}, answers.freed)


def delete(tokens: Tokens, namespace: NamespaceLike) -> Call[Runs]:
    return Call("delete", _prefix(tokens, namespace), answers.freed)


def reset() -> Call[Runs]:
    return Call("reset", {}, answers.freed)


def route(tokens: Tokens, namespace: NamespaceLike, book: bool) -> Call[RouteAnswer]:
    params = _prefix(tokens, namespace)
    params["book"] = bool(book)
    return Call(
        "route", params, answers.route, _finish_booked if book else None, repeats=not book
    )


def _finish_booked(route: RouteAnswer) -> Call[None]:
    return finish(route.booking or 0)


def prefill_done(booking: int, hit_tokens: Optional[int]) -> Call[None]:
    params: Dict[str, Any] = {"booking": booking}
    if hit_tokens is not None:
        params["hit_tokens"] = _number("hit_tokens", hit_tokens)
    return Call("prefill_done", params, answers.nothing, repeats=True, gives_back=True)


def finish(booking: int) -> Call[None]:
    params = {"booking": booking}
    return Call("finish", params, answers.nothing, repeats=True, gives_back=True)


def finish_warm_up() -> Call[None]:
    return Call("finish_warm_up", {}, answers.nothing)


def redirect(
    tokens: Tokens, namespace: NamespaceLike, visited: Iterable[str]
) -> Call[Redirect]:
    params = _prefix(tokens, namespace)
    if isinstance(visited, str):
        raise FixRequest("visited must be a row of addrs, not one string")
    params["visited"] = list(visited)
    return Call("redirect", params, answers.redirect, repeats=True)


def explain(tokens: Tokens, namespace: NamespaceLike) -> Call[Explanation]:
    return Call("explain", _prefix(tokens, namespace), answers.explain, repeats=True)


def member_remove(addr: str) -> Call[float]:
    if not isinstance(addr, str):
        raise FixRequest(f"addr must be a string, not {type(addr).__name__}")
    return Call("member_remove", {"addr": addr}, answers.removal)


def drain() -> Call[None]:
    return Call("drain", {}, answers.nothing)


def report_load(
    running: int,
    waiting: int,
    queued_tokens: Optional[int],
    kv_used: int,
    kv_total: int,
    prefill_rate: Optional[int],
) -> Call[None]:
    load = {"running": running, "waiting": waiting, "kv_used": kv_used, "kv_total": kv_total}
    if queued_tokens is not None:
        load["queued_tokens"] = queued_tokens
    if prefill_rate is not None:
        load["prefill_rate"] = prefill_rate
    params = {name: _number(name, value) for name, value in load.items()}
    return Call("report_load", params, answers.nothing)


def status() -> Call[Dict[str, Any]]:
    return Call("status", {}, answers.status, repeats=True)


def gc(run: bool) -> Call[Dict[str, Any]]:
    return Call("gc", {"run": bool(run)}, answers.gc, repeats=not run)


def gc_ack(number: int) -> Call[None]:
    return Call("gc_ack", {"number": number}, answers.nothing, gives_back=True)


def nodes() -> Call[Tuple[NodeInfo, ...]]:
    return Call("nodes", {}, answers.nodes, repeats=True)


def tree(holder: Optional[str], skip: Optional[int], limit: Optional[int]) -> Call[Tree]:
    params: Dict[str, Any] = {}
    if holder is not None:
        if not isinstance(holder, str):
            raise FixRequest(f"holder must be an addr, not {type(holder).__name__}")
        params["holder"] = holder
    if skip is not None:
        params["skip"] = _number("skip", skip)
    if limit is not None:
        params["limit"] = _number("limit", limit)
    return Call("tree", params, answers.tree, repeats=True)


def subscribe(events: Tuple[str, ...]) -> Call[None]:
    if not events:
        # The iterator would wait for ever for nothing.
        raise FixRequest("subscribe needs the name of at least one event")
    return Call("subscribe", {"events": list(events)}, answers.nothing)


_EVENTS: Dict[str, Callable[[object], Event]] = {
    "op": answers.op_event,
    "membership": answers.membership_event,
    "gc_free": answers.gc_free_event,
}


def event_of(notification: Notification) -> Optional[Event]:
    """The event that a notification tells, None for one that this version does not know."""
    read = _EVENTS.get(notification.method)
    return None if read is None else read(notification.params)


def _prefix(tokens: Tokens, namespace: NamespaceLike) -> Dict[str, Any]:
    params: Dict[str, Any] = {"tokens": encode_tokens(tokens)}
    if namespace is not None:
        params["namespace"] = encode_namespace(namespace)
    return params


def _number(name: str, value: int) -> int:
    try:
        value = index(value)
    except TypeError as error:
        raise FixRequest(f"{name} must be an integer, not {type(value).__name__}") from error
    if not 0 <= value <= NUMBER_MAX:
        raise FixRequest(f"{name} must be from 0 to 2^64-1, not {value}")
    return value
