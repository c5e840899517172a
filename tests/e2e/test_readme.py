"""What README.md and sidecar/OPERATING.md say to type works, one block after the other."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from loopback import Reservation, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RADIXMESH_BUILD", ROOT / "build"))
README = (ROOT / "README.md").read_text()
PAGES = README + (ROOT / "sidecar" / "OPERATING.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGES, re.DOTALL | re.MULTILINE)
TIMEOUT_S = 60
QUICKSTART_S = 600  # it builds first, though nothing is left to build after tests/run
PORT = "127.0.0.1:5001"


def installed_in(folder):
    """The folder for libraries below the one that stands for /."""
    options = json.loads((BUILD / "meson-info" / "intro-buildoptions.json").read_text())
    value = {option["name"]: option["value"] for option in options}
    return folder / value["prefix"].lstrip("/") / value["libdir"]


class Reader:
    """Someone who types the page into terminals that all stand in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.reservation = Reservation()
        self.installed = folder / "installed"
        self.sidecar = None

    def typed(self, text):
        """Other names of folders and of the port, for those of the page may be in use."""
        text = re.sub(r"(?<![\w/])build/", f"{BUILD}/", text)
        text = text.replace("./examples/quickstart", f"{ROOT}/examples/quickstart --requests 20")
        text = text.replace(
            "sudo meson install -C build",
            f"meson install -C {BUILD} --no-rebuild --destdir {self.installed}",
        )
        return text.replace(PORT, self.reservation.addr)

    def environment(self):
        paths = [str(ROOT / "ipc" / "python"), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        # Where pkg-config looks by itself, had it been installed without a folder before that.
        environment["PKG_CONFIG_PATH"] = str(installed_in(self.installed) / "pkgconfig")
        environment["PKG_CONFIG_SYSROOT_DIR"] = str(self.installed)
        environment["RADIXMESH_BUILD"] = str(BUILD)
        environment.pop("RADIXMESH_SOCKET", None)
        return environment

    def run(self, *command, timeout=TIMEOUT_S):
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, code):
        return self.run(sys.executable, "-c", code)

    def cpp(self, code):
        (self.folder / "page.cpp").write_text(code)
        return ""

    def toml(self, text):
        (self.folder / "page.toml").write_text(self.typed(text))
        program = str(BUILD / "sidecar" / "radixmesh-sidecar")
        return self.run(program, "--config", "page.toml", "--check-config")

    def sh(self, script):
        """A sidecar goes on beside what follows, unless it is asked for its configuration."""
        if script == "./tests/run\n":
            return ""  # this test would be in it
        script = self.typed(script)
        if "radixmesh-sidecar --" in script and "-config" not in script:
            return self.start(script)
        slow = "quickstart" in script
        return self.run("bash", "-euc", script, timeout=QUICKSTART_S if slow else TIMEOUT_S)

    def start(self, script):
        with open(self.folder / "log", "wb") as log:
            self.sidecar = subprocess.Popen(
                ["bash", "-c", f"exec {script}"],
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
            )
        wait_until((self.folder / "p0.sock").exists, "the node by hand has its socket")
        return ""

    def leave(self):
        if self.sidecar is not None:
            self.sidecar.send_signal(signal.SIGTERM)
            self.sidecar.wait(TIMEOUT_S)
        self.reservation.close()


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each block printed, by its number, run one after the other."""
    reader = Reader(tmp_path_factory.mktemp("m"))
    try:
        yield {
            number: getattr(reader, language)(text)
            for number, (language, text) in enumerate(BLOCKS)
        }
        assert reader.sidecar.poll() is None
    finally:
        reader.leave()


def output_of(outputs, words):
    """Of the one block in which these words stand."""
    (number,) = [i for i, (_, text) in enumerate(BLOCKS) if words in text]
    return outputs[number]


def test_the_quickstart_of_the_page_ends_well(outputs):
    table = output_of(outputs, "./examples/quickstart")
    assert re.search("^requests +20$", table, re.MULTILINE)
    assert re.search("^all replicas agree +yes$", table, re.MULTILINE)
    explained = README.partition("| line | what it tells |")[2].partition("\n\n")[0]
    words = ", ".join(re.findall(r"^\| ([a-z, ]+) \|", explained, re.MULTILINE)).split(", ")
    labels = [line[:20].strip() for line in table.splitlines() if line[:20].strip()]
    assert sorted(words) == sorted(labels)


def test_the_python_of_the_page(outputs):
    lines = output_of(outputs, "import radixmesh").splitlines()
    assert lines[0].startswith("64 ") and "127.0.0.1:" in lines[0]
    assert lines[1] == "64"
    assert lines[2] == "True"
    assert "1048" in lines[4]


def test_the_c_plus_plus_of_the_page_compiles_with_the_command_of_the_page(outputs):
    assert output_of(outputs, "pkg-config").endswith(" has 64 tokens\n")


def test_the_command_lines_of_the_page_find_what_the_python_cached(outputs):
    told = output_of(outputs, "export RADIXMESH_SOCKET")
    assert "local_length  3 of 3 tokens\n" in told
    assert "1 member: 1 alive\n" in told
    assert "equal: 1 of 1 nodes are equal" in told


def test_what_is_installed_runs_and_is_all_that_is_needed(outputs, tmp_path_factory):
    command = next(text for language, text in BLOCKS if "meson install" in text)
    assert "pkg-config --cflags --libs radixmesh" in command
    folder = tmp_path_factory.mktemp("i")
    subprocess.run(
        ["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", folder],
        check=True,
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    for name in ("radixmesh", "radixmesh-sidecar"):
        (program,) = folder.rglob(f"bin/{name}")
        subprocess.run([program, "--version"], check=True, timeout=TIMEOUT_S)
    (include,) = folder.rglob("include/radixmesh")
    for header in include.rglob("*.h"):
        for name in re.findall(r'^#include "(.*)"', header.read_text(), re.MULTILINE):
            assert (include / name).exists(), f"{header.name} includes {name}"


@pytest.mark.parametrize("command", ["./examples/quickstart", "./tests/run"])
def test_the_two_commands_are_there(command):
    assert f"\n{command}\n" in README
    assert os.access(ROOT / command, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / command], check=True, timeout=TIMEOUT_S)


def test_the_options_of_the_page_are_those_of_the_program():
    sidecar = ROOT / "build" / "sidecar" / "radixmesh-sidecar"
    text = subprocess.run([sidecar, "--help"], capture_output=True, text=True, check=True).stdout
    _, _, section = README.partition("## Configure and operate")
    named = set(re.findall(r"^\| (`--[^|]*)", section.partition("\n## ")[0], re.MULTILINE))
    options = {option for cell in named for option in re.findall(r"`(--[a-z-]+)`", cell)}
    assert len(options) > 15
    for option in options:
        assert re.search(rf"{option}\b", text), option
