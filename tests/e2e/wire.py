"""Frames between nodes as lib/oplog/WIRE.md has them, and ways to get them wrong."""

from __future__ import annotations

import contextlib
import struct
from typing import Any, List, Sequence

import msgpack
import xxhash

from loopback import Node
from zmtp import Zmtp

INSERT, DELETE, RESET = 1, 2, 3
HEAD, MARKER, HELLO, WELCOME, REFUSED, HEARTBEAT, HEARTBEAT_ACK = range(64, 71)
REPLAY_REQUEST, REPLAY, SNAPSHOT_REQUEST, SNAPSHOT_CHUNK, SNAPSHOT_CREDIT = range(71, 76)
PROBE_REQUEST, PROBE_REPORT, NEWS, TICK, TICK_ACK, JOIN, JOINED = range(76, 83)
# Where in the body of a HELLO they stand: what it believes of the receiver begins with its epoch.
FINGERPRINT, STANDING = 2, 13
TYPES = [INSERT, DELETE, RESET, *range(HEAD, JOINED + 1)]
ROUTER = 3


def frame(*fields: Any) -> bytes:
    return bare(msgpack.packb(list(fields)))


def bare(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def node_id(cluster: str, addr: str) -> int:
    return xxhash.xxh3_64_intdigest(cluster.encode() + b"\0" + addr.encode())


def identity(node_id: int, life: int = 1) -> bytes:
    return b"N" + struct.pack(">QQ", node_id, life)


def hello(cluster: str, addr: str, page_size: int = 1, rank: int = 0, role: int = 0) -> List[Any]:
    endpoint = "127.0.0.1:1"
    fingerprint = 12345
    head = [1, 1, fingerprint, cluster, page_size, addr, rank, role, b""]
    nothing_seen, no_former, no_leases = [0, 0, 0], [0, 0, b"", False], [0, 0, 0]
    numbers, question = [0, 0, 0, 0, 0, 0], 1
    of_others = [*nothing_seen, no_former, *no_leases]
    in_lists, ready, rank_given = ["", 0], True, False
    about_itself = [in_lists, ready, rank_given]
    return [*head, endpoint, endpoint, None, 0, *of_others, *numbers, question, *about_itself]


def publish_port(node: Node) -> int:
    line = node.wait_said("event=started")
    publish = next(word for word in line.split() if word.startswith("publish="))
    return int(publish.rpartition(":")[2])


def heads_of(nodes: Sequence[Node]) -> List[List[Any]]:
    """The next HEAD that each of them publishes: [type, origin, epoch, seq, ttl, body]."""
    with contextlib.ExitStack() as stack:
        subscribers = [stack.enter_context(Zmtp(publish_port(node), "SUB")) for node in nodes]
        for subscriber in subscribers:
            subscriber.send(b"\x01C")
        return [msgpack.unpackb(subscriber.receive()[1][4:]) for subscriber in subscribers]
