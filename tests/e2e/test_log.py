"""The log holds up nobody: not a pipe that nobody reads, nor a signal that tells it something."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import time

import pytest

from loopback import alive_at, wait_until

F_SETPIPE_SZ = 1031
REQUESTS_WHILE_FULL = 50


@pytest.fixture
def unread_pipe(short_folder):
    """The path of a pipe that is open and of which nobody reads."""
    path = short_folder / "log.pipe"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    fcntl.fcntl(held, F_SETPIPE_SZ, 4096)
    yield path
    os.close(held)


def test_a_log_that_nobody_reads_stops_nobody(mesh_of, unread_pipe):
    mesh = mesh_of(prefill=2)
    victim = mesh["p0"]
    victim.log = unread_pipe
    victim.lines = lambda: []
    victim.start()
    mesh["p1"].start()
    mesh.wait_ready(*mesh.nodes)
    mesh.wait_alive()

    def floods() -> bool:
        for _ in range(100):
            victim.signal(signal.SIGHUP)
        return victim.client.status()["log_lines_dropped"] > 0

    wait_until(floods, "lines are dropped", 60)
    for i in range(REQUESTS_WHILE_FULL):
        victim.client.insert([i] * 16, [(i * 16, 16)])
    assert alive_at(mesh["p1"]) == {node.addr for node in mesh.nodes}
    mesh.wait_agree()
    assert victim.stop() == 0
    victim._process = None


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM])
def test_signals_that_mean_nothing_end_nothing(mesh_of, number):
    mesh = mesh_of(prefill=1).start()
    node = mesh["p0"]
    node.signal(number)
    node.wait_said(f"signal_ignored signal={int(number)}")
    assert node.answers()


def test_sighup_reads_the_level_of_the_log_again(mesh_of, short_folder):
    mesh = mesh_of(prefill=1)
    node = mesh["p0"]
    config = short_folder / "sidecar.toml"
    config.write_text('log-level = "info"\n')
    node.flags += ["--config", str(config)]
    mesh.start()
    config.write_text('log-level = "error"\n')
    node.signal(signal.SIGHUP)
    node.wait_said("reloaded log_level=error")
    config.write_text("log-level = 5\n")
    node.signal(signal.SIGHUP)
    node.wait_said("not_reloaded")
    assert node.answers()


def test_debug_counts_frames_by_type_once_a_second(mesh_of):
    mesh = mesh_of(prefill=2)
    p0, p1 = mesh.nodes
    p0.flags += ["--log-level", "debug"]
    mesh.start()
    mesh.wait_alive()
    begin = time.monotonic()
    for i in range(500):
        p1.client.insert([i] * 16, [(i * 16, 16)])
    frames = [" event=frames ", 'in="INSERT ', "HEARTBEAT", ' out="', "HEAD "]
    p0.wait_said(*frames)
    lines = [line for line in p0.lines() if "event=frames" in line]
    assert len(lines) <= time.monotonic() - begin + 20
    counts = [re.search(r'in="INSERT (\d+)', line) for line in lines]
    assert sum(int(count[1]) for count in counts if count) <= 500
    assert not [line for line in p1.lines() if "event=frames" in line]
