"""Whose turn it is, so that no exception, wherever it is raised, can leave a turn taken."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections import deque
from typing import Any, Callable, Deque, List, Optional, TypeVar

from .deadline import Deadline

__all__ = ["Bell", "Turns"]

T = TypeVar("T")

# How long to sleep at most where a bell should have rung. It rings for nobody where who should
# have rung it was interrupted just then, or where the one whom it woke was.
UNHEARD_S = 0.05


class Bell:
    """Wakes threads, in the order in which they joined. Ringing never waits, so that a signal
    handler may ring."""

    def __init__(self) -> None:
        self._sleepers: Deque[Any] = deque()  # a lock each, held until it is rung for

    @property
    def is_awaited(self) -> bool:
        return bool(self._sleepers)

    def join(self) -> Any:
        """A place in the queue; what rings from now on rings for it."""
        sleeper = threading.Lock()
        sleeper.acquire()
        self._sleepers.append(sleeper)
        return sleeper

    def leave(self, sleeper: Any) -> None:
        try:
            self._sleepers.remove(sleeper)
        except ValueError:
            pass  # who rang took it for left

    def is_first(self, sleeper: Any) -> bool:
        return sleeper in tuple(self._sleepers)[:1]

    def sleep(self, sleeper: Any, seconds: Optional[float]) -> bool:
        """Until it rings, or `seconds` have passed, or UNHEARD_S: then False."""
        left_s = UNHEARD_S if seconds is None else max(0.0, min(seconds, UNHEARD_S))
        rung: bool = sleeper.acquire(timeout=left_s)
        return rung

    def sleep_until(self, ready: Callable[[], bool], seconds: Optional[float]) -> None:
        """The same for one that was no sleeper yet, unless it is `ready` already."""
        sleeper = self.join()
        try:
            if not ready():  # asked when it had joined: so nothing goes unheard in between
                self.sleep(sleeper, seconds)
        finally:
            self.leave(sleeper)

    def ring(self) -> None:
        """Wakes the first one, which keeps its place until it leaves. One for whom it rang before,
        and who did not leave, was interrupted, or has missed its turn: it loses its place."""
        for sleeper in tuple(self._sleepers):
            try:
                sleeper.release()
                return
            except RuntimeError:
                self.leave(sleeper)

    def ring_all(self) -> None:
        for sleeper in tuple(self._sleepers):
            try:
                sleeper.release()
            except RuntimeError:
                pass


class Turns:
    """One caller at a time, in the order in which they came.

    A turn is a call of Context.run(), which refuses to enter a context that somebody is in, and
    which leaves it in C, whether what it calls returns or raises. No `finally`, and no `with`, does
    that: between the end of their block and the release lie steps at which a signal handler may
    raise. (The variables of the context are of no interest.)
    """

    def __init__(self) -> None:
        self._context = contextvars.Context()
        self._over = Bell()

    def run(self, work: Callable[[], T], deadline: Deadline, what: str) -> T:
        """work(), once it is the caller's turn. Timeout where that is not in time.

        RuntimeError in a signal handler that interrupted a turn of its own thread: that one cannot
        go on before the handler is through.
        """
        done: List[T] = []
        if self._over.is_awaited or not self.try_run(lambda: done.append(work())):
            if self._is_within():
                raise RuntimeError(
                    f"{what} was called by a signal handler amid a call over the same connection; "
                    "a handler may close it, or use another one"
                )
            self._queue(lambda: done.append(work()), deadline, what)
        return done[0]

    def _queue(self, work: Callable[[], None], deadline: Deadline, what: str) -> None:
        sleeper = self._over.join()
        try:
            # Whoever heard nothing for long tries out of turn: those before it may all be gone.
            may_try = self._over.is_first(sleeper)
            while not may_try or not self.try_run(work):
                left_s = deadline.remaining_s(f"{what}, behind other threads' calls,")
                heard = self._over.sleep(sleeper, left_s)
                may_try = not heard or self._over.is_first(sleeper)
        finally:
            self._over.leave(sleeper)
            self._over.ring()

    def try_run(self, work: Callable[[], object]) -> bool:
        """Does `work` if it is nobody's turn. False, and nothing is done, if it is somebody's."""
        begun: List[bool] = []

        def turn() -> None:
            begun.append(True)
            work()

        try:
            self._context.run(turn)
        except RuntimeError as error:
            if begun or isinstance(error, RecursionError):
                raise
            return False
        finally:
            if begun:
                self._over.ring()
        return True

    def _is_within(self) -> bool:
        """Whether a turn is under way further up in this thread's own stack."""
        frame: Any = sys._getframe()
        while frame is not None:
            if frame.f_code is Turns.try_run.__code__ and frame.f_locals["self"] is self:
                if frame.f_locals.get("begun"):
                    return True
            frame = frame.f_back
        return False
