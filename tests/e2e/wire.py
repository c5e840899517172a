"""Frames between nodes as lib/oplog/WIRE.md has them, and ways to get them wrong."""

from __future__ import annotations

import struct
from typing import Any, List

import msgpack

from loopback import Node
from zmtp import Zmtp

INSERT, DELETE, RESET = 1, 2, 3
HEAD, MARKER, HELLO, WELCOME, REFUSED, HEARTBEAT, HEARTBEAT_ACK = range(64, 71)
REPLAY_REQUEST, REPLAY, SNAPSHOT_REQUEST, SNAPSHOT_CHUNK, SNAPSHOT_CREDIT = range(71, 76)
TYPES = [INSERT, DELETE, RESET, *range(HEAD, SNAPSHOT_CREDIT + 1)]
ROUTER = 3


def frame(*fields: Any) -> bytes:
    return bare(msgpack.packb(list(fields)))


def bare(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def identity(node_id: int, life: int = 1) -> bytes:
    return b"N" + struct.pack(">QQ", node_id, life)


def hello(cluster: str, addr: str, page_size: int = 1, rank: int = 0, role: int = 0) -> List[Any]:
    endpoint = "127.0.0.1:1"
    fingerprint = 12345
    head = [1, 1, fingerprint, cluster, page_size, addr, rank, role, b""]
    return [*head, endpoint, endpoint, None, 0]


def publish_port(node: Node) -> int:
    line = next(line for line in node.lines() if "event=started" in line)
    publish = next(word for word in line.split() if word.startswith("publish="))
    return int(publish.rpartition(":")[2])


def head_of(node: Node) -> List[Any]:
    """The next HEAD that the node publishes: [type, origin, epoch, seq, ttl, body]."""
    with Zmtp(publish_port(node), "SUB") as subscriber:
        subscriber.send(b"\x01C")
        while True:
            topic, payload = subscriber.receive()
            message = msgpack.unpackb(payload[4:])
            if topic == b"C" and message[0] == HEAD:
                return message
