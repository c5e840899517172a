"""How tests run the program radixmesh, a sidecar that behaves and knows what it shows; --help."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from fake_sidecar import ADDR, PEER, FakeSidecar

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("RADIXMESH_BUILD", ROOT / "build"))
PROGRAM = BUILD / "cli" / "radixmesh"
EPOCH = 1700000000000000
DIGEST = "00ff"
ENV = {name: value for name, value in os.environ.items() if name != "RADIXMESH_SOCKET"}


class WholeSidecar(FakeSidecar):
    """A FakeSidecar whose status has all that `radixmesh` compares; tests change `shown`."""

    def __init__(self, path):
        self.shown = {
            "addr": ADDR,
            "rank": 0,
            "epoch": EPOCH,
            "cluster": "test",
            "ready": True,
            "page_size": 2,
            "local_tokens": 1234567,
            "memory_bytes": 1234567,
            "version_vector": {ADDR: [EPOCH, 2], PEER: [0, 0]},
            "digests": {ADDR: DIGEST, PEER: "0000"},
            "counters": {"gaps": 3},
        }
        super().__init__(path)

    def status(self):
        return self.shown


def radixmesh(*arguments, socket=None, stdin=b"", env=None):
    """Runs to the end; the process with returncode, and stdout and stderr as text."""
    command = [PROGRAM, *(["--socket", socket] if socket else []), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, env=env or ENV, capture_output=True, timeout=30)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


def start(sidecar, *arguments):
    command = [PROGRAM, "--socket", sidecar.path, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=ENV)


def text_of(sidecar, *arguments):
    done = radixmesh(*arguments, socket=sidecar.path)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def json_of(sidecar, *arguments):
    text = text_of(sidecar, "--json", *arguments)
    assert text.count("\n") == 1
    return json.loads(text)


def test_help_names_verbs_and_exit_codes():
    done = radixmesh("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for verb in ("status", "nodes", "match", "route", "tree", "tail", "ping", "diff"):
        assert f"\n  {verb} " in done.stdout
    for code in ("0 ", "1 ", "2 ", "3 ", "64 "):
        assert f"\n  {code}" in done.stdout
    assert radixmesh("tree", "--help").stdout.count("--holder") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["status"]], ids=str)
def test_an_output_that_cannot_be_written(tmp_path, arguments):
    with WholeSidecar(tmp_path / "a.sock") as sidecar, open("/dev/full", "wb") as full:
        command = [PROGRAM, "--socket", sidecar.path, *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=ENV)
    told = "radixmesh: cannot write: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, told)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["status"], ["nodes"]], ids=str)
@pytest.mark.parametrize("closed", [">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_closed_output_is_told_and_nothing_goes_to_the_sidecar_instead(
    tmp_path, arguments, closed
):
    with WholeSidecar(tmp_path / "a.sock") as sidecar:
        script = f'exec "$@" {closed}'
        command = ["sh", "-c", script, "-", PROGRAM, "--socket", sidecar.path, *arguments]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=ENV, timeout=30)
        told = "" if "2>" in closed else "radixmesh: cannot write: Bad file descriptor\n"
        assert (done.returncode, done.stderr) == (2, told)
        # Whatever else had come there would have been no request: FakeSidecar fails on close.
        assert {method for method, _ in sidecar.requests} <= {"status", "nodes"}


def test_a_closed_input_is_told(tmp_path):
    with WholeSidecar(tmp_path / "a.sock") as sidecar:
        command = ["sh", "-c", 'exec "$@" <&-', "-", PROGRAM, "--socket", sidecar.path]
        done = subprocess.run([*command, "match", "-"], capture_output=True, text=True, env=ENV)
        assert (done.returncode, done.stdout) == (64, "")
        assert done.stderr == "radixmesh: stdin: Bad file descriptor\n"


def test_a_closed_stderr_changes_no_exit_code(tmp_path):
    command = ["sh", "-c", 'exec "$@" 2>&-', "-", PROGRAM, "--socket", tmp_path / "none", "status"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
