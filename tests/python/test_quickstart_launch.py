"""Starting and ending the quickstart's mesh, with a stand-in for the sidecar.

The stand-in reads the flags as the sidecar does, makes a file where its socket would be, and obeys
SIGTERM; what else it does, each test says. `connect` below is content with the file.
"""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

from gateway import launch  # noqa: E402
from gateway.failure import Failure  # noqa: E402
from gateway.launch import ROLES, loopback_mesh  # noqa: E402

STAND_IN = """\
#!/usr/bin/python3
import os, signal, sys
flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
addr, ipc = flags["--local-cache-addr"], flags["--ipc"]
role, rank = os.path.basename(ipc)[:-len(".sock")].split("-")[1:]
folder = os.path.dirname(os.path.abspath(sys.argv[0]))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
with open(os.path.join(folder, "pids"), "a") as pids:
    pids.write(f"{os.getpid()}\\n")
with open(os.path.join(folder, "starts"), "a") as starts:
    starts.write(f"{rank} {' '.join(sys.argv[1:])}\\n")
def once(name):
    path = os.path.join(folder, name)
    if os.path.exists(path):
        return False
    open(path, "w").close()
    return True
BEHAVIOUR
open(ipc, "w").close()
while True:
    signal.pause()
"""


class Client:
    def __init__(self, path, timeout):
        if not os.path.exists(path):
            raise FileNotFoundError(path)

    def status(self):
        return {"ready": True}

    def close(self):
        pass


@pytest.fixture
def stand_in(tmp_path):
    def make(behaviour=""):
        path = tmp_path / "sidecar"
        path.write_text(STAND_IN.replace("BEHAVIOUR", textwrap.dedent(behaviour)))
        path.chmod(0o755)
        return str(path)

    return make


def pids(tmp_path):
    return [int(pid) for pid in (tmp_path / "pids").read_text().split()]


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Dead, but not yet reaped by whoever inherited it.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)  # tidy: backoff


def test_starts_six_with_the_same_lists_and_stops_them(stand_in, tmp_path):
    with loopback_mesh(stand_in(), ["--page-size", "16"], Client) as mesh:
        assert [sidecar.role for sidecar in mesh.sidecars] == list(ROLES)
        addrs = list(mesh.clients)
        assert len(set(addrs)) == 6
        mesh.check_alive()
    starts = dict(line.split(" ", 1) for line in (tmp_path / "starts").read_text().splitlines())
    for rank, flags in starts.items():
        assert f"--local-cache-addr {addrs[int(rank)]} " in flags
        assert f"--prefill-cache-nodes {','.join(addrs[:3])} " in flags
        assert f"--decode-cache-nodes {','.join(addrs[3:5])} " in flags
        assert f"--router-cache-nodes {addrs[5]} " in flags
        assert "--page-size 16 " in flags
    assert len(starts) == 6
    assert mesh.bad_endings == []
    assert all(map(is_gone, pids(tmp_path)))


def test_a_mesh_that_is_kept_goes_on(stand_in, tmp_path):
    try:
        with loopback_mesh(stand_in(), [], Client, keep=True) as mesh:
            pass
        assert not any(map(is_gone, pids(tmp_path)))
        assert sorted(os.listdir(mesh.folder))[-1].endswith(".sock")
    finally:
        for pid in pids(tmp_path):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(mesh.folder)


def test_a_mesh_that_was_to_be_kept_is_stopped_where_something_failed(stand_in, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with loopback_mesh(stand_in(), [], Client, keep=True) as mesh:
            raise KeyboardInterrupt
    assert all(map(is_gone, pids(tmp_path)))
    assert not os.path.exists(mesh.folder)


def test_a_sidecar_that_dies_at_the_start_is_named_with_its_last_words(stand_in, tmp_path):
    binary = stand_in("if rank == '3': print('no such option', file=sys.stderr); sys.exit(64)")
    with pytest.raises(Failure) as failure:
        with loopback_mesh(binary, [], Client):
            pytest.fail("it must not start")
    assert "the decode sidecar 127.0.0.1:" in str(failure.value)
    assert "ended with exit code 64: no such option" in str(failure.value)
    assert all(map(is_gone, pids(tmp_path)))


def test_a_taken_port_is_tried_again_with_others(stand_in, tmp_path):
    binary = stand_in("if rank == '1' and once('taken'): sys.exit('address already in use')")
    with loopback_mesh(binary, [], Client) as mesh:
        assert len(mesh.clients) == 6
    assert all(map(is_gone, pids(tmp_path)))


def test_ports_that_stay_taken_are_a_failure(stand_in):
    with pytest.raises(Failure, match="in use"):
        with loopback_mesh(stand_in("sys.exit('address already in use')"), [], Client):
            pytest.fail("it must not start")


def test_one_that_never_gets_ready_is_a_failure(stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "READY_S_MAX", 0.3)
    with pytest.raises(Failure, match="did not get ready: its socket does not answer"):
        with loopback_mesh(stand_in("if rank == '5': signal.pause()"), [], Client):
            pytest.fail("it must not start")
    assert all(map(is_gone, pids(tmp_path)))


def test_no_binary_is_a_failure(tmp_path):
    with pytest.raises(Failure, match="cannot start .*No such file"):
        with loopback_mesh(str(tmp_path / "absent"), [], Client):
            pytest.fail("it must not start")


def test_an_exception_inside_stops_all(stand_in, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with loopback_mesh(stand_in(), [], Client):
            raise KeyboardInterrupt
    assert all(map(is_gone, pids(tmp_path)))


def test_one_that_ignores_sigterm_is_killed_and_told_of(stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "STOP_S_MAX", 0.3)
    binary = stand_in("if rank == '4': signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with loopback_mesh(binary, [], Client) as mesh:
        pass
    (ending,) = mesh.bad_endings
    assert "did not stop on SIGTERM and was killed" in ending
    assert all(map(is_gone, pids(tmp_path)))


def test_restart_kills_and_starts_at_the_same_address(stand_in, tmp_path):
    with loopback_mesh(stand_in(), [], Client) as mesh:
        victim = mesh.sidecars[0]
        addr = victim.addr
        (tmp_path / "pids").write_text("")
        # The stand-in leaves its file behind, as a killed sidecar leaves its socket.
        mesh.restart(victim)
        wait_until(lambda: len(pids(tmp_path)) == 1)
        assert victim.addr == addr and victim.client is not None
        assert not is_gone(pids(tmp_path)[0])
    assert mesh.bad_endings == []


def test_a_killed_driver_leaves_nobody_behind(stand_in, tmp_path):
    driver = tmp_path / "driver.py"
    driver.write_text(
        textwrap.dedent(
            f"""
            import signal, sys
            sys.path[:0] = [{str(EXAMPLES)!r}, {str(Path(__file__).parent)!r}]
            from gateway.launch import loopback_mesh
            from test_quickstart_launch import Client
            with loopback_mesh({stand_in()!r}, [], Client):
                print("ready", flush=True)
                signal.pause()
            """
        )
    )
    # Killed like this it cannot remove its folder: that goes with the test's.
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, str(driver)], stdout=subprocess.PIPE, env=env)
    try:
        assert process.stdout.readline() == b"ready\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    wait_until(lambda: all(map(is_gone, pids(tmp_path))))
