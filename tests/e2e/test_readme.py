"""What README.md says to type works, as it stands there."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
TIMEOUT_S = 60


def block(heading, language):
    """The first block of that language after the heading."""
    _, _, rest = README.partition(f"\n### {heading}\n")
    assert rest, heading
    return re.search(rf"```{language}\n(.*?)```", rest, re.DOTALL).group(1)


@pytest.fixture
def node(mesh_of):
    """The mesh of one that the page starts by hand, with its socket."""
    mesh = mesh_of(prefill=1).start()
    return mesh["p0"]


def environment(node):
    path = os.pathsep.join([str(ROOT / "ipc" / "python"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "RADIXMESH_SOCKET": str(node.socket)}


def test_the_python_of_the_page(node):
    code = block("From Python", "python").replace("p0.sock", str(node.socket))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(node),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("64 ") and node.addr in lines[0]
    assert lines[1] == "64"
    assert lines[2] == "True"
    assert "1048" in lines[4]


def test_the_c_plus_plus_of_the_page_compiles(tmp_path):
    source = tmp_path / "page.cpp"
    source.write_text(block("From C++", "cpp"))
    command = ["c++", "-std=c++20", "-DMSGPACK_NO_BOOST", f"-I{ROOT}", "-fsyntax-only", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr


def test_the_command_lines_of_the_page(node):
    script = block("From the command line", "sh").replace("p0.sock", str(node.socket))
    for line in script.splitlines():
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=ROOT,
            env=environment(node),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout or line.startswith("export")


@pytest.mark.parametrize("command", ["./examples/quickstart", "./tests/run"])
def test_the_two_commands_are_there(command):
    assert f"\n{command}\n" in README
    assert os.access(ROOT / command, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / command], check=True, timeout=TIMEOUT_S)


def test_the_options_of_the_page_are_those_of_the_program():
    sidecar = ROOT / "build" / "sidecar" / "radixmesh-sidecar"
    text = subprocess.run([sidecar, "--help"], capture_output=True, text=True, check=True).stdout
    _, _, section = README.partition("## Configure and operate")
    named = set(re.findall(r"^\| (`--[^|]*)", section.partition("- **Starting")[0], re.MULTILINE))
    options = {option for cell in named for option in re.findall(r"`(--[a-z-]+)`", cell)}
    assert len(options) > 15
    for option in options:
        assert re.search(rf"{option}\b", text), option
