"""What the program radixmesh says of real meshes that are well, and of those that are not."""

import os
import subprocess

from loopback import binary, wait_until

CLI = os.path.join(os.path.dirname(os.path.dirname(binary())), "cli", "radixmesh")
COLUMNS = 80


def asked(node, *arguments):
    command = [CLI, "--socket", node.socket, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    assert all(len(line) <= COLUMNS for line in done.stdout.splitlines())
    return done


def test_check_tells_a_mesh_that_is_well_from_one_that_is_not(mesh_of):
    mesh = mesh_of(prefill=2, decode=1, router=1).start()
    mesh.wait_alive()
    router, victim = mesh["r0"], mesh["p1"]
    for verb in ("status", "nodes"):
        wait_until(lambda verb=verb: asked(router, verb, "--check").returncode == 0, f"{verb} well")
    assert "4 members: 4 alive\n" in asked(router, "nodes").stdout

    victim.kill()
    for verb in ("status", "nodes"):
        wait_until(lambda verb=verb: asked(router, verb, "--check").returncode == 3, f"{verb} not")
        assert asked(router, verb).returncode == 0
    wait_until(
        lambda: "! 1 member is dead: rank 1\n" in asked(router, "status").stdout,
        "the dead one is named",
        20,
    )
    victim.start()
    wait_until(lambda: asked(router, "status", "--check").returncode == 0, "well again", 20)


def test_every_field_is_there_on_demand(mesh_of):
    mesh = mesh_of(prefill=1, router=1).start()
    mesh.wait_alive()
    status = mesh["r0"].client.status()
    told = subprocess.run(
        [CLI, "--socket", mesh["r0"].socket, "status", "--all"], capture_output=True, text=True
    ).stdout
    for name in [*status, *status["counters"]]:
        assert f"{name} " in told or f"\n{name}\n" in told or name in ("version_vector", "digests")
    assert "{" not in told and "[" not in told, "no raw JSON"
