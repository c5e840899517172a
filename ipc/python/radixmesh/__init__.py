"""RadixMesh from Python: which token prefixes have their KV cache on which node.

    import radixmesh

    mesh = radixmesh.connect("/run/radixmesh/p0.sock")  # or $RADIXMESH_SOCKET
    mesh.insert(tokens, slots)
    match = mesh.match_prefix(tokens)
    with mesh.acquire(tokens) as lease:
        ...
    where = mesh.route(tokens)

`radixmesh.Mesh` documents the calls, `radixmesh.aio` the same with asyncio, `radixmesh.errors`
what can go wrong and what to do then.
"""

from . import aio, errors, results
from .booking import Booking
from .client import Lease, Mesh, Subscription, connect
from .collecting import GcFreeEvent
from .errors import *  # noqa: F403  -- the list of names stands in errors.__all__
from .namespace import Namespace
from .results import *  # noqa: F403  -- the list of names stands in results.__all__
from .version import __version__

__all__ = [
    "Booking",
    "GcFreeEvent",
    "Lease",
    "Mesh",
    "Namespace",
    "Subscription",
    "__version__",
    "aio",
    "connect",
    "errors",
    *errors.__all__,
    *results.__all__,
]
