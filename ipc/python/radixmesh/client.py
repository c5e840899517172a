"""The blocking client. `connect()` gives a `Mesh`, whose methods are the protocol's."""

from __future__ import annotations

import weakref
from typing import Any, Callable, Dict, Iterable, Optional, Tuple, TypeVar, Union

from . import methods
from .booking import Booking
from .deadline import Deadline
from .endpoint import Endpoint, PathLike
from .entered import Entered
from .lease import Lease
from .link import Link, Request
from .lives import StateSource
from .mesh_state import MeshState
from .methods import Call
from .namespace import NamespaceLike
from .results import (
    Explanation,
    InsertResult,
    Match,
    NodeInfo,
    Redirect,
    Route,
    SidecarInfo,
    Tree,
)
from .session import Session
from .slots import Runs, Slots
from .subscription import Subscription
from .tokens import Tokens

__all__ = ["Lease", "Mesh", "Subscription", "connect"]

T = TypeVar("T")


def connect(
    path: Optional[PathLike] = None,
    *,
    timeout: Optional[float] = 5.0,
    engine_token: Union[bytes, str, None] = None,
    state: StateSource = None,
    reconnect: bool = False,
    on_leases_lost: Optional[Callable[[Tuple[Lease, ...]], None]] = None,
) -> Mesh:
    """Connects to the sidecar that listens at `path`, or at $RADIXMESH_SOCKET.

    timeout: seconds that any one call may take, from its first byte to its last, this one too;
        None for no bound.
    engine_token: at most 64 bytes that stay the same while the engine's cache lives. With it a
        restarted sidecar takes back what the engine still holds; without it, it starts empty.
    state: (epoch, seq) that the engine knows of, from before the restart: the node's own pair in
        `status()["version_vector"]` after slots were last freed, or after connecting. Where the
        peers have less than that, the sidecar starts empty: freed slots may be in use again.
        Or a callable that gives such a pair, or None; it is asked each time that a connection is
        made. With `reconnect` an engine that frees slots needs that, as a pair grows old.
    reconnect: a connection that broke is made again by itself, by a thread, at once and then after
        growing pauses of at most 2 s, and says hello with the same token. So a restarted sidecar
        shows the entries of an engine that is idle, too. See "Reconnecting" at `Mesh`. This first
        connection is not waited for.
    on_leases_lost: called with the leases that ended with a connection, if there were any, before
        the next connection is made. With `reconnect` only.

    `state` and `on_leases_lost` are called by that thread, but for the first `state`. They must not
    call the Mesh, which has no connection then. Where `state` raises, connecting failed.

    Raises ConnectionLost (nobody listens, no permission), Timeout, Upgrade (no common version),
    FixRequest (no path, a bad token).
    """
    return Mesh(
        Endpoint.of(path, timeout), reconnect, engine_token, state, on_leases_lost
    )


class Mesh(MeshState, Entered):
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
    the reason.

    Reconnecting, with `connect(reconnect=True)`: while there is no connection, a call waits for the
    next one, within its own timeout. One that was under way when the connection broke is repeated
    by itself if it only reads, acquires, or ends a booking; else it raises ConnectionLost, saying
    that it may or may not have been carried out, and the next call uses the next connection. Leases
    end with their connection: `lease.lost` says so, `is_valid()` is False, releasing them is no
    error, and `on_leases_lost` is told. Bookings are not tied to it. Subscriptions are made again.

    Threads: any thread may call; one call at a time is under way. The wait for the others' counts
    towards `timeout`; if it runs out there, the connection stays open. For calls side by side open
    a Mesh for each thread.

    Signals: an exception that a handler raises into a call (KeyboardInterrupt, for one) closes
    nothing. The next call first ends what was begun: it drops the answer of a call that was
    interrupted, releases the lease and finishes the booking that nobody got. Whether such a call
    was carried out is not known, as after a Timeout. A handler may close a Mesh, but not call one
    whose call it interrupted: that is a RuntimeError.

    Forks: the connection stays the parent's, whatever a child does with its copy, closing it
    included. In the child every call raises ConnectionLost, or, with `reconnect`, uses a connection
    of the child's own.

    Usable as a context manager, which closes it.
    """

    def _open(self, reconnect: bool) -> None:
        lives = self._lives
        # Nothing that the session knows knows this object: who forgets it without closing it has
        # closed it.
        self._session: Session[SidecarInfo] = Session(
            self._endpoint,
            lives.greet,
            reconnect=reconnect,
            greeted=lives.greeted,
            broken=lives.broken,
        )
        weakref.finalize(self, self._session.close)
        self._session.start()

    @property
    def _link(self) -> Link:
        return self._session.link

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
        self,
        tokens: Tokens,
        namespace: NamespaceLike = None,
        *,
        remote: bool = False,
        source: Optional[str] = None,
    ) -> Lease:
        """match_prefix, and a lock on what is local, in one step.

        `with mesh.acquire(tokens) as lease:` releases at the end; `lease.match` is the match. What
        is locked is neither evicted nor deleted. The lease ends with the connection too.

        remote: takes a reference to what the best other holder has beyond that, so that it does not
            free it meanwhile; waits half a second for it, then for the next best, and 2 s in all.
            `lease.segments` tells what is covered, here and there: less than the match where such
            nodes are silent or grant nothing. What was read there may be used only if
            `lease.is_valid()` says so after the read.
        source: the address of the node to ask before all others, `route.source.addr`.
        """
        request = Request(methods.acquire(tokens, namespace, remote, source))
        try:
            return Lease(self._session, request, self._ask(request))
        except BaseException:
            request.give_up()
            raise

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
        request = Request(methods.route(tokens, namespace, book))
        try:
            answer = self._ask(request)
            booking = None if answer.booking is None else Booking(self._session, answer.booking)
            return Route(answer.prefill, answer.decode, answer.reason, booking, answer.source)
        except BaseException:
            request.give_up()
            raise

    def redirect(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, visited: Iterable[str] = ()
    ) -> Redirect:
        """Whether a request that this node has, and is too busy for, should go to another of its
        role: a `target`, or stay.

        visited: addrs of the nodes that had it before. It never goes back to one of them, and stays
            where it is after some hops (`--redirect-hops`), unless this node leaves.

        One that is sent on counts as gone from here, and come there, until engines report, or for a
        second: an engine that asks for all that it has queued keeps a part.
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
        """Tells the mesh how busy this engine is: requests running and waiting, prompt tokens that
        are to be computed for those that wait, without what is cached (if known), tokens of KV in
        all and of these used, without what is cached and free to go, and how many prompt tokens a
        second it computes (if known; else it is learned from bookings).
        """
        self._call(
            methods.report_load(
                running, waiting, queued_tokens, kv_used, kv_total, prefill_rate
            )
        )

    def member_remove(self, addr: str) -> float:
        """A member that joined and is gone for good is forgotten; all nodes are told. Refused with
        `FixRequest` for one that is alive, stands in the lists or is not known, with `RetryLater`
        while it is suspect. Returns seconds: 0, or how long a lease of what it refers to at this
        node keeps it there."""
        return self._call(methods.member_remove(addr))

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
        return Subscription(self._endpoint, events, self._freed, self._session.reconnect)

    def close(self) -> None:
        """Closes the connection, which releases its leases; a call under way in another thread
        raises ConnectionLost. Closing twice is no error."""
        self._session.close()

    def _leave(self) -> None:
        self.close()

    def _call(self, call: Call[T]) -> T:
        return self._ask(Request(call))

    def _ask(self, request: Request[T]) -> T:
        return self._session.ask(request, Deadline(self._endpoint.timeout_s))
