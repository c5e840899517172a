"""What ./examples/quickstart does before it calls its driver: where it builds, and with what."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "cat", "dirname", "find", "id", "mkdir", "tee", "tput")
NOBODY = 65534


@pytest.fixture
def tree():
    """A copy of what is needed of the tree, with stand-ins for what takes minutes. Not in tmp_path:
    other users are to get there, and each other run of pytest shuts that."""
    with tempfile.TemporaryDirectory() as folder:
        yield make_tree(Path(folder))


def make_tree(tmp_path):
    root = tmp_path / "tree"
    (root / "examples").mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "quickstart", root / "examples" / "quickstart")
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool))
    for path, script in {
        root / "examples" / "install": "exit 0",
        programs / "meson": f'echo "$*" >>"{tmp_path}/calls"',
    }.items():
        path.write_text(f"#!{programs}/bash\n{script}\n")
        path.chmod(0o755)
    # The driver is called by its interpreter's full path.
    driver = f'import os, sys\nopen("{tmp_path}/calls", "a").write(" ".join(sys.argv[1:])'
    driver += ' + f" {os.environ.get(\'RADIXMESH_BUILD\')}\\n")\n'
    (root / "examples" / "quickstart.py").write_text(driver)
    (tmp_path / "calls").write_text("")
    for each in (tmp_path, root, tmp_path / "calls"):
        each.chmod(0o777)
    return tmp_path


def run(tree, *arguments, user=None, **env):
    env = {"PATH": str(tree / "bin"), **env}
    # As another user the copy is reached from within: folders of pytest are closed to others.
    return subprocess.run(
        [tree / "bin" / "bash", "examples/quickstart", *arguments],
        cwd=tree / "tree",
        env=env,
        user=user,
        capture_output=True,
        text=True,
        timeout=60,
    )


def calls(tree):
    return (tree / "calls").read_text().splitlines()


def test_builds_what_it_starts_and_no_tests(tree):
    done = run(tree, "--requests", "5")
    build = tree / "tree" / "build"
    assert done.returncode == 0, done.stderr
    check, setup, compiled, driven = calls(tree)
    assert check == "--check-options --requests 5 None"
    assert setup.startswith(f"setup {build} {tree / 'tree'} --buildtype=release ")
    assert setup.endswith(" -Dtests=false")
    assert compiled == f"compile -C {build} radixmesh-sidecar radixmesh engine"
    assert driven == f"--requests 5 {build}"


def test_builds_into_the_folder_that_is_named(tree):
    build = tree / "elsewhere"
    build.mkdir()
    (build / "build.ninja").touch()
    assert run(tree, RADIXMESH_BUILD=str(build)).returncode == 0
    _, compiled, driven = calls(tree)
    assert compiled == f"compile -C {build} radixmesh-sidecar radixmesh engine"
    assert driven == f" {build}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_another_user_built_is_told_in_a_line(tree):
    build = tree / "tree" / "build"
    (build / "lib").mkdir(parents=True)
    build.chmod(0o777)
    done = run(tree, user=NOBODY)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    told = f"quickstart: {build}/lib cannot be written by nobody, as another user built there: "
    assert done.stderr.startswith(told)
    assert "RADIXMESH_BUILD" in done.stderr
    assert not [call for call in calls(tree) if call.startswith(("setup", "compile"))]

    # What `sudo meson install` leaves there is in nobody's way.
    (build / "lib").chmod(0o777)
    (build / "install-log.txt").touch(0o644)
    assert run(tree, user=NOBODY).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_cannot_be_made_is_told_in_a_line(tree):
    (tree / "tree").chmod(0o755)
    done = run(tree, user=NOBODY)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "RADIXMESH_BUILD" in done.stderr


def test_without_tests_the_tree_configures_nothing_of_them(tmp_path):
    """So what they need need not be there; the quickstart's targets are all the same."""
    build = tmp_path / "build"
    command = ["meson", "setup", str(build), str(ROOT), "-Dtests=false"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "doctest" not in done.stdout
    targets = json.loads((build / "meson-info" / "intro-targets.json").read_text())
    assert not [each["defined_in"] for each in targets if f"{ROOT}/tests/" in each["defined_in"]]
    assert {"radixmesh-sidecar", "radixmesh", "engine"} <= {each["name"] for each in targets}
