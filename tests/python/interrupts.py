"""Raises into code of the package as a signal handler could: before any of its instructions."""

from __future__ import annotations

import dis
import gc
import os
import sys

import pytest

import radixmesh

PACKAGE = os.path.dirname(radixmesh.__file__)


class Interrupt(BaseException):
    """What the handler raises."""


class Interrupter:
    """interrupt(work, at=n): runs `work`, and raises before its n-th instruction in the package.

    `was_at_return` tells whether that was the very last instruction, by which the function that was
    called gives its result to the caller: there the call is over, and the result the caller's.
    """

    def __init__(self):
        self.was_at_return = False
        self._left = 0
        self._outermost = None

    def __call__(self, work, at):
        """(True, None) where it was interrupted, else (False, its result)."""
        self.was_at_return = False
        self._left = at
        self._outermost = None
        before = sys.gettrace()
        gc.disable()  # else a finalizer of another test's objects could be what is interrupted
        sys.settrace(self._enter)
        try:
            return False, work()
        except Interrupt:
            return True, None
        finally:
            sys.settrace(before)
            gc.enable()

    def _enter(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if self._outermost is None:
            self._outermost = frame
        frame.f_trace_opcodes = True
        return self._step

    def _step(self, frame, event, argument):
        if event == "opcode":
            if self._left == 0:
                name = dis.opname[frame.f_code.co_code[frame.f_lasti]]
                self.was_at_return = name == "RETURN_VALUE" and frame is self._outermost
                self._outermost = None
                raise Interrupt
            self._left -= 1
        return self._step


def each_instruction(work, check, step=1):
    """Interrupts work(n) at its n-th instruction and then does check(interrupter), for n from 0 on
    in steps, until it gets through. How many interrupts that were."""
    if sys.version_info >= (3, 12):
        pytest.skip("from Python 3.12 on a tracer is not told of every instruction")
    interrupter = Interrupter()
    count = 0
    while True:
        interrupted, _ = interrupter(lambda: work(count), count * step)
        check(interrupter)
        if not interrupted:
            return count
        count += 1
