"""The Unix socket as sidecars see it: whose the path is, who is let in, and closed descriptors."""

import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import radixmesh
from loopback import Node, run_sidecar, wait_until

IN_USE = 69
HANDOVERS = 25


class Rival(Node):
    """A mesh of one at a path that it does not have for itself."""

    def __init__(self, name, path):
        super().__init__(name, "prefill", 0, path.parent)
        self.socket = str(path)
        lists = ["--prefill-cache-nodes", self.addr, "--local-cache-addr", self.addr]
        self.flags = [*lists, "--ipc", self.socket, "--cluster", self.addr]

    def has_the_path(self):
        """None while it is neither in nor out."""
        if not self.running:
            assert self.wait_ended() == IN_USE, self.last_words()
            return False
        try:
            with self.connect() as mesh:
                return mesh.status()["addr"] == self.addr or None
        except (ConnectionError, OSError):
            return None


@pytest.fixture
def rivals(short_folder):
    nodes = [Rival(name, short_folder / "one.sock") for name in ("a", "b")]
    yield nodes
    for node in nodes:
        node.kill()
        node.reservation.close()


def get_in(node):
    """Starts it again and again, as a supervisor would, until the path is its own."""

    def try_once():
        if node._process is None:
            node.start()
        return node.has_the_path()

    wait_until(try_once, f"{node.name} has the path", 30)


def test_two_sidecars_fight_for_one_path(rivals):
    """The path goes to and fro, by SIGTERM and by SIGKILL; whoever has got it keeps it."""
    draw = random.Random(1)
    old = rivals[0]
    get_in(old)
    for _, new in zip(range(HANDOVERS), itertools.cycle([rivals[1], rivals[0]])):
        number = draw.choice([signal.SIGTERM, signal.SIGTERM, signal.SIGKILL])
        new.start()  # in the midst of the other one's end, or before it
        old.disconnect()
        old.signal(number)
        get_in(new)
        assert old.wait_ended() == (0 if number == signal.SIGTERM else -number)
        assert new.has_the_path(), "the old one took nothing with it"
        old = new
    assert old.stop() == 0
    old._process = None
    assert not os.path.exists(old.socket) and not os.path.exists(f"{old.socket}.lock")


def test_a_live_one_is_refused_though_its_socket_file_is_gone(rivals):
    live, other = rivals
    get_in(live)
    os.unlink(live.socket)
    assert run_sidecar(other.flags).returncode == IN_USE
    assert not os.path.exists(live.socket)


# ---- who is let in -------------------------------------------------------------------------------

ASK = """
import os, sys
sys.path.insert(0, sys.argv[1])
import radixmesh
os.setgroups([int(group) for group in sys.argv[3].split(",")])
os.setgid(54321)
os.setuid(54321)
with radixmesh.connect(sys.argv[2]) as mesh:
    print(mesh.status()["addr"])
"""


def ask_as(groups, path):
    package = Path(radixmesh.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", ASK, package, path, ",".join(map(str, groups))],
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.fixture
def open_folder():
    """Unlike pytest's own, other users may pass through it."""
    with tempfile.TemporaryDirectory(prefix="radixmesh-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a member of any group")
@pytest.mark.parametrize("others", [0, 255, 256, 300, 5000])
def test_a_member_of_the_group_is_let_in_whatever_else_it_is_a_member_of(open_folder, others):
    node = Rival("a", open_folder / "a.sock")
    try:
        get_in(node)
        groups = [*range(100000, 100000 + others), os.stat(node.socket).st_gid]
        done = ask_as(groups, node.socket)
        assert (done.returncode, done.stdout) == (0, f"{node.addr}\n"), done.stderr
        assert ask_as(groups[:-1] or [54321], node.socket).returncode != 0
    finally:
        node.kill()
        node.reservation.close()


# ---- standard descriptors that are closed --------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_sidecar_with_closed_descriptors_gives_their_numbers_to_no_socket(short_folder, closed):
    node = Rival("a", short_folder / "a.sock")
    node.wrapper = ["sh", "-c", f'exec "$@" {closed}', "-"]
    try:
        get_in(node)
        for number, text in enumerate(["<&-", ">&-", "2>&-"]):
            target = os.readlink(f"/proc/{node.pid}/fd/{number}")
            assert not target.startswith(("socket:", "anon_inode:")), (number, target)
            assert text not in closed.split() or target == "/dev/null"
        assert node.stop() == 0
        node._process = None
    finally:
        node.kill()
        node.reservation.close()
