"""The asyncio client: the methods of `radixmesh.Mesh`, awaited.

    mesh = await radixmesh.aio.connect("/run/radixmesh/p0.sock")
    async with mesh.acquire(tokens) as lease: ...
    async for event in mesh.subscribe("membership"): ...

What the methods mean, take, answer and raise is written at their namesakes in `radixmesh.Mesh`.
The differences:

- Calls of several tasks share the connection, and none waits for the answer to another before it
  is sent. They are carried out in the order in which they were made, but that long ones line up
  while one is being sent, and others go before those in line. One task's own calls keep theirs.
- Cancelling a task that waits for a call closes nothing. If the call was not sent yet, it is not
  sent; else the sidecar carries it out all the same, and a lease or booking that the task would
  have got is given back. What gives something back (`release`, `finish`, `prefill_done`) is sent at
  once, whatever else waits to be sent, so that cancelling it does not keep it.
- A call that was sent and is not answered in time closes the connection, also if it was cancelled.
- With `reconnect` a task takes the place of the thread; `state` and `on_leases_lost` are called in
  the event loop, and are no coroutines.
- In a forked child an inherited Mesh is used, if at all, in an event loop of the child's own.
- `acquire` and `subscribe` are not awaited themselves, but entered with `async with`, or iterated.

A Mesh belongs to the event loop in which it was made, and is not for other threads.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Dict, Generator, Iterable, Optional, Tuple, Type, TypeVar, Union

from . import methods
from .aio_link import Link
from .aio_session import Session
from .booking import AioBooking
from .endpoint import Endpoint, PathLike
from .entered import AioEntered
from .lease import AioLease as Lease
from .lives import StateSource
from .mesh_state import MeshState
from .methods import Call
from .namespace import NamespaceLike
from .results import (
    Acquired,
    Explanation,
    InsertResult,
    Match,
    NodeInfo,
    Redirect,
    Route,
    SidecarInfo,
    Tree,
)
from .slots import Runs, Slots
from .subscription import AioSubscription as Subscription
from .tokens import Tokens

__all__ = ["Acquiring", "Lease", "Mesh", "Subscription", "connect"]

T = TypeVar("T")


async def connect(
    path: Optional[PathLike] = None,
    *,
    timeout: Optional[float] = 5.0,
    engine_token: Union[bytes, str, None] = None,
    state: StateSource = None,
    reconnect: bool = False,
    on_leases_lost: Optional[Callable[[Tuple[Lease, ...]], None]] = None,
) -> Mesh:
    """As `radixmesh.connect`."""
    mesh = Mesh(Endpoint.of(path, timeout), reconnect, engine_token, state, on_leases_lost)
    await mesh._session.start()
    return mesh


class Mesh(MeshState, AioEntered):
    """A connection to one sidecar. Usable with `async with`, which closes it."""

    def _open(self, reconnect: bool) -> None:
        self._session: Session[SidecarInfo] = Session(
            self._endpoint,
            self._lives.greet,
            "connecting",
            reconnect=reconnect,
            greeted=self._lives.greeted,
            broken=self._lives.broken,
        )

    @property
    def _link(self) -> Link:
        return self._session.link

    async def insert(
        self, tokens: Tokens, slots: Slots, namespace: NamespaceLike = None
    ) -> InsertResult:
        """As `radixmesh.Mesh.insert`."""
        return await self._session.call(methods.insert(tokens, slots, namespace))

    async def match_prefix(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, touch: bool = True
    ) -> Match:
        """As `radixmesh.Mesh.match_prefix`."""
        return await self._session.call(methods.match_prefix(tokens, namespace, touch))

    def acquire(
        self,
        tokens: Tokens,
        namespace: NamespaceLike = None,
        *,
        remote: bool = False,
        source: Optional[str] = None,
    ) -> Acquiring:
        """As `radixmesh.Mesh.acquire`: `async with mesh.acquire(tokens) as lease`, or
        `lease = await mesh.acquire(tokens)`."""
        return Acquiring(self, methods.acquire(tokens, namespace, remote, source))

    async def release(self, lease: Lease) -> None:
        """The same as `await lease.release()`."""
        await lease.release()

    async def evict(self, num_tokens: int) -> Runs:
        """As `radixmesh.Mesh.evict`."""
        return await self._session.call(methods.evict(num_tokens))

    async def delete(self, tokens: Tokens, namespace: NamespaceLike = None) -> Runs:
        """As `radixmesh.Mesh.delete`."""
        return await self._session.call(methods.delete(tokens, namespace))

    async def reset(self) -> Runs:
        """As `radixmesh.Mesh.reset`."""
        return await self._session.call(methods.reset())

    async def route(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, book: bool = True
    ) -> Route[AioBooking]:
        """As `radixmesh.Mesh.route`. A booking is ended where nobody waits for the answer."""
        answer = await self._session.call(methods.route(tokens, namespace, book))
        booking = None if answer.booking is None else AioBooking(self._session, answer.booking)
        return Route(answer.prefill, answer.decode, answer.reason, booking, answer.source)

    async def redirect(
        self, tokens: Tokens, namespace: NamespaceLike = None, *, visited: Iterable[str] = ()
    ) -> Redirect:
        """As `radixmesh.Mesh.redirect`."""
        return await self._session.call(methods.redirect(tokens, namespace, visited))

    async def explain(self, tokens: Tokens, namespace: NamespaceLike = None) -> Explanation:
        """As `radixmesh.Mesh.explain`."""
        return await self._session.call(methods.explain(tokens, namespace))

    async def finish_warm_up(self) -> None:
        """As `radixmesh.Mesh.finish_warm_up`."""
        await self._session.call(methods.finish_warm_up())

    async def report_load(
        self,
        *,
        running: int,
        waiting: int,
        queued_tokens: Optional[int] = None,
        kv_used: int,
        kv_total: int,
        prefill_rate: Optional[int] = None,
    ) -> None:
        """As `radixmesh.Mesh.report_load`."""
        await self._session.call(
            methods.report_load(
                running, waiting, queued_tokens, kv_used, kv_total, prefill_rate
            )
        )

    async def member_remove(self, addr: str) -> float:
        """As `radixmesh.Mesh.member_remove`."""
        return await self._session.call(methods.member_remove(addr))

    async def drain(self) -> None:
        """As `radixmesh.Mesh.drain`."""
        await self._session.call(methods.drain())

    async def status(self) -> Dict[str, Any]:
        """As `radixmesh.Mesh.status`."""
        return await self._session.call(methods.status())

    async def gc(self, *, run: bool = False) -> Dict[str, Any]:
        """As `radixmesh.Mesh.gc`."""
        return await self._session.call(methods.gc(run))

    async def nodes(self) -> Tuple[NodeInfo, ...]:
        """As `radixmesh.Mesh.nodes`."""
        return await self._session.call(methods.nodes())

    async def tree(
        self,
        holder: Optional[str] = None,
        *,
        skip: Optional[int] = None,
        limit: Optional[int] = None,
    ) -> Tree:
        """As `radixmesh.Mesh.tree`."""
        return await self._session.call(methods.tree(holder, skip, limit))

    def subscribe(self, *events: str) -> Subscription:
        """As `radixmesh.Mesh.subscribe`, but in force only from `async with`, or from the first
        step of `async for`."""
        return Subscription(self._endpoint, events, self._freed, self._session.reconnect)

    async def close(self) -> None:
        """Closes the connection, which releases its leases; calls that wait in other tasks raise
        ConnectionLost. Closing twice is no error."""
        await self._session.close()

    async def _leave(self) -> None:
        await self.close()


class Acquiring:
    """An acquire that is yet to be made: await it once, or enter it with `async with` once."""

    def __init__(self, mesh: Mesh, call: Call[Acquired]) -> None:
        self._mesh = mesh
        self._call = call
        self._lease: Optional[Lease] = None

    def __await__(self) -> Generator[Any, None, Lease]:
        return self._acquire().__await__()

    async def _acquire(self) -> Lease:
        acquired, link = await self._mesh._session.ask(self._call)
        return Lease(self._mesh._session, link, acquired)

    async def __aenter__(self) -> Lease:
        self._lease = await self._acquire()
        return self._lease

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        assert self._lease is not None
        await self._lease.release()

