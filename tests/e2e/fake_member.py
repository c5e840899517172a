"""A member of a mesh that is none: it greets and publishes as one, and answers as a test wants.

    fake = FakeMember(mesh, "p1", head=1000)        p1 stands in the lists and is never started
    fake.answers[wire.REPLAY_REQUEST] = lambda connection, body: ...
    fake.pours["XPUB"] = lambda connection: ...
    fake.start()
"""

from __future__ import annotations

import itertools
import socket
import threading
from typing import Callable, Dict, List

import msgpack

import wire
from loopback import Mesh
from zmtp import Zmtp

HEAD_EVERY_S = 0.3
EPOCH = 1_700_000_000_000_000
# Where in the body of HELLO and WELCOME they stand.
ADDR, RANK, ROLE, PUBLISH, BULK, HEAD = 5, 6, 7, 9, 10, 21


def frames_of(payload: bytes) -> List[list]:
    frames = []
    while payload:
        length = int.from_bytes(payload[:4], "big")
        frames.append(msgpack.unpackb(payload[4 : 4 + length]))
        payload = payload[4 + length :]
    return frames


class FakeMember:
    def __init__(self, mesh: Mesh, name: str, head: int = 0):
        self.node = mesh[name]
        self.head = head
        self.id = wire.node_id(mesh.cluster, self.node.addr)
        # By the type of a question: called with the connection and the question's body.
        self.answers: Dict[int, Callable[[Zmtp, list], None]] = {}
        # By the socket, "ROUTER", "bulk" or "XPUB": called with each connection to it; after each
        # question and its answer at the first, after each HEAD at the last.
        self.pours: Dict[str, Callable[[Zmtp], None]] = {}
        self._stopping = threading.Event()
        self._listeners = {
            "ROUTER": self._listen(self.node.reservation.port),
            "bulk": self._listen(0),
            "XPUB": self._listen(0),
        }

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        return listener

    def _addr(self, which: str) -> str:
        return f"127.0.0.1:{self._listeners[which].getsockname()[1]}"

    def start(self) -> FakeMember:
        for which in self._listeners:
            threading.Thread(target=self._accept, args=(which,), daemon=True).start()
        return self

    def _accept(self, which: str) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listeners[which].accept()
                zmtp = Zmtp.over(connection, "XPUB" if which == "XPUB" else "ROUTER")
            except OSError:
                continue
            zmtp.socket.settimeout(None)
            threading.Thread(target=self._serve, args=(which, zmtp), daemon=True).start()

    def _serve(self, which: str, zmtp: Zmtp) -> None:
        pour = self.pours.get(which, lambda connection: None)
        try:
            if which == "XPUB":
                self._publish(zmtp, pour)
            elif which == "ROUTER":
                self._answer(zmtp, pour)
            else:
                pour(zmtp)
                self._answer(zmtp, lambda connection: None)
        except OSError:
            pass  # cut

    def _answer(self, zmtp: Zmtp, pour: Callable[[Zmtp], None]) -> None:
        while (parts := zmtp.receive()) is not None:
            for type_, origin, epoch, _, _, body, *_ in frames_of(parts[-1]):
                if type_ == wire.HELLO:
                    zmtp.send(self.frame(wire.WELCOME, self._welcome(body, epoch, origin)))
                elif type_ in self.answers:
                    self.answers[type_](zmtp, body)
            pour(zmtp)

    def _welcome(self, hello: list, epoch: int, asker: int) -> list:
        own = list(hello)
        own[ADDR], own[RANK], own[ROLE] = self.node.addr, self.node.rank, 0
        own[PUBLISH], own[BULK] = self._addr("XPUB"), self._addr("bulk")
        own[wire.STANDING : wire.STANDING + 3] = [epoch, 0, 0]
        own[HEAD] = self.head
        return own

    def frame(self, type_: int, body: list) -> bytes:
        return wire.frame(type_, self.id, EPOCH, 0, 1, body)

    def _publish(self, zmtp: Zmtp, pour: Callable[[Zmtp], None]) -> None:
        for beat in itertools.count(1):
            body = [beat, self.head, bytes(16), None, [], 0, b"", [0, 0], [], True]
            zmtp.send(b"C", self.frame(wire.HEAD, [*body, self.node.rank, False]))
            pour(zmtp)
            if self._stopping.wait(HEAD_EVERY_S):
                return

    def stop(self) -> None:
        self._stopping.set()
        for listener in self._listeners.values():
            listener.close()
