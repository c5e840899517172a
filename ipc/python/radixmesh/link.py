"""The blocking transport: one socket, one call at a time, each under one deadline.

Any step of it may be the last: a signal handler may raise between any two instructions of Python.
So each change of what it remembers is one store or one call into C, and whatever was begun is taken
up where it was left:

- A request is a record (`Asked`) among those that are open. Unsent bytes of it are sent, and its
  answer is read, by whichever call comes next, before anything of its own.
- Sending and receiving keep what they did in the same step in which they do it: `list.extend` over
  `map` calls the socket and stores the result in C, and no handler runs in between. So where the
  stream stands, both ways, is known at all times.
- A message is read from the bytes, its answer stored, and only then, in one store, are the bytes
  taken for read. Who was interrupted in between reads it again, and stores the same.
"""

from __future__ import annotations

import math
import select
import socket
import time
from collections import deque
from typing import Any, Deque, Generic, List, Optional, Tuple, TypeVar

from .deadline import Deadline
from .endpoint import CONNECT_RETRY_S, READ_BYTES, Endpoint
from .errors import ConnectionLost, RadixMeshError, ReportBug
from .forking import keep_from_children, tell_in_children
from .inbox import Inbox
from .lives import Leases
from .methods import Call
from .protocol import FRAME_BYTES_MAX, ID_MAX, Notification, Response, encode_request
from .turns import Turns

__all__ = ["Deadline", "Link", "Request"]

T = TypeVar("T")


class Asked(Generic[T]):
    """A request on its way over one link. `counts` are the bytes of each send; the answer comes
    once all of them are sent."""

    __slots__ = ("link", "call", "request_id", "frame", "counts", "response")

    def __init__(self, link: Link, call: Call[T], request_id: int, frame: bytes) -> None:
        self.link = link
        self.call = call
        self.request_id = request_id
        self.frame = frame
        self.counts: List[int] = []
        self.response: Optional[Response] = None

    @property
    def unsent(self) -> memoryview:
        return memoryview(self.frame)[sum(self.counts) :]


class Request(Generic[T]):
    """A call that somebody wants answered. Asking for it again goes on where the last time was
    interrupted, and asks for nothing twice."""

    def __init__(self, call: Call[T]) -> None:
        self.call = call
        self.asked: Optional[Asked[T]] = None  # over which link, and how far it is

    def give_up(self) -> None:
        """Nobody will use the answer: what was done is undone where that matters (a lease, a
        booking), by the next call over the same link. Does nothing else, so that it is quick."""
        asked = self.asked
        if asked is not None and asked.call.undo is not None:
            asked.link.given_up.append(asked)


class Link:
    """A connection. Calls from several threads wait for each other.

    It closes itself, and keeps the reason, which every later call repeats, where the sidecar went,
    where it broke the protocol, and where an answer did not come in time: answers come in order, so
    none can be expected behind it. An exception that is raised into a call from outside, by a
    signal handler, closes nothing.
    """

    def __init__(self, connection: socket.socket, keeps_notes: bool = False) -> None:
        self.frame_bytes_max = FRAME_BYTES_MAX  # the sidecar's own bound, once hello told it
        self.to_say: Deque[Request[None]] = deque()  # by this call, or else by the next
        self.given_up: Deque[Asked[Any]] = deque()
        self.leases: Leases = {}  # those that it holds
        self.inbox = Inbox([])
        self._keeps_notes = keeps_notes
        self._socket = connection
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(connection, select.POLLIN)
        self._writable.register(connection, select.POLLOUT)
        self._turns = Turns()
        self._open: Deque[Asked[Any]] = deque()  # in the order of asking, that of answers
        self._next_id = 0
        self._closed: Optional[str] = None  # why
        self._ended = False  # by close(), and not by a fault
        self._twin: Optional[socket.socket] = None
        tell_in_children(self)

    @classmethod
    def open(cls, endpoint: Endpoint, deadline: Deadline, keeps_notes: bool = False) -> Link:
        while True:
            connection = endpoint.try_connect()
            if connection is not None:
                return cls(connection, keeps_notes)
            remaining_s = deadline.remaining_s("connecting")
            pause_s = CONNECT_RETRY_S
            time.sleep(pause_s if remaining_s is None else min(remaining_s, pause_s))

    @property
    def closed(self) -> bool:
        return self._closed is not None

    @property
    def reason(self) -> str:
        """Why it is closed."""
        return self._closed or "it is open"

    def ask(self, request: Request[T], deadline: Deadline) -> T:
        """Sends `request`, or what of it is unsent, and reads its answer.

        Timeout before anything was sent, that is in the queue for its turn, leaves the link open.
        """
        self.refuse_if_closed()
        try:
            response = self._turns.run(
                lambda: self._exchange(request, deadline), deadline, request.call.method
            )
        finally:
            if self._closed is not None:
                self.dispose()
        if response.error is not None:
            raise response.error
        return request.call.read(response.result)

    def call(self, call: Call[T], deadline: Deadline) -> T:
        return self.ask(Request(call), deadline)

    def next_note(self) -> Optional[Tuple[Notification, Inbox]]:
        """Waits without limit for what the sidecar sends unasked; None once close() was called.

        It is taken only when the caller makes the second of the pair this link's `inbox`.
        """
        try:
            return self._turns.run(self._wait_note, Deadline(None), "the subscription")
        finally:
            if self._closed is not None:
                self.dispose()

    def close(self) -> None:
        """Ends the link, and a call that waits in another thread. Closing twice is no error.

        Never waits, so that a signal handler may call it in the thread that it interrupted.
        """
        self._ended = True
        self.broke("it was closed by this client")
        self.dispose()

    def broke(self, reason: str) -> None:
        """No more calls, for `reason` if it is the first one; who waits in one is woken."""
        self._closed = self._closed or reason
        try:
            # shutdown() wakes a thread that waits; close() alone would not, and would hand the
            # number of the file to whoever opens the next one while that thread still uses it.
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster

    def dispose(self) -> None:
        """Gives the descriptor back, unless a call still uses it: that one sees to it then."""
        self._turns.try_run(self._socket.close)

    def forked(self, reason: str) -> None:
        self._closed = reason
        self._turns = Turns()  # whose turn it was in the parent, a child cannot know

    def add_twin(self) -> None:
        """A second descriptor for `wait_broken`. The first may be given back while somebody waits,
        and its number be another file's then."""
        self._twin = keep_from_children(self._socket.dup())

    def drop_twin(self) -> None:
        if self._twin is not None:
            self._twin.close()

    def wait_broken(self) -> None:
        """Until the connection has ended, from either side. Reads nothing, and takes no turn. For
        one thread, that which drops the twin afterwards."""
        if self._twin is not None and self._twin.fileno() >= 0:
            poll = select.poll()
            poll.register(self._twin, select.POLLRDHUP)
            poll.poll()

    def refuse_if_closed(self) -> None:
        if self._closed is not None:
            raise ConnectionLost(f"the connection is closed: {self._closed}")

    # All below is done in a turn.

    def _exchange(self, request: Request[T], deadline: Deadline) -> Response:
        self.refuse_if_closed()
        asked = request.asked = self._of_this_link(request)
        try:
            self._take_up(deadline, request.call.method)
            if asked.response is None:
                if asked not in self._open:
                    self._open.append(asked)
                self._drive(deadline, request.call.method)
        except RadixMeshError as error:
            if isinstance(error, ConnectionLost):
                self.refuse_if_closed()  # by close() in another thread: say so
            self.broke(str(error))
            raise
        assert asked.response is not None
        return asked.response

    def _of_this_link(self, request: Request[T]) -> Asked[T]:
        asked = request.asked
        return asked if asked is not None and asked.link is self else self._record(request.call)

    def _record(self, call: Call[T]) -> Asked[T]:
        request_id = self._next_id
        frame = encode_request(request_id, call.method, call.params, self.frame_bytes_max)
        self._next_id = (request_id + 1) & ID_MAX
        return Asked(self, call, request_id, frame)

    def _take_up(self, deadline: Deadline, what: str) -> None:
        """What calls that were interrupted have left: requests are ended, or forgotten where not a
        byte was sent and nothing is given back; and what was given up is undone."""
        while self._open and not self._open[-1].counts and not self._open[-1].call.gives_back:
            self._open.pop()
        if self._open:
            self._drive(deadline, what)
        while self.to_say:
            request = self.to_say[0]
            asked = request.asked = self._of_this_link(request)
            if asked.response is None and asked not in self._open:
                self._open.append(asked)
            self.to_say.popleft()
        while self.given_up:
            asked = self.given_up[0]
            undo = _undo(asked)
            if undo is not None:
                self._open.append(self._record(undo))
            # In this order: who is interrupted here undoes it twice, which does no harm.
            self.given_up.popleft()

    def _drive(self, deadline: Deadline, what: str) -> None:
        """Until nothing is open: sends what is unsent, and reads the answers."""
        while True:
            while self._open and self._take():
                pass
            while self._open and self._open[0].response is not None:
                self._open.popleft()
            if not self._open:
                return
            self._send(deadline, what)
            self._receive(deadline, what)

    def _take(self) -> bool:
        """Takes a message from what came; False where there is no whole one."""
        taken = self.inbox.take()
        if taken is None:
            return False
        message, rest = taken
        if isinstance(message, Notification):
            notes = (*rest.notes, message) if self._keeps_notes else ()
            self.inbox = rest._replace(notes=notes)
            return True
        asked = self._due(message)
        asked.response = message
        self.inbox = rest
        self._open.popleft()
        return True

    def _due(self, response: Response) -> Asked[Any]:
        if response.id is None:
            assert response.error is not None  # read_message saw to it
            raise response.error
        # Answered, and its bytes taken, and then an interrupt.
        while self._open and self._open[0].response and self._open[0].request_id != response.id:
            self._open.popleft()
        if not self._open or self._open[0].unsent:
            raise ReportBug(f"the sidecar answered request {response.id}, but nothing was asked")
        if self._open[0].request_id != response.id:
            due = self._open[0].request_id
            raise ReportBug(f"the sidecar answered request {response.id} where {due} was due")
        return self._open[0]

    def _wait_note(self) -> Optional[Tuple[Notification, Inbox]]:
        try:
            while not self._ended:
                if self.inbox.notes:
                    return self.inbox.notes[0], self.inbox._replace(notes=self.inbox.notes[1:])
                taken = self.inbox.take()
                if taken is None:
                    self.refuse_if_closed()
                    self._receive(Deadline(None), "the subscription")
                elif isinstance(taken[0], Notification):
                    return taken[0], taken[1]
                else:
                    self._due(taken[0])  # raises, as nothing is open
        except RadixMeshError as error:
            if not self._ended:
                self.broke(str(error))
                raise
        return None

    def _send(self, deadline: Deadline, what: str) -> None:
        for asked in tuple(self._open):
            while asked.unsent:
                try:
                    asked.counts.extend(map(self._socket.send, (asked.unsent,)))
                except BlockingIOError:
                    self._wait(self._writable, deadline, what)
                except OSError as error:
                    raise ConnectionLost(f"{what} could not be sent: {error.strerror}") from error

    def _receive(self, deadline: Deadline, what: str) -> None:
        chunks = self.inbox.chunks
        try:
            self._wait(self._readable, deadline, what)
            chunks.extend(map(self._socket.recv, (READ_BYTES,)))
        except BlockingIOError:
            return
        except OSError as error:
            if isinstance(error, RadixMeshError):
                raise
            raise ConnectionLost(f"{what} was cut off: {error.strerror}") from error
        if not chunks[-1]:
            raise ConnectionLost(f"{what} was cut off: the sidecar closed the connection")

    def _wait(self, poll: select.poll, deadline: Deadline, what: str) -> None:
        remaining_s = deadline.remaining_s(what)
        if not poll.poll(None if remaining_s is None else math.ceil(remaining_s * 1000)):
            raise deadline.passed(what)


def _undo(asked: Asked[T]) -> Optional[Call[Any]]:
    """What undoes it; None where it was not carried out, or answered with an error."""
    if asked.response is None or asked.response.error is not None or asked.call.undo is None:
        return None
    try:
        return asked.call.undo(asked.call.read(asked.response.result))
    except ReportBug:
        return None  # its answer is malformed, so that it does not say what
