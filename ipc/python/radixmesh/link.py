"""The blocking transport: one socket, one call at a time, each under one deadline."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Deque, List, Optional, TypeVar, Union

from .conversation import Answer, Conversation
from .endpoint import CONNECT_RETRY_S, READ_BYTES, Endpoint
from .errors import ConnectionLost, RadixMeshError, Timeout
from .methods import Call
from .protocol import Notification

__all__ = ["Deadline", "Link"]

T = TypeVar("T")


class Deadline:
    """The end of a call as a whole, whatever it is made of. `timeout_s` None: there is none."""

    def __init__(self, timeout_s: Optional[float]) -> None:
        self.timeout_s = timeout_s
        self._end_s = None if timeout_s is None else time.monotonic() + timeout_s

    def remaining_s(self, what: str) -> Optional[float]:
        """Seconds left, more than 0, or None for no end. Raises Timeout once it has passed."""
        if self._end_s is None:
            return None
        remaining_s = self._end_s - time.monotonic()
        if remaining_s <= 0:
            raise self.passed(what)
        return remaining_s

    def passed(self, what: str) -> Timeout:
        return Timeout(f"{what} was not answered within {self.timeout_s:g} s")


class Link:
    """A connection. Calls from several threads wait for each other: one lock, one call at a time.

    Once a call was sent in part, or its answer did not come, the position in the stream is unknown:
    the link closes itself and keeps the reason, which every later call repeats.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.conversation = Conversation()
        self._socket = connection
        self._lock = threading.Lock()
        self._closed: Optional[str] = None  # why
        self._ended = False  # by close(), and not by a fault

    @classmethod
    def open(cls, endpoint: Endpoint, deadline: Deadline) -> Link:
        while True:
            connection = endpoint.try_connect()
            if connection is not None:
                return cls(connection)
            remaining_s = deadline.remaining_s("connecting")
            pause_s = CONNECT_RETRY_S
            time.sleep(pause_s if remaining_s is None else min(remaining_s, pause_s))

    @property
    def closed(self) -> bool:
        return self._closed is not None

    def call(
        self,
        call: Call[T],
        deadline: Deadline,
        notifications: Optional[Deque[Notification]] = None,
    ) -> T:
        """Sends `call` and reads its answer. Notifications that come meanwhile are kept if asked.

        Timeout before anything was sent, that is in the queue for the lock, leaves the link open.
        """
        remaining_s = deadline.remaining_s(call.method)
        if not self._lock.acquire(timeout=-1 if remaining_s is None else remaining_s):
            raise deadline.passed(f"{call.method}, behind other threads' calls,")
        try:
            self._refuse_if_closed()
            answer: Answer[T] = self._exchange(call, deadline, notifications)
        finally:
            self._let_go()
        return answer.read()

    def wait(self, notifications: Deque[Notification]) -> bool:
        """Waits without limit for what the sidecar sends unasked; False once close() was called."""
        self._lock.acquire()
        try:
            if self._ended:
                return False
            self._refuse_if_closed()
            for message in self._receive(None, "the subscription"):
                if isinstance(message, Notification):
                    notifications.append(message)
            return True
        except RadixMeshError as error:
            if self._ended:
                return False
            self._break(str(error))
            raise
        finally:
            self._let_go()

    def close(self) -> None:
        """Ends the link, and a call that waits in another thread. Closing twice is no error.

        Never waits, so that a signal handler may call it in the thread that it interrupted.
        """
        self._ended = True
        self._closed = self._closed or "it was closed by this client"
        try:
            # shutdown() wakes a thread that waits; close() alone would not, and would hand the
            # number of the file to whoever opens the next one while that thread still uses it.
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster
        if self._lock.acquire(blocking=False):
            self._let_go()

    def _let_go(self) -> None:
        # In this order: who could not get the lock in close() leaves the rest to its owner, who
        # therefore looks after the release.
        self._lock.release()
        if self._closed is not None:
            self._socket.close()

    def _refuse_if_closed(self) -> None:
        if self._closed is not None:
            raise ConnectionLost(f"the connection is closed: {self._closed}")

    def _break(self, reason: str) -> None:
        self._closed = self._closed or reason
        self._socket.close()

    def _exchange(
        self, call: Call[T], deadline: Deadline, notifications: Optional[Deque[Notification]]
    ) -> Answer[T]:
        _, frame = self.conversation.ask(call)
        try:
            self._send(frame, deadline, call.method)
            while True:
                answer: Optional[Answer[Any]] = None
                for message in self._receive(deadline, call.method):
                    if isinstance(message, Answer):
                        answer = message
                    elif notifications is not None:
                        notifications.append(message)
                if answer is not None:
                    return answer
        except RadixMeshError as error:
            if isinstance(error, ConnectionLost):
                self._refuse_if_closed()  # by close() in another thread: say so
            self._break(str(error))
            raise
        except BaseException as error:
            # An interrupt, for one: what was sent, and what comes back, is not known.
            self._break(f"{call.method} was interrupted by {error!r}")
            raise

    def _send(self, frame: bytes, deadline: Deadline, what: str) -> None:
        # The timeout of sendall() bounds all of it, not each part.
        self._socket.settimeout(deadline.remaining_s(what))
        try:
            self._socket.sendall(frame)
        except socket.timeout as error:
            raise deadline.passed(what) from error
        except OSError as error:
            raise ConnectionLost(f"{what} could not be sent: {error.strerror}") from error

    def _receive(
        self, deadline: Optional[Deadline], what: str
    ) -> List[Union[Answer[Any], Notification]]:
        self._socket.settimeout(None if deadline is None else deadline.remaining_s(what))
        try:
            data = self._socket.recv(READ_BYTES)
        except socket.timeout as error:
            assert deadline is not None
            raise deadline.passed(what) from error
        except OSError as error:
            raise ConnectionLost(f"{what} was cut off: {error.strerror}") from error
        if not data:
            raise ConnectionLost(f"{what} was cut off: the sidecar closed the connection")
        return self.conversation.receive(data)
