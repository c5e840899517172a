"""A member that had joined and is gone for good is forgotten by an operator's word."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import radixmesh
from loopback import binary, wait_until

CLI = str(Path(binary()).parents[1] / "cli" / "radixmesh")


def member_remove(node, addr):
    command = [CLI, "--socket", node.socket, "member", "remove", addr]
    return subprocess.run(command, capture_output=True, text=True)


def knows(node, addr) -> bool:
    return addr in [each.addr for each in node.client.nodes()]


def state(node, addr) -> str:
    return next(each.state for each in node.client.nodes() if each.addr == addr)


def test_all_forget_who_joined_and_died(mesh_of):
    mesh = mesh_of(prefill=2, router=1).start()
    joiner = mesh.add("j0", "decode", mesh["p0"])
    mesh.start("j0")
    mesh.wait_alive()
    joiner.client.insert([7] * 16, [(0, 16)])
    mesh.wait_agree()
    p0, p1, r0 = mesh["p0"], mesh["p1"], mesh["r0"]

    refused = member_remove(p1, joiner.addr)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{joiner.addr} is alive: drain it" in refused.stderr
    for addr, rule in (
        (p0.addr, "stands in the lists: only who joined can be removed"),
        (p1.addr, "is this node itself: drain it"),
        ("10.0.0.9:1", "is no member here"),
    ):
        with pytest.raises(radixmesh.FixRequest, match=f"{addr} {rule}"):
            p1.client.member_remove(addr)

    joiner.kill()
    wait_until(lambda: state(p1, joiner.addr) == "suspect", "j0 is suspect at p1")
    wait_until(lambda: state(p1, joiner.addr) == "dead", "j0 is dead at p1")
    for node in (p0, r0):
        wait_until(lambda node=node: state(node, joiner.addr) == "dead", "j0 is dead")
    done = member_remove(p1, joiner.addr)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{joiner.addr} is forgotten\n"
    for node in (p0, p1, r0):
        wait_until(lambda node=node: not knows(node, joiner.addr), f"{node.name} has forgotten it")
        node.wait_said(f"event=member_removed node={joiner.addr}")
    mesh.wait_agree()

    # It may come back, as somebody new.
    mesh.start("j0")
    mesh.wait_alive()
    mesh.wait_agree()
    joiner.client.drain()
    assert joiner.wait_ended() == 0
    assert p0.client.member_remove(joiner.addr) == 0.0
    for node in (p0, p1, r0):
        wait_until(lambda node=node: not knows(node, joiner.addr), f"{node.name} has forgotten it")
