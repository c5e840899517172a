"""The program radixmesh against two real sidecars of one mesh."""

import json
import socket
import subprocess

import pytest

import radixmesh as client
from test_cli_program import BUILD, ENV, PROGRAM, radixmesh

SIDECAR = BUILD / "sidecar" / "radixmesh-sidecar"
ENGINE = BUILD / "examples" / "engine"
TRIES_MAX = 2000  # a try is a program's start, so this is seconds, and never reached


def free_addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    addresses = ["127.0.0.1:%d" % each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return addresses


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    """(addresses, socket paths), once both are ready."""
    folder = tmp_path_factory.mktemp("mesh")
    addresses, paths = free_addresses(2), [str(folder / name) for name in ("a", "b")]
    options = ["--unified-cache-nodes", ",".join(addresses), "--page-size", "4", "--cluster", "cli"]
    processes = []
    try:
        for addr, path in zip(addresses, paths):
            command = [SIDECAR, *options, "--local-cache-addr", addr, "--ipc", path]
            with open(path + ".log", "wb") as log:
                processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=ENV))
        for path in paths:
            until(lambda: radixmesh("--json", "status", socket=path), '"ready":true')
        yield addresses, paths
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


def until(run, told):
    for _ in range(TRIES_MAX):
        done = run()
        if told in done.stdout:
            return done
    raise AssertionError(done.stdout + done.stderr)


def test_the_example_engine_and_every_verb(mesh):
    addresses, paths = mesh
    engine = subprocess.run([ENGINE, paths[0]], capture_output=True, text=True, timeout=30)
    assert engine.stderr == ""
    assert engine.stdout == f"""\
weather: 32 tokens, 0 cached, 32 stored anew
sports: 40 tokens, 16 cached, 24 stored anew
  evicted 8 tokens to make room
weather, turn 2: 48 tokens, 32 cached, 16 stored anew

what is cached where:
  weather: 32 of 32 tokens at {addresses[0]}
  sports: 32 of 40 tokens at {addresses[0]}
  weather, turn 2: 48 of 48 tokens at {addresses[0]}
"""
    done = until(lambda: radixmesh("diff", *paths), "equal: 2 of 2 nodes are equal")
    assert done.returncode == 0

    for path in paths:  # what is at one is seen from both
        match = json.loads(radixmesh("--json", "match", "1,2,3,4,5", socket=path).stdout)
        assert match["depths"] == {addresses[0]: 4}
        # As soon as it has heard that the holder is ready.
        until(lambda path=path: radixmesh("route", "1,2,3,4", socket=path), f"{addresses[0]}     ")
        nodes = json.loads(radixmesh("nodes", "--json", socket=path).stdout)
        assert [(node["addr"], node["state"]) for node in nodes] == [
            (addr, "alive") for addr in addresses
        ]
        entries = radixmesh("tree", "--holder", addresses[0], socket=path).stdout
        assert entries.endswith("tree_tokens 64\n")
        assert "tree_tokens 64\n" in radixmesh("tree", socket=path).stdout
        assert radixmesh("ping", socket=path).returncode == 0


def test_tail_sees_an_op_of_the_other_node(mesh):
    addresses, paths = mesh
    command = [PROGRAM, "--socket", paths[1], "tail", "--count", "1"]
    tail = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENV)
    with client.connect(paths[0]) as engine:
        for i in range(TRIES_MAX):  # until it has subscribed
            engine.insert([900 + i] * 4, [(4 * i, 4)])
            try:
                out, _ = tail.communicate(timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                pass
    assert out.startswith(f"op {addresses[0]} INSERT tokens 4 seq ")
    assert tail.returncode == 0


def test_an_unknown_holder_is_refused(mesh):
    done = radixmesh("tree", "--holder", "127.0.0.1:1", socket=mesh[1][0])
    assert done.returncode == 1
    assert done.stderr.startswith("radixmesh: fix_request: ")


def test_another_page_size_is_told(mesh, tmp_path):
    (addr,) = free_addresses(1)
    path = str(tmp_path / "c")
    command = [SIDECAR, "--unified-cache-nodes", addr, "--local-cache-addr", addr, "--ipc", path]
    other = subprocess.Popen([*command, "--page-size", "16"], stderr=subprocess.DEVNULL, env=ENV)
    try:
        until(lambda: radixmesh("diff", mesh[1][0], path), "page_size")
        done = radixmesh("diff", mesh[1][0], path)
        assert done.returncode == 1
        assert "differs" in done.stdout
    finally:
        other.terminate()
        other.wait(20)
