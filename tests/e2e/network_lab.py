"""A network namespace for each node and one for a switch between them, made with iproute2.

    lab = NetworkLab(mesh)              before the first start; needs root
    lab.black_hole("p1", "d0")          both ways, silently: routes to nowhere
    lab.cut("p1", "d0")                 one way, silently: p1's frames go to a card that is none
    lab.slow("p1", "256kbit")           its cable, both ways: netem where there is one, else tbf
    lab.link("p1", up=False)            its cable is pulled
    lab.mend("p1")

The namespaces have no names: each lives as long as a process in it, and those end with the test.
"""

from __future__ import annotations

import os
import subprocess
from typing import Dict, Iterable, List

import pytest

from loopback import Mesh, _die_with_parent, wait_until

PORT = 7000
NO_CARD = "02:00:00:00:ff:ff"
SWITCH = "switch"


class NetworkLab:
    def __init__(self, mesh: Mesh, flags: Iterable[object] = ()):
        self._holders: Dict[str, subprocess.Popen] = {}
        self._address = {node.name: f"10.77.0.{node.rank + 1}" for node in mesh.nodes}
        try:
            self._build(list(self._address))
        except BaseException:
            self.close()
            raise
        for node in mesh.nodes:
            node.addr = f"{self._address[node.name]}:{PORT}"
        for node in mesh.nodes:
            node.flags = [*mesh.common_flags(), "--local-cache-addr", node.addr]
            node.flags += ["--ipc", node.socket, *map(str, flags)]
            node.wrapper = self._inside(node.name)

    def _build(self, names: List[str]) -> None:
        for name in (SWITCH, *names):
            self._hold(name)
        self._ip(SWITCH, "link add br0 type bridge", "link set br0 up")
        for name in names:
            pid = self._holders[name].pid
            self._ip(
                SWITCH,
                f"link add {name} type veth peer name eth0 netns {pid}",
                f"link set {name} master br0 up",
            )
            self._ip(
                name,
                "link set lo up",
                f"addr add {self._address[name]}/24 dev eth0",
                "link set eth0 up",
            )

    def _hold(self, name: str) -> None:
        holder = subprocess.Popen(
            ["unshare", "-n", "cat"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent,
        )
        self._holders[name] = holder

        def is_inside() -> bool:
            if holder.poll() is not None:
                pytest.skip(f"network namespaces are not allowed here: {holder.stderr.read()!r}")
            return os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net")

        wait_until(is_inside, f"a namespace for {name}")

    def _inside(self, name: str) -> List[str]:
        return ["nsenter", "-t", str(self._holders[name].pid), "-n", "--"]

    def _ip(self, name: str, *commands: str) -> None:
        subprocess.run(
            [*self._inside(name), "ip", "-batch", "-"],
            input="\n".join(commands) + "\n",
            text=True,
            check=True,
            capture_output=True,
        )

    def _tc(self, name: str, *arguments: str) -> bool:
        command = [*self._inside(name), "tc", "qdisc", *arguments]
        return subprocess.run(command, capture_output=True).returncode == 0

    # ---- faults ----------------------------------------------------------------------------------

    def black_hole(self, one: str, other: str, kind: str = "blackhole") -> None:
        """kind: blackhole, unreachable or prohibit, which differ in what a sender is told."""
        for here, there in ((one, other), (other, one)):
            self._ip(here, f"route add {kind} {self._address[there]}/32")

    def cut(self, here: str, there: str) -> None:
        self._ip(
            here, f"neigh replace {self._address[there]} lladdr {NO_CARD} dev eth0 nud permanent"
        )

    def slow(self, name: str, rate: str) -> str:
        """What it was done with."""
        kinds = (
            ("netem", "delay", "50ms", "rate", rate),
            ("tbf", "rate", rate, "burst", "16kb", "latency", "400ms"),
        )
        for kind in kinds:
            if all(self._tc(*end, "root", *kind) for end in self._ends(name, "replace")):
                return kind[0]
        pytest.skip("neither netem nor tbf in this kernel")

    def _ends(self, name: str, verb: str) -> List[List[str]]:
        return [[name, verb, "dev", "eth0"], [SWITCH, verb, "dev", name]]

    def link(self, name: str, up: bool) -> None:
        self._ip(SWITCH, f"link set {name} {'up' if up else 'down'}")

    def mend(self, name: str) -> None:
        """All that was done to the links of this node."""
        self.link(name, up=True)
        for end in self._ends(name, "del"):
            self._tc(*end, "root")
        pairs = [(name, other) for other in self._address if other != name]
        for here, there in pairs + [(there, here) for here, there in pairs]:
            for command in ("route del {}/32", "neigh del {} dev eth0"):
                line = command.format(self._address[there]).split()
                subprocess.run([*self._inside(here), "ip", *line], capture_output=True)

    def close(self) -> None:
        for holder in self._holders.values():
            holder.kill()
            holder.communicate()
