"""Sidecars whose names are looked up in a DNS server of the test's own: a network and a mount
namespace with loopback alone, its resolv.conf, its hosts file, and name_server.py.

    lab = NameLab(mesh)                       before the first start; needs root
    lab.zone["p0.mesh"] = {"a": ["127.0.0.2"]}; lab.tell()
    lab.place(mesh["p0"], "127.0.0.2")        where p0 listens, under the name p0.mesh
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterable

import pytest

from loopback import Mesh, Node, _die_with_parent, wait_until

PORT = 7000


class NameLab:
    def __init__(self, mesh: Mesh, flags: Iterable[object] = (), hosts: str = ""):
        self.mesh = mesh
        self.zone: Dict[str, Dict[str, object]] = {}
        self._folder = mesh.folder
        self._zone_file = self._folder / "zone.json"
        self._resolv = self._folder / "resolv.conf"
        self._hosts = self._folder / "hosts"
        self._resolv.write_text("nameserver 127.0.0.1\n")
        self._hosts.write_text(hosts)
        self.tell()
        self._holder = subprocess.Popen(
            ["unshare", "-n", "-m", "cat"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent,
        )
        wait_until(self._is_inside, "a namespace")
        self._run(["ip", "link", "set", "lo", "up"])
        for ours, theirs in ((self._resolv, "/etc/resolv.conf"), (self._hosts, "/etc/hosts")):
            self._run(["mount", "--bind", str(ours), theirs])
        server = Path(__file__).with_name("name_server.py")
        self._server = subprocess.Popen(
            [*self.inside(), sys.executable, str(server), str(self._zone_file)],
            stdout=subprocess.PIPE,
            preexec_fn=_die_with_parent,
        )
        assert self._server.stdout.readline() == b"listens\n"
        for node in mesh.nodes:
            node.addr = f"{node.name}.mesh:{PORT}"
        for node in mesh.nodes:
            node.flags = [*mesh.common_flags(), "--local-cache-addr", node.addr]
            node.flags += ["--ipc", node.socket, *map(str, flags)]
            node.wrapper = self.inside()

    def _is_inside(self) -> bool:
        if self._holder.poll() is not None:
            pytest.skip(f"namespaces are not allowed here: {self._holder.stderr.read()!r}")
        there = f"/proc/{self._holder.pid}/ns/mnt"
        return os.readlink(there) != os.readlink("/proc/self/ns/mnt")

    def inside(self) -> list:
        return ["nsenter", "-t", str(self._holder.pid), "-n", "-m", "--"]

    def _run(self, command: list) -> None:
        done = subprocess.run([*self.inside(), *command], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"{' '.join(command)}: {done.stderr}")

    def tell(self) -> None:
        """The zone as it is from now on."""
        fresh = self._zone_file.with_suffix(".new")
        fresh.write_text(json.dumps(self.zone))
        fresh.replace(self._zone_file)

    def name(self, node: Node, *numbers: str) -> None:
        six = [number for number in numbers if ":" in number]
        four = [number for number in numbers if ":" not in number]
        self.zone[f"{node.name}.mesh"] = {"a": four, "aaaa": six}
        self.tell()

    def name_all(self) -> None:
        for node in self.mesh.nodes:
            self.name(node, f"127.0.1.{node.rank + 1}")

    def add_address(self, number: str) -> None:
        self._run(["ip", "addr", "add", number, "dev", "lo"])

    def close(self) -> None:
        for process in (self._server, self._holder):
            process.kill()
            process.communicate()
