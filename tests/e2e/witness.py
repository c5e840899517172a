"""Proof that an attack changed nothing: the sidecar lives, answers soon, and holds what it held."""

from __future__ import annotations

import time

from loopback import Mesh, Node

ANSWER_S_MAX = 1.0
# Freed memory is kept by the allocator, and buffers are bounded: room for one attack's worth of
# both, far less than what an attack that leaks would take.
GROWTH_BYTES_MAX = 300 * 1024 * 1024


class Witness:
    """`with Witness(mesh, node):` around an attack on `node`."""

    def __init__(self, mesh: Mesh, node: Node, growth_bytes_max: int = GROWTH_BYTES_MAX):
        self._mesh = mesh
        self._node = node
        self._growth_bytes_max = growth_bytes_max

    def __enter__(self) -> Witness:
        self._pid = self._node.pid
        self._picture = self._mesh.wait_agree()
        self._tree = self._node.client.tree(limit=1000)
        self._memory = self._node.memory_bytes()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.check()

    def check(self) -> None:
        self._node.check_running()
        assert self._node.pid == self._pid
        begin = time.monotonic()
        with self._node.connect() as client:
            client.status()
            self._node.client.match_prefix([1, 2, 3])
        assert time.monotonic() - begin < ANSWER_S_MAX
        assert self._mesh.wait_agree() == self._picture
        assert self._node.client.tree(limit=1000) == self._tree
        assert self._node.memory_bytes() - self._memory < self._growth_bytes_max

    def counters(self) -> dict:
        status = self._node.client.status()
        return {**status, **status["counters"]}
