"""Errors, one class for each reaction that the protocol asks of its caller.

    RadixMeshError
    ├── FixRequest      the request breaks a rule: mend it (also a ValueError)
    ├── SendLess        a stated bound was passed: send less at a time
    ├── UseAnotherNode  this node's role cannot do it
    ├── RetryLater      not now: something is locked, or nobody is there to choose from
    ├── Upgrade         unknown method, or no common protocol version
    ├── ReportBug       the sidecar found itself, or was found, in a state that should not be
    ├── ConnectionLost  the connection is gone, its leases too (also a ConnectionError)
    └── Timeout         the deadline of a call passed (also the builtin TimeoutError)

The first six come from the sidecar or are raised here before anything is sent, in the same words:
what the caller should do is the same. A code that this client does not know becomes a plain
RadixMeshError with that code.
"""

from __future__ import annotations

from typing import Dict, Optional, Type

__all__ = [
    "RadixMeshError",
    "FixRequest",
    "SendLess",
    "UseAnotherNode",
    "RetryLater",
    "Upgrade",
    "ReportBug",
    "ConnectionLost",
    "Timeout",
]


class RadixMeshError(Exception):
    """Base of all errors of this package.

    `message` is a sentence; `code` is the protocol's word for the reaction, None for the two
    errors that have no word there (ConnectionLost, Timeout).
    """

    code: Optional[str] = None

    def __init__(self, message: str, code: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class FixRequest(RadixMeshError, ValueError):
    """The request breaks a rule; sending it again does not help."""

    code = "fix_request"


class SendLess(RadixMeshError):
    """A stated bound was passed; `Mesh.info.limits` has the bounds in force."""

    code = "send_less"


class UseAnotherNode(RadixMeshError):
    """This node's role cannot do it: a router, for one, holds nothing."""

    code = "use_another_node"


class RetryLater(RadixMeshError):
    """Not now: something is locked, or there is nobody to choose from."""

    code = "retry_later"


class Upgrade(RadixMeshError):
    """One of the two sides is too old for what the other asks."""

    code = "upgrade"


class ReportBug(RadixMeshError):
    """A state that should not be: the sidecar says so itself, or its answer breaks the protocol."""

    code = "report_bug"


class ConnectionLost(RadixMeshError, ConnectionError):
    """There is no connection (any more); the message says why. Its leases are released. A call
    that was under way may or may not have been carried out."""


class Timeout(RadixMeshError, TimeoutError):
    """The deadline of the call passed. Whether the sidecar carried it out is not known."""


_BY_CODE: Dict[str, Type[RadixMeshError]] = {
    str(kind.code): kind
    for kind in (FixRequest, SendLess, UseAnotherNode, RetryLater, Upgrade, ReportBug)
}


def from_code(code: str, message: str) -> RadixMeshError:
    """The exception for an error of the wire, not raised."""
    kind = _BY_CODE.get(code)
    return RadixMeshError(message, code) if kind is None else kind(message)
