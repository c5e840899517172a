"""What a forked child keeps of its parent's connections: nothing.

A descriptor that was inherited is the parent's own connection: shutting it down would end it there,
reading from it would take the parent's answers, and holding it open would keep the parent's leases
when the parent has died. So the child's descriptors are replaced by dead ends as the first thing
that it does, before any other code of it can run. Whatever that code then does with the objects, by
a `with` block, an event loop, or the collector of garbage, it does to a dead end.
"""

from __future__ import annotations

import os
import socket
import weakref
from typing import Protocol, Set

__all__ = ["Forked", "keep_from_children", "tell_in_children"]

Sockets = Set["weakref.ref[socket.socket]"]


class Forked(Protocol):
    """What wants to know that it is the copy in a child."""

    def forked(self, reason: str) -> None:
        """Called in the child, before its own code. `reason` says what an inherited object is."""


# Plain sets of weak references, which die with what they refer to: a WeakSet cannot be walked in
# the child where another thread of the parent was just changing it.
_sockets: Sockets = set()
_told: Set["weakref.ref[Forked]"] = set()


def keep_from_children(connection: socket.socket) -> socket.socket:
    """Has every child of this process get a dead end in place of `connection`."""
    _sockets.add(weakref.ref(connection, _sockets.discard))
    return connection


def tell_in_children(copied: Forked) -> None:
    """Has `copied.forked()` called in every child of this process."""
    _told.add(weakref.ref(copied, _told.discard))


def _in_child() -> None:
    reason = f"it belongs to process {os.getppid()}, which forked this one"
    for reference in list(_sockets):
        connection = reference()
        if connection is not None and connection.fileno() >= 0:
            _replace(connection)
    for told in list(_told):
        copied = told()
        if copied is not None:
            copied.forked(reason)


def _replace(connection: socket.socket) -> None:
    try:
        dead_end, other_end = socket.socketpair()
    except OSError:  # no descriptors are left
        connection.close()
        return
    other_end.close()
    # The number stays taken: what else knows the socket by it, an event loop, meets the dead end.
    # An epoll that is shared with the parent goes on watching the parent's connection.
    os.dup2(dead_end.fileno(), connection.fileno(), inheritable=False)
    dead_end.close()


os.register_at_fork(after_in_child=_in_child)
