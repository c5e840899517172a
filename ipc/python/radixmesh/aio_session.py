"""As `session`, with asyncio: a task takes the place of the thread."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Callable, Coroutine, Generic, Optional, Tuple, TypeVar

from .aio_link import Link
from .endpoint import Endpoint
from .errors import ConnectionLost, Timeout
from .forking import tell_in_children
from .methods import Call
from .retrying import Pauses, uncertain

__all__ = ["Session", "within"]

T = TypeVar("T")
G = TypeVar("G")

_log = logging.getLogger("radixmesh")


async def within(timeout_s: Optional[float], what: str, work: Coroutine[Any, Any, T]) -> T:
    """`work`, bounded in time."""
    try:
        return await asyncio.wait_for(work, timeout_s)
    except asyncio.TimeoutError as error:
        if isinstance(error, Timeout):
            raise
        raise Timeout(f"{what} was not answered within {timeout_s:g} s") from error


class Session(Generic[G]):
    """A link to the sidecar, or the next one. See `radixmesh.session.Session`."""

    def __init__(
        self,
        endpoint: Endpoint,
        greet: Callable[[], Call[G]],
        what: str,
        *,
        reconnect: bool = False,
        keeps_notes: bool = False,
        greeted: Callable[[Link, G], None] = lambda link, answer: None,
        broken: Callable[[Link], None] = lambda link: None,
    ) -> None:
        self.endpoint = endpoint
        self.reconnect = reconnect
        self._greet = greet
        self._what = what
        self._keeps_notes = keeps_notes
        self._greeted = greeted
        self._broken = broken
        self._link: Optional[Link] = None
        self._trouble = ""  # why the last attempt failed
        self._ended = False
        self._keeper: Optional[asyncio.Task[None]] = None
        self._changed: Optional[asyncio.Future[None]] = None
        tell_in_children(self)

    @property
    def link(self) -> Link:
        """The last one, closed or not."""
        assert self._link is not None  # start() was the first call
        return self._link

    @property
    def started(self) -> bool:
        return self._link is not None

    async def start(self) -> None:
        """Makes the first link; errors are the caller's."""
        self._become(await self._make())

    async def call(self, call: Call[T]) -> T:
        """The answer. With `reconnect`, calls that only read are asked again over the next link."""
        return (await self.ask(call))[0]

    async def ask(self, call: Call[T]) -> Tuple[T, Link]:
        """The same, and the link that it came over."""
        if not self.reconnect:
            link = self.link
            return await link.call(call), link
        loop = asyncio.get_running_loop()
        timeout_s = self.endpoint.timeout_s
        end_s = None if timeout_s is None else loop.time() + timeout_s
        while True:
            link = await self._live(call.method, end_s)
            sent = False
            try:
                asked = link.submit(call)
                try:
                    return await link.answer(asked), link
                finally:
                    sent = asked.sent
            except ConnectionLost as error:
                if self._ended:
                    raise
                if sent and not call.repeats:
                    raise uncertain(call.method, error) from error

    async def after(self, link: Link) -> Optional[Link]:
        """The link that comes after this broken one, waiting without limit; None at the end."""
        while self.link is link and not self._ended:
            await self._change()
        return None if self._ended else self.link

    async def close(self) -> None:
        self._ended = True
        self._tell_change()
        if self._keeper is not None and not self._keeper.done():
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        if self._link is not None:
            await self._link.close()

    def forked(self, reason: str) -> None:
        """In a child: its link says so itself, and its task is of a loop that is the parent's."""
        self._keeper = None
        self._changed = None

    async def _live(self, what: str, end_s: Optional[float]) -> Link:
        while self.link.closed and not self._ended:
            self._keep()
            left_s = None if end_s is None else end_s - asyncio.get_running_loop().time()
            trouble = self._trouble or self.link.reason
            try:
                await asyncio.wait_for(self._change(), left_s)
            except asyncio.TimeoutError as error:
                raise Timeout(
                    f"{what}, without a connection ({trouble}), was not answered within "
                    f"{self.endpoint.timeout_s:g} s"
                ) from error
        return self.link

    async def _change(self) -> None:
        """Until there is another link, or none will come any more."""
        self._keep()
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        # Shielded, as many wait for the same, and each may be cancelled.
        await asyncio.shield(self._changed)

    def _tell_change(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._changed = None

    async def _make(self) -> Link:
        async def greet() -> Link:
            link = await Link.open(self.endpoint, self._keeps_notes)
            try:
                self._greeted(link, await link.call(self._greet()))
            except BaseException:
                link.shut("its greeting failed")
                raise
            return link

        return await within(self.endpoint.timeout_s, self._what, greet())

    def _become(self, link: Link) -> None:
        self._link = link
        if self._ended:
            link.shut("it was closed by this client")
        elif self.reconnect:
            link.broken.add_done_callback(lambda _: self._keep())
        self._tell_change()

    def _keep(self) -> None:
        """Sees to it that a broken link is replaced."""
        over = self._keeper is None or self._keeper.done()
        if self.reconnect and self.link.closed and not self._ended and over:
            self._keeper = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        self._trouble = self.link.reason
        self._tell(self.link)
        pauses = Pauses()
        while True:
            try:
                link = await self._make()
            except Exception as error:  # of the caller's own `state`, too
                self._trouble = str(error) or repr(error)
                _log.debug("no connection to %s yet: %s", self.endpoint.path, self._trouble)
                await asyncio.sleep(pauses.next_s())
            else:
                break
        self._become(link)

    def _tell(self, link: Link) -> None:
        try:
            self._broken(link)
        except Exception:
            _log.exception("what was to be told of a lost connection raised")
