"""The blocking client. `connect()` gives a `Mesh`, whose methods are the protocol's."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Any, Deque, Dict, Iterable, Iterator, Optional, Tuple, Type, TypeVar, Union

from . import methods
from .booking import Booking
from .collecting import Freed, GcFreeEvent
from .endpoint import Endpoint, PathLike
from .errors import ConnectionLost, Timeout
from .link import Deadline, Link
from .methods import Call
from .namespace import NamespaceLike
from .protocol import Notification
from .results import (
    Explanation,
    FreedSlots,
    InsertResult,
    Match,
    MembershipEvent,
    NodeInfo,
    OpEvent,
    Redirect,
    Route,
    Segment,
    SidecarInfo,
    Tree,
)
from .slots import Runs, Slots
from .tokens import Tokens

__all__ = ["Lease", "Mesh", "Subscription", "connect"]

T = TypeVar("T")
AnyEvent = Union[OpEvent, MembershipEvent, GcFreeEvent]


def connect(
    path: Optional[PathLike] = None,
    *,
    timeout: Optional[float] = 5.0,
    engine_token: Union[bytes, str, None] = None,
    state: Optional[Tuple[int, int]] = None,
) -> Mesh:
    """Connects to the sidecar that listens at `path`, or at $RADIXMESH_SOCKET.

    timeout: seconds that any one call may take, from its first byte to its last, this one too;
        None for no bound.
    engine_token: at most 64 bytes that stay the same while the engine's cache lives. With it a
        restarted sidecar takes back what the engine still holds; without it, it starts empty.
    state: (epoch, seq) that the engine knows of, from before the restart: the node's own pair in
        `status()["version_vector"]` after slots were last freed, or after connecting. Where the
        peers have less than that, the sidecar starts empty: freed slots may be in use again.

    Raises ConnectionLost (nobody listens, no permission), Timeout, Upgrade (no common version),
    FixRequest (no path, a bad token).
    """
    endpoint = Endpoint.of(path, timeout)
    call = methods.hello(engine_token, state)
    deadline = Deadline(endpoint.timeout_s)
    link = Link.open(endpoint, deadline)
    try:
        return Mesh(endpoint, link, link.call(call, deadline))
    except BaseException:
        link.close()
        raise


class Mesh:
    """A connection to one sidecar, and through it a view of the whole mesh.

    Arguments, for all methods:
        tokens: a row of token ids from 0 to 2^32-1: a list, tuple, range, array.array, numpy array,
            torch tensor on the CPU; or bytes, bytearray, memoryview of bytes, which are taken as
            u32 little-endian. 32-bit arrays go to the wire as they are. Only whole pages of
            `info.page_size` tokens count; the tail is ignored.
        namespace: a Namespace, or a string, which is its `extra_key`.

    Errors, for all methods: those of the protocol (see radixmesh.errors). FixRequest is raised
    before anything is sent where the arguments have the wrong form, SendLess where the request does
    not fit a frame. ReportBug where the sidecar's answer is malformed. Timeout where the answer
    does not come in time, ConnectionLost where the connection breaks: after these two the
    connection is closed, its leases are released, and every later call raises ConnectionLost with
    the reason. There is no reconnecting behind the caller's back, because leases do not survive it.

    Threads: any thread may call; there is one lock, and one call at a time is under way. The wait
    for the lock counts towards `timeout`; if it runs out there, the connection stays open. For
    calls side by side open a Mesh for each thread.

    Usable as a context manager, which closes it.
    """

    def __init__(self, endpoint: Endpoint, link: Link, info: SidecarInfo) -> None:
        self._endpoint = endpoint
        self._link = link
        self._info = info
        self._freed = Freed(endpoint)
        link.conversation.frame_bytes_max = info.limits.frame_bytes_max

    @property
    def info(self) -> SidecarInfo:
        """Who is at the other end, its page size and its bounds, as of connecting."""
        return self._info

    def insert(
        self, tokens: Tokens, slots: Slots, namespace: NamespaceLike = None
    ) -> InsertResult:
        """Tells the mesh that this engine holds the KV of `tokens` in `slots`.

        slots: runs `[(start, count), ...]`, or one integer for each token, which are compressed
            into runs here; items that are pairs are runs.

        The first writer wins: of the first `prefix_len` tokens the old slots stay, and the caller
        frees those that it passed for them, where they differ. `freed` had to go to make room; the
        caller frees them as well. If all else was locked, `prefix_len + stored` is less than the
        whole pages of `tokens`, and the caller keeps the slots of the rest.

        Raises UseAnotherNode at a router, which holds nothing.
        """
        return self._call(methods.insert(tokens, slots, namespace))

    def match_prefix(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, touch: bool = True
    ) -> Match:
        """What of `tokens` is cached, here and elsewhere. Locks nothing.

        touch: it counts as a use of what is here, which is then evicted later. False for who only
            observes: nothing changes.
        """
        return self._call(methods.match_prefix(tokens, namespace, touch))

    def acquire(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, remote: bool = False
    ) -> Lease:
        """match_prefix, and a lock on what is local, in one step.

        `with mesh.acquire(tokens) as lease:` releases at the end; `lease.match` is the match. What
        is locked is neither evicted nor deleted. The lease ends with the connection too.

        remote: takes a reference to what the best other holder has beyond that, so that it does not
            free it meanwhile; waits half a second for it, then for the next best, and 2 s in all.
            `lease.segments` tells what is covered, here and there: less than the match where such
            nodes are silent or grant nothing. What was read there may be used only if
            `lease.is_valid()` says so after the read.
        """
        acquired = self._call(methods.acquire(tokens, namespace, remote))
        return Lease(self, acquired.lease, acquired.match, acquired.segments)

    def release(self, lease: Lease) -> None:
        """The same as `lease.release()`."""
        lease.release()

    def evict(self, num_tokens: int) -> Runs:
        """Frees at least `num_tokens` slots, in whole pages, or all that is unlocked if that is
        less. Least recently used first. Returns the freed slots; the caller may use them again.

        Where other nodes are registered to read here, only what none of them reads is freed; the
        rest begins to retire, and is freed when it is asked for again, mostly some milliseconds
        later (`status()["gc"]["retiring_tokens"]`).
        """
        return self._call(methods.evict(num_tokens))

    def delete(self, tokens: Tokens, namespace: NamespaceLike = None) -> Runs:
        """Removes this node's entry for the last whole page of `tokens`, and all below it.

        What is above stays, and so does what other nodes hold. Returns the freed slots. Raises
        RetryLater, and removes nothing, where any of it is locked, or other nodes may read it: then
        it retires, and soon goes.
        """
        return self._call(methods.delete(tokens, namespace))

    def reset(self) -> Runs:
        """Removes all of this node's own entries, in all namespaces. Returns the freed slots.

        Raises RetryLater, and removes nothing, where any of it is locked, or other nodes may read
        it: then it retires, and soon goes.
        """
        return self._call(methods.reset())

    def route(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, book: bool = True
    ) -> Route[Booking]:
        """Names the nodes where a request with these tokens should be computed, and why.

        book: the nodes are promised the work, all routers are told, and for some seconds this one
            takes the nodes to hold the prompt. The caller ends `route.booking`. False only asks.
        """
        answer = self._call(methods.route(tokens, namespace, book))
        booking = None if answer.booking is None else Booking(self, answer.booking)
        return Route(answer.prefill, answer.decode, answer.reason, booking)

    def redirect(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, visited: Iterable[str] = ()
    ) -> Redirect:
        """Whether a request that this node has, and is too busy for, should go to another of its
        role: a `target`, or stay.

        visited: addrs of the nodes that had it before. It never goes back to one of them, and stays
            where it is after some hops (`--redirect-hops`).
        Raises UseAnotherNode at a router.
        """
        return self._call(methods.redirect(tokens, namespace, visited))

    def explain(self, tokens: Tokens, namespace: NamespaceLike = None) -> Explanation:
        """What `route` would answer now, with every candidate and its costs. Changes nothing."""
        return self._call(methods.explain(tokens, namespace))

    def finish_warm_up(self) -> None:
        """From now on `route` at this node chooses by its policy, and not by hash."""
        self._call(methods.finish_warm_up())

    def report_load(
        self,
        *,
        running: int,
        waiting: int,
        queued_tokens: Optional[int] = None,
        kv_used: int,
        kv_total: int,
        prefill_rate: Optional[int] = None,
    ) -> None:
        """Tells the mesh how busy this engine is: requests running and waiting, prompt tokens of
        those that wait (if known), tokens of KV in use and in all, and how many prompt tokens a
        second it computes (if known; else it is learned from bookings).
        """
        self._call(
            methods.report_load(
                running, waiting, queued_tokens, kv_used, kv_total, prefill_rate
            )
        )

    def drain(self) -> None:
        """The node leaves the mesh: it takes no new work, the others are told, and its sidecar ends
        when nothing is locked any more, at the latest after some seconds."""
        self._call(methods.drain())

    def status(self) -> Dict[str, Any]:
        """The sidecar's figures, as a map with the protocol's names; newer sidecars add to it."""
        return self._call(methods.status())

    def gc(self, *, run: bool = False) -> Dict[str, Any]:
        """What collecting duplicates would let go here, and why not more: a map with the protocol's
        names. run: a round begins now."""
        return self._call(methods.gc(run))

    def nodes(self) -> Tuple[NodeInfo, ...]:
        """The members of the mesh as this node sees them, in order of rank."""
        return self._call(methods.nodes())

    def tree(
        self,
        holder: Optional[str] = None,
        *,
        skip: Optional[int] = None,
        limit: Optional[int] = None,
    ) -> Tree:
        """A stretch of this node's tree: its edges, or the entries of the holder with that addr.

        skip, limit: which stretch, for paging; without a limit the sidecar's own.
        """
        return self._call(methods.tree(holder, skip, limit))

    def subscribe(self, *events: str) -> Subscription:
        """What happens from now on: `"op"` (OpEvent), `"membership"` (MembershipEvent), `"gc_free"`
        and `"gc_advice"` (GcFreeEvent).

        Opens a connection of its own, so that events never mix with answers; it stays open when
        this Mesh is closed. On return the subscription is in force. The sidecar drops events for a
        subscriber that does not read, and counts them in `status()["notifications_dropped"]`; but
        never a gc_free: who does not read those is cut.

        Subscribing to gc_free says that this engine frees single slots when told; as long as nobody
        does, nothing is collected here. One that cannot takes gc_advice.
        """
        return Subscription(self._endpoint, events, self._freed)

    def close(self) -> None:
        """Closes the connection, which releases its leases; a call under way in another thread
        raises ConnectionLost. Closing twice is no error."""
        self._link.close()

    def __enter__(self) -> Mesh:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _call(self, call: Call[T]) -> T:
        return self._link.call(call, Deadline(self._endpoint.timeout_s))


class Lease:
    """A lock on the local part of a match, and with `remote` a reference to what another node has.
    Belongs to its connection, and ends with it.

    segments: what it covers, in order; the match may name more.
    """

    def __init__(
        self, mesh: Mesh, lease_id: int, match: Match, segments: Tuple[Segment, ...]
    ) -> None:
        self._mesh = mesh
        self._released = False
        self.id = lease_id
        self.match = match
        self.segments = segments

    def is_valid(self) -> bool:
        """Whether what was read under it until now may be used. To be asked after the read: a lease
        that lapsed during it protected nothing."""
        return not self._released and self._mesh._call(methods.validate(self.id))

    def release(self) -> None:
        """Lets go. Releasing twice is no error, nor is it where the connection is lost or breaks:
        the lease has ended then. Calls after that say so."""
        if self._released:
            return
        self._released = True
        try:
            self._mesh._call(methods.release(self.id))
        except (ConnectionLost, Timeout):
            if not self._mesh._link.closed:
                self._released = False  # it ran out behind other threads' calls: nothing was sent
                raise

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.release()


class Subscription:
    """An iterator of events. `next()` waits without limit; for one thread at a time.

    Ends when it is closed, here or from another thread. Raises ConnectionLost when the sidecar
    goes, ReportBug for a malformed event.
    """

    def __init__(self, endpoint: Endpoint, events: Tuple[str, ...], freed: Freed) -> None:
        call = methods.subscribe(events)
        self._freed = freed
        deadline = Deadline(endpoint.timeout_s)
        self._notifications: Deque[Notification] = deque()
        self._link = Link.open(endpoint, deadline)
        try:
            self._link.call(call, deadline, self._notifications)
        except BaseException:
            self._link.close()
            raise

    def __iter__(self) -> Iterator[AnyEvent]:
        return self

    def __next__(self) -> AnyEvent:
        while True:
            while self._notifications:
                event = methods.event_of(self._notifications.popleft())
                if isinstance(event, FreedSlots):
                    if event not in self._freed:
                        return GcFreeEvent(self._freed, event)
                    self._freed.acknowledge(event)
                elif event is not None:
                    return event
            if not self._link.wait(self._notifications):
                raise StopIteration

    def close(self) -> None:
        """Ends the iteration, and wakes a thread that waits in it. Closing twice is no error."""
        self._link.close()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()
