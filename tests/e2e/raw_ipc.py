"""The engine's socket without the client's care: any bytes out, any answer in."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any, Dict, Optional

import msgpack


def frame(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def request(method: object, params: object = None, call_id: object = 1) -> bytes:
    return frame(msgpack.packb([0, call_id, method, {} if params is None else params]))


class Refused(Exception):
    """The sidecar's error: `code`, `message`."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class RawClient:
    def __init__(self, path: str, timeout_s: float = 10.0):
        self._timeout_s = timeout_s
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Without a timeout this waits where the sidecar's queue is full; with one it would fail.
        self.socket.connect(path)
        self.socket.settimeout(timeout_s)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """As much as the sidecar takes; that it has cut the connection meanwhile is no error."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self) -> Optional[list]:
        """The next message; None once the connection is closed."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            if len(self._buffer) >= 4:
                (length,) = struct.unpack(">I", self._buffer[:4])
                if len(self._buffer) >= 4 + length:
                    payload = self._buffer[4 : 4 + length]
                    self._buffer = self._buffer[4 + length :]
                    return msgpack.unpackb(payload, strict_map_key=False)
            assert time.monotonic() < deadline, "no whole message in time"
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._buffer += data

    def call(self, method: str, params: Optional[Dict[str, Any]] = None) -> Any:
        """The result. Raises Refused."""
        self.send(request(method, params))
        answer = self.receive()
        assert answer is not None, f"{method}: the connection was closed"
        _, _, error, result = answer
        if error is not None:
            raise Refused(*error)
        return result

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
