"""Strangers at a sidecar's ports, and what they may cost: memory, and the engine's calls."""

from __future__ import annotations

import threading
import time
from typing import List

import wire
from loopback import Node
from zmtp import Zmtp

STRANGER = 0x1234567890ABCDEF
# Of a call while an attack runs, on a machine that does other work as well.
CALL_S_MAX = 1.0
CALL_PAUSE_S = 0.005


class Cost:
    """`with Cost(node, bytes_max) as cost:` around an attack: fails where it costs more."""

    def __init__(self, node: Node, bytes_max: int):
        self._node = node
        self._bytes_max = bytes_max
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure)
        self.bytes = 0
        self.calls_s: List[float] = []
        self.failure = None

    def __enter__(self) -> Cost:
        self._before = self._node.memory_bytes()
        self._thread.start()
        return self

    def _measure(self) -> None:
        try:
            with self._node.connect() as client:
                while not self._stop.is_set():
                    begin = time.monotonic()
                    client.match_prefix([1, 2, 3])
                    self.calls_s.append(time.monotonic() - begin)
                    self.bytes = max(self.bytes, self._node.memory_bytes() - self._before)
                    self._stop.wait(CALL_PAUSE_S)
        except Exception as error:
            self.failure = error

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._stop.set()
        self._thread.join()
        if error is not None:
            return
        assert self.failure is None, self.failure
        print(f" {self.bytes / 1e6:.0f} MB, {max(self.calls_s) * 1000:.0f} ms", end="")
        assert self.bytes < self._bytes_max, f"{self.bytes:,} bytes"
        assert max(self.calls_s) < CALL_S_MAX, f"{max(self.calls_s):.2f} s"


def control_port(node: Node) -> int:
    return node.reservation.port


def bulk_port(node: Node) -> int:
    (port,) = node.listening_ports() - {control_port(node), wire.publish_port(node)}
    return port


def ports(node: Node) -> dict:
    """By the kind of socket that fits."""
    return {
        "control": (control_port(node), "DEALER"),
        "bulk": (bulk_port(node), "DEALER"),
        "publish": (wire.publish_port(node), "SUB"),
    }


def is_cut(connection: Zmtp) -> bool:
    """Whether the other side has ended it; what it sent before is read."""
    connection.socket.setblocking(False)
    try:
        while connection.socket.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def pour(connection: Zmtp, data: bytes, bytes_max: int) -> int:
    """Sends it again and again until the other side has cut it, or there was so much; how much."""
    connection.socket.settimeout(0.2)
    sent = 0
    while sent < bytes_max:
        try:
            connection.socket.sendall(data)
        except OSError:
            if is_cut(connection):
                break
            # It does not read for now; what is amid a frame is garbage from here on.
            connection.socket.settimeout(0.2)
        sent += len(data)
    return sent
