"""Puts TCP proxies between the nodes of a loopback mesh, a set of them for each ordered pair.

A node is found at the one address that stands in everybody's lists, and its other two addresses
are announced by itself. So all three are made names, `p1.steered:port`, and each sidecar runs in a
mount namespace with an /etc/hosts of its own: its own name is 127.0.0.1, another's is an address of
127.0.0.0/8 that only it is given, where the proxies listen at the same ports.
"""

from __future__ import annotations

import itertools
import os
import random
import subprocess
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Tuple

import pytest

from loopback import Mesh, Node, Reservation, wait_until
from tcp_proxy import TcpProxy

PORTS = 3  # control, publish, bulk
_WITH_HOSTS = 'mount --bind "$1" /etc/hosts && exec "${@:2}"'


def wrapper_of(hosts: Path) -> List[str]:
    # Who is not root is root in a user namespace of its own.
    flag = "-m" if os.geteuid() == 0 else "-rm"
    return ["unshare", flag, "bash", "-c", _WITH_HOSTS, "-", str(hosts)]


def skip_without_mount_namespaces(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.77 a.steered\n")
    outcome = subprocess.run(
        [*wrapper_of(hosts), "getent", "hosts", "a.steered"], capture_output=True, text=True
    )
    if "127.0.0.77" not in outcome.stdout:
        pytest.skip(f"mount namespaces are not allowed here: {outcome.stderr.strip()}")


class SteeredMesh:
    def __init__(self, mesh: Mesh, flags: Iterable[object] = ()):
        self.mesh = mesh
        self._proxies: Dict[Tuple[str, str], List[TcpProxy]] = {}
        self._publish = {node.name: Reservation() for node in mesh.nodes}
        # Which part of 127.0.0.0/8: so that tests that run side by side do not meet.
        part = "127.{}.{}".format(*(random.SystemRandom().randrange(1, 255) for _ in range(2)))
        hosts = itertools.count(1)
        self._address = {
            (here.name, there.name): f"{part}.{next(hosts)}"
            for here, there in itertools.permutations(mesh.nodes, 2)
        }
        for node in mesh.nodes:
            node.addr = f"{node.name}.steered:{node.reservation.port}"
        for node in mesh.nodes:
            publish = f"{node.name}.steered:{self._publish[node.name].port}"
            node.flags = [*mesh.common_flags(), "--local-cache-addr", node.addr]
            node.flags += ["--publish-addr", publish, "--ipc", node.socket, *map(str, flags)]
            node.wrapper = wrapper_of(self._hosts(node))

    def _hosts(self, node: Node) -> Path:
        lines = ["127.0.0.1 localhost", f"127.0.0.1 {node.name}.steered"]
        for (here, there), address in self._address.items():
            if here == node.name:
                lines.append(f"{address} {there}.steered")
        path = self.mesh.folder / f"{node.name}.hosts"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self) -> SteeredMesh:
        for node in self.mesh.nodes:
            node.start()
        for node in self.mesh.nodes:
            wait_until(node.answers, f"{node.name} answers")
            # The bulk port is known only now; peers try again until a proxy listens there.
            ports = sorted(node.listening_ports())
            assert len(ports) == PORTS, ports
            for other in self.mesh.nodes:
                if other is not node:
                    self._open(other, node, ports)
        self.mesh.wait_ready(*self.mesh.nodes)
        return self

    def _open(self, here: Node, there: Node, ports: List[int]) -> None:
        address = self._address[here.name, there.name]
        self._proxies[here.name, there.name] = [
            TcpProxy((address, port), ("127.0.0.1", port)) for port in ports
        ]

    def from_(self, name: str) -> Iterator[TcpProxy]:
        """Those over which that node reaches others."""
        return self._chosen(0, name)

    def to(self, name: str) -> Iterator[TcpProxy]:
        """Those over which others reach it."""
        return self._chosen(1, name)

    def around(self, name: str) -> Iterator[TcpProxy]:
        return itertools.chain(self.from_(name), self.to(name))

    def _chosen(self, end: int, name: str) -> Iterator[TcpProxy]:
        return (
            proxy
            for pair, proxies in self._proxies.items()
            if pair[end] == name
            for proxy in proxies
        )

    def mend(self, name: str) -> None:
        for proxy in self.around(name):
            proxy.go_on()
            proxy.accept()

    def close(self) -> None:
        for proxies in self._proxies.values():
            for proxy in proxies:
                proxy.close()
        for reservation in self._publish.values():
            reservation.close()
