"""examples/install and tests/install: silent where nothing is missing, one clear line where they
cannot help.

dpkg-query, apt-get and sudo are stand-ins: the first tells of what a file lists, the second adds to
it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALL = ROOT / "examples" / "install"
TESTS_INSTALL = ROOT / "tests" / "install"
SCRIPTS = [INSTALL, TESTS_INSTALL]


def listed(script):
    return re.findall(r"^  ([a-z0-9+-]+) +# ", script.read_text(), re.MULTILINE)


PACKAGES = listed(INSTALL)
FOR_TESTS = listed(TESTS_INSTALL)

DPKG_QUERY = """#!/bin/bash
while read -r package; do echo "$package ii "; done <"$STATE/installed"
echo "dpkg-query: no packages found matching the rest" >&2
exit 1
"""
APT_GET = """#!/bin/bash
echo "apt-get $* [$DEBIAN_FRONTEND]" >>"$STATE/calls"
[[ " $* " == *" update "* ]] && exit "${UPDATE_EXIT:-0}"
[[ -n ${INSTALL_EXIT:-} ]] && { echo "E: no network"; exit "$INSTALL_EXIT"; }
for argument in "$@"; do echo "$argument"; done >>"$STATE/installed"
"""
SUDO = """#!/bin/bash
echo sudo >>"$STATE/calls"
exec "$@"
"""


@pytest.fixture
def machine(tmp_path):
    """Runs a script on a machine with these programs and all but these packages."""

    def run(
        missing=(), programs=("dpkg-query", "apt-get"), arguments=(), script=INSTALL, **env
    ):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for tool in ("bash", "dirname", "env", "grep", "mktemp", "rm", "tail"):
            (folder / tool).unlink(missing_ok=True)
            (folder / tool).symlink_to(shutil.which(tool))
        stand_ins = {"dpkg-query": DPKG_QUERY, "apt-get": APT_GET, "sudo": SUDO}
        for program in programs:
            (folder / program).write_text(stand_ins[program])
            (folder / program).chmod(0o755)
        installed = [each for each in PACKAGES + FOR_TESTS if each not in missing]
        (tmp_path / "installed").write_text("".join(f"{p}\n" for p in installed))
        (tmp_path / "calls").write_text("")
        env = {"PATH": str(folder), "STATE": str(tmp_path), "TMPDIR": str(tmp_path), **env}
        done = subprocess.run(
            [str(script), *arguments], env=env, capture_output=True, text=True, timeout=60
        )
        return done, (tmp_path / "calls").read_text().splitlines()

    return run


def needs_root():
    return pytest.mark.skipif(os.geteuid() != 0, reason="asks for root's way of installing")


def test_each_package_stands_once_in_one_list_with_a_reason():
    everything = PACKAGES + FOR_TESTS
    assert "g++" in PACKAGES and "doctest-dev" in FOR_TESTS
    assert len(everything) == len(set(everything))
    for script in SCRIPTS:
        array = script.read_text().split("packages=(\n")[1].split("\n)\n")[0]
        assert len(array.splitlines()) == len(listed(script))


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_silent_where_nothing_is_missing(machine, script):
    done, calls = machine(script=script)
    assert (done.returncode, done.stdout, done.stderr, calls) == (0, "", "", [])


def test_the_quickstart_needs_nothing_of_the_tests(machine):
    done, calls = machine(missing=FOR_TESTS)
    assert (done.returncode, done.stderr, calls) == (0, "", [])


@needs_root()
def test_tests_install_both(machine):
    done, calls = machine(missing=["meson", "clang"], script=TESTS_INSTALL)
    assert done.returncode == 0
    assert done.stderr == "install: installing meson\ninstall: installing clang\n"
    assert len(calls) == 4


@needs_root()
def test_installs_what_is_missing_and_only_that(machine):
    done, calls = machine(missing=["meson", "python3"])
    assert done.returncode == 0
    assert done.stderr == "install: installing meson python3\n"
    assert calls == [
        "apt-get -qq -o DPkg::Lock::Timeout=120 update [noninteractive]",
        "apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends meson python3"
        " [noninteractive]",
    ]


@needs_root()
def test_a_source_out_of_reach_does_not_stop_it(machine):
    done, calls = machine(missing=["meson"], UPDATE_EXIT="100")
    assert done.returncode == 0 and len(calls) == 2


@needs_root()
def test_what_cannot_be_installed_is_said_with_the_command(machine):
    done, _ = machine(missing=["meson"], INSTALL_EXIT="100")
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[-2] == "E: no network"
    assert said[-1].startswith("install: missing: meson; could not be installed")
    assert said[-1].endswith("run as root: apt-get install --no-install-recommends meson")


def test_without_dpkg_it_says_what_is_needed_and_lets_the_build_decide(machine):
    done, _ = machine(programs=())
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1 and "libzmq3-dev" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_takes_no_arguments(machine, script):
    done, calls = machine(arguments=["--help"], script=script)
    assert (done.returncode, calls) == (2, [])
    assert done.stderr.endswith("install: takes no arguments\n")
