"""Nodes behind mapped ports, as containers and firewalls have them: each binds at 127.0.0.1 and
announces an address of its own in 127.0.0.0/8 with other ports, where the mapper, TCP proxies of
the test, lets in what it is told to.

    mesh = MappedMesh(mesh_of(prefill=2))          before the first start
    mesh.close_port("p1", "bulk"); mesh.open_port("p1", "bulk")
"""

from __future__ import annotations

import random
from typing import Dict, Iterable, Tuple

from loopback import Mesh, Reservation
from tcp_proxy import TcpProxy

PORTS = {"control": 7000, "publish": 7001, "bulk": 7002}


class MappedMesh:
    def __init__(self, mesh: Mesh, flags: Iterable[object] = (), closed: Iterable[str] = ()):
        self.mesh = mesh
        part = "127.{}.{}".format(*(random.SystemRandom().randrange(1, 255) for _ in range(2)))
        self._host = {node.name: f"{part}.{node.rank + 1}" for node in mesh.nodes}
        self._bound: Dict[Tuple[str, str], Reservation] = {}
        self._proxies: Dict[Tuple[str, str], TcpProxy] = {}
        for node in mesh.nodes:
            node.addr = f"{self._host[node.name]}:{PORTS['control']}"
        for node in mesh.nodes:
            node.flags = [*mesh.common_flags(), "--ipc", node.socket, *map(str, flags)]
            for option, bind, which in (
                ("--local-cache-addr", "--bind", "control"),
                ("--publish-addr", "--publish-bind", "publish"),
                ("--bulk-addr", "--bulk-bind", "bulk"),
            ):
                bound = self._bound[node.name, which] = Reservation()
                node.flags += [option, f"{self._host[node.name]}:{PORTS[which]}"]
                node.flags += [bind, bound.addr]
                if which not in closed:
                    self.open_port(node.name, which)

    def open_port(self, name: str, which: str) -> None:
        self._proxies[name, which] = TcpProxy(
            (self._host[name], PORTS[which]), ("127.0.0.1", self._bound[name, which].port)
        )

    def close_port(self, name: str, which: str) -> None:
        self._proxies.pop((name, which)).close()

    def close(self) -> None:
        for proxy in self._proxies.values():
            proxy.close()
        for bound in self._bound.values():
            bound.close()
