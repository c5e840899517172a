"""Two processes that claim one address: whoever answers there stays, the other is told, and both
sides log it."""

from __future__ import annotations

import signal

from loopback import wait_until


def test_the_second_claimant_is_refused_and_both_sides_say_so(mesh_of):
    mesh = mesh_of(prefill=3, flags=["--bind", "127.0.0.1"]).start()
    mesh.wait_alive()
    p0, p1, p2 = mesh.nodes
    p0.client.insert([1] * 16, [(0, 16)])
    mesh.wait_agree()

    # The same member by its flags, bound elsewhere: as on another host that took the address over.
    twin = mesh.add("twin", "prefill", p0)
    bound_at = twin.addr
    twin.addr = p0.addr
    twin.flags = [bound_at if flag == "127.0.0.1" else flag for flag in p0.flags]
    twin.flags[twin.flags.index("--ipc") + 1] = twin.socket
    twin.start()

    reason = "another process answers at the address"
    for node in (p1, p2):
        node.wait_said("event=refused ", reason, seconds=20)
    # With its next HELLO.
    twin.wait_said("event=refused_by ", reason, seconds=45)
    wait_until(twin.answers, "the claimant answers its engine")
    assert not twin.client.status()["ready"]
    # The first is none the worse for it.
    assert p0.client.status()["ready"]
    p0.client.insert([2] * 16, [(16, 16)])
    for node in (p1, p2):
        wait_until(
            lambda node=node: node.client.match_prefix([2] * 16, touch=False).depths
            == {p0.addr: 16},
            f"{node.name} hears of p0's ops",
        )
    twin.signal(signal.SIGTERM)
    assert twin.wait_ended() == 0
    mesh.wait_agree()
