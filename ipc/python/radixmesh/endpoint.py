"""Where the sidecar listens, and how long to wait for it."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple, Optional, Union

from .errors import ConnectionLost, FixRequest
from .forking import keep_from_children

__all__ = ["CONNECT_RETRY_S", "READ_BYTES", "Endpoint", "PathLike"]

PathLike = Union[str, "os.PathLike[str]"]

SOCKET_VARIABLE = "RADIXMESH_SOCKET"

# Python's sockets take no more than 2^31 milliseconds, some 24 days.
TIMEOUT_S_MAX = 1_000_000

# How often a sidecar whose queue of new connections is full is tried again. The system offers
# nothing to wait for there, and a sidecar empties that queue in one turn of its loop.
CONNECT_RETRY_S = 0.01

# One read from a socket: holds most answers, and is no burden where many connections are open.
READ_BYTES = 64 * 1024


class Endpoint(NamedTuple):
    """A socket's path, and the bound in seconds of each call there, None for no bound."""

    path: str
    timeout_s: Optional[float]

    @classmethod
    def of(cls, path: Optional[PathLike], timeout: Optional[float]) -> Endpoint:
        """Checks both; where `path` is None, $RADIXMESH_SOCKET. Raises FixRequest."""
        found = os.environ.get(SOCKET_VARIABLE) if path is None else os.fspath(path)
        if not found:
            raise FixRequest(f"no path was given, and ${SOCKET_VARIABLE} is not set")
        # Asked this way round because NaN must not pass.
        if timeout is not None and not 0 < timeout <= TIMEOUT_S_MAX:
            raise FixRequest(
                f"timeout must be more than 0 and at most {TIMEOUT_S_MAX:,} seconds, "
                f"or None, not {timeout!r}"
            )
        return cls(found, timeout)

    def try_connect(self) -> Optional[socket.socket]:
        """A connected, non-blocking socket, or None where the sidecar's queue is full right now.

        Never waits: a Unix socket connects at once or not at all. ConnectionLost says why not.
        """
        connection = keep_from_children(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            connection.setblocking(False)
            connection.connect(self.path)
            return connection
        except BlockingIOError:
            connection.close()
            return None
        except OSError as error:
            connection.close()
            reason = error.strerror or str(error)
            raise ConnectionLost(f"cannot connect to {self.path}: {reason}") from error
