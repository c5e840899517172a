"""The little of ZMTP 3.0 that a stranger needs to talk to a ZeroMQ socket, with nothing checked.

A frame is [flags][size][bytes]; flags: 1 more parts follow, 2 the size has 8 bytes, 4 a command.
"""

from __future__ import annotations

import socket
import struct
from typing import List, Optional, Sequence

MORE, LONG, COMMAND = 1, 2, 4
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
assert len(GREETING) == 64


def part(data: bytes, flags: int = 0) -> bytes:
    if len(data) > 255:
        return bytes([flags | LONG]) + struct.pack(">Q", len(data)) + data
    return bytes([flags, len(data)]) + data


def message(parts: Sequence[bytes]) -> bytes:
    *first, last = parts
    return b"".join(part(each, MORE) for each in first) + part(last)


def ready(socket_type: bytes, identity: bytes) -> bytes:
    properties = b""
    for name, value in ((b"Socket-Type", socket_type), (b"Identity", identity)):
        properties += bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
    return part(b"\x05READY" + properties, COMMAND)


class Zmtp:
    """A connection that has shaken hands."""

    def __init__(self, port: int, socket_type: str, identity: bytes = b"", timeout_s: float = 5.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._shake_hands(socket_type, identity)

    @classmethod
    def over(cls, connection: socket.socket, socket_type: str) -> Zmtp:
        """The side that was connected to."""
        accepted = cls.__new__(cls)
        accepted.socket = connection
        accepted.socket.settimeout(5.0)
        accepted._shake_hands(socket_type, b"")
        return accepted

    def _shake_hands(self, socket_type: str, identity: bytes) -> None:
        try:
            self.socket.sendall(GREETING + ready(socket_type.encode(), identity))
            self._exactly(64)
            self._frame()
        except OSError:
            self.socket.close()
            raise

    def send(self, *parts: bytes) -> None:
        self.raw(message(parts))

    def raw(self, data: bytes) -> None:
        """That the other side has cut the connection meanwhile is no error."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self) -> Optional[List[bytes]]:
        """The parts of the next message; None once the connection is closed."""
        parts = []
        try:
            while True:
                flags, data = self._frame()
                if flags & COMMAND:
                    continue
                parts.append(data)
                if not flags & MORE:
                    return parts
        except ConnectionError:
            return None

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Zmtp:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _frame(self):
        flags = self._exactly(1)[0]
        size = struct.unpack(">Q", self._exactly(8))[0] if flags & LONG else self._exactly(1)[0]
        return flags, self._exactly(size)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionResetError("closed by the other side")
            data += more
        return data
