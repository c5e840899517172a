"""Connections that follow each other: with `reconnect`, one that broke is made again by a thread.

    connect ── link ── breaks ── attempt, pause, attempt, longer pause, ... ── link ── breaks ── ...

Each begins with the same greeting: `hello` for a Mesh, `subscribe` for a subscription. Without
`reconnect` there is one link, no thread, and the end of the link is the end of the session.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Callable, Generic, Optional, TypeVar

from .deadline import Deadline
from .endpoint import Endpoint
from .errors import ConnectionLost
from .forking import tell_in_children
from .link import Link, Request
from .methods import Call
from .retrying import Pauses, uncertain
from .turns import Bell, Turns

__all__ = ["Session"]

T = TypeVar("T")
G = TypeVar("G")

_log = logging.getLogger("radixmesh")


class Session(Generic[G]):
    """A link to the sidecar, or the next one.

    greet: makes the first call of each link, anew each time.
    greeted: is given the link and the answer to that call before anybody else may use the link.
    broken: is told of a link that broke, before the next one is made.
    Both are called by the session's thread, but `greeted` for the first link.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        greet: Callable[[], Call[G]],
        *,
        reconnect: bool = False,
        keeps_notes: bool = False,
        greeted: Callable[[Link, G], None] = lambda link, answer: None,
        broken: Callable[[Link], None] = lambda link: None,
    ) -> None:
        self.endpoint = endpoint
        self.reconnect = reconnect
        self._greet = greet
        self._keeps_notes = keeps_notes
        self._greeted = greeted
        self._broken = broken
        self._link: Optional[Link] = None
        self._opening: Optional[Link] = None
        self._trouble = ""  # why the last attempt failed
        self._ended = False
        self._keeper: Optional[threading.Thread] = None
        self._keeping = Turns()
        self._changed = Bell()  # there is another link, or none will come any more
        self._awaken = Bell()  # the keeper, from a pause
        tell_in_children(self)

    @property
    def link(self) -> Link:
        """The last one, closed or not."""
        assert self._link is not None  # start() was the first call
        return self._link

    def start(self) -> None:
        """Makes the first link; errors are the caller's, and end the session."""
        try:
            self._link = self._make(Deadline(self.endpoint.timeout_s))
            if self.reconnect:
                self._keep()
        except BaseException:
            self.close()
            raise

    def ask(self, request: Request[T], deadline: Deadline) -> T:
        """The answer. With `reconnect`, calls that only read are asked again over the next link."""
        while True:
            link = self._live(deadline, request.call.method)
            try:
                return link.ask(request, deadline)
            except ConnectionLost as error:
                if not self.reconnect or self._ended:
                    raise
                asked = request.asked
                if asked is None or asked.link is not link or not asked.counts:
                    continue  # it never left
                if not request.call.repeats:
                    raise uncertain(request.call.method, error) from error

    def after(self, link: Link) -> Optional[Link]:
        """The link that comes after this broken one, waiting without limit; None at the end."""
        while self.link is link and not self._ended:
            self._keep()
            self._changed.sleep_until(lambda: self.link is not link or self._ended, None)
        return None if self._ended else self.link

    def close(self) -> None:
        """Ends the link and the session. Never waits, so that a signal handler may call it."""
        self._ended = True
        for link in (self._link, self._opening):
            if link is not None:
                link.close()
        self._awaken.ring_all()
        self._changed.ring_all()

    def forked(self, reason: str) -> None:
        """In a child: its links say so themselves, and its threads are not there."""
        self._keeping, self._changed, self._awaken = Turns(), Bell(), Bell()

    def _live(self, deadline: Deadline, what: str) -> Link:
        while True:
            link = self.link
            if not link.closed or not self.reconnect or self._ended:
                return link
            self._keep()
            trouble = self._trouble or link.reason
            left_s = deadline.remaining_s(f"{what}, without a connection ({trouble}),")
            self._changed.sleep_until(lambda: not self.link.closed or self._ended, left_s)

    def _make(self, deadline: Deadline) -> Link:
        link = Link.open(self.endpoint, deadline, self._keeps_notes)
        self._opening = link
        try:
            if self.reconnect:
                link.add_twin()
            if self._ended:  # asked behind the store, so that close() sees this link or is seen
                link.close()
            self._greeted(link, link.call(self._greet(), deadline))
        except BaseException:
            link.close()
            link.drop_twin()
            raise
        finally:
            self._opening = None
        return link

    def _keep(self) -> None:
        """Sees to it that there is a thread; it is missing at the start, and in a forked child."""
        self._keeping.try_run(self._start_keeper)

    def _start_keeper(self) -> None:
        if not self._ended and (self._keeper is None or not self._keeper.is_alive()):
            keeper = threading.Thread(target=self._run, name="radixmesh", daemon=True)
            self._keeper = keeper
            keeper.start()

    def _run(self) -> None:
        while not self._is_over():
            link = self.link
            link.wait_broken()
            link.drop_twin()
            if self._is_over():
                return
            if not self._keeps_notes:  # else who reads them comes to the end himself
                link.broke("the sidecar closed the connection")
                link.dispose()
            self._trouble = "the sidecar closed the connection"
            self._tell(link)
            self._replace()

    def _replace(self) -> None:
        pauses = Pauses()
        while not self._is_over():
            try:
                self._link = self._make(Deadline(self.endpoint.timeout_s))
            except Exception as error:  # of the caller's own `state`, too
                self._trouble = str(error) or repr(error)
                _log.debug("no connection to %s yet: %s", self.endpoint.path, self._trouble)
                self._pause(pauses.next_s())
            else:
                self._changed.ring_all()
                if self._ended:
                    self.link.close()
                    self.link.drop_twin()
                return

    def _pause(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while not self._is_over() and time.monotonic() < end_s:
            self._awaken.sleep_until(self._is_over, end_s - time.monotonic())

    def _tell(self, link: Link) -> None:
        try:
            self._broken(link)
        except Exception:
            _log.exception("what was to be told of a lost connection raised")

    def _is_over(self) -> bool:
        return self._ended or self._keeper is not threading.current_thread()
