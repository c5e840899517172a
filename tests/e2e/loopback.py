"""Sidecars as real processes on loopback: started, watched, killed, and always ended.

Addresses are reserved before the first start and stay reserved: each is held by a socket that is
bound but never listens. The kernel then gives the port to nobody who asks for any port, while the
sidecar, whose own socket reuses addresses as ours does, can listen there. So meshes may run side by
side, and an address may be named long before its node is started.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Set

import radixmesh

READY_S_MAX = 20.0
AGREE_S_MAX = 20.0
STOP_S_MAX = 10.0  # what a sidecar is given after SIGTERM, whatever clients it has
POLL_S = 0.02
PR_SET_PDEATHSIG = 1
LETTER = {"prefill": "p", "decode": "d", "unified": "u", "router": "r"}

_libc = ctypes.CDLL(None, use_errno=True)
_meshes = itertools.count()


def binary(name: str = "radixmesh-sidecar") -> str:
    repository = Path(__file__).resolve().parents[2]
    build = Path(os.environ.get("RADIXMESH_BUILD", repository / "build"))
    folder = "sidecar" if name == "radixmesh-sidecar" else "tests/e2e"
    return str(build / folder / name)


def wait_until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> object:
    """The condition's first true value; fails with `what` where there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(POLL_S)  # tidy: backoff


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Reservation:
    """A loopback address that nobody else gets while this object lives."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.addr = f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self._socket.close()


def run_sidecar(
    arguments: Sequence[object], env: Optional[Dict[str, str]] = None, **more: object
) -> subprocess.CompletedProcess:
    """A sidecar that is expected to end by itself."""
    return subprocess.run(
        [binary(), *map(str, arguments)],
        env={**_clean_environment(), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        preexec_fn=_die_with_parent,
        **more,
    )


def _clean_environment() -> Dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("RADIXMESH_")}


class Node:
    """One member: its address from the beginning, its process from start() on."""

    def __init__(self, name: str, role: str, rank: int, folder: Path):
        self.name = name
        self.role = role
        self.rank = rank
        self.socket = str(folder / f"{name}.sock")
        self.log = folder / f"{name}.log"
        self.reservation = Reservation()
        self.addr = self.reservation.addr
        self.program = binary()
        self.wrapper: List[str] = []  # a command that ends in becoming the sidecar
        self.flags: List[str] = []
        self.env: Dict[str, str] = {}
        self._process: Optional[subprocess.Popen] = None
        self._client: Optional[radixmesh.Mesh] = None

    def start(self) -> Node:
        assert not self.running
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*self.wrapper, self.program, *self.flags],
                env={**_clean_environment(), **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def client(self) -> radixmesh.Mesh:
        """A connection kept for the tests' own questions."""
        if self._client is None:
            self._client = self.connect()
        return self._client

    def connect(self, timeout: float = 10.0) -> radixmesh.Mesh:
        return radixmesh.connect(self.socket, timeout=timeout)

    def disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def answers(self) -> bool:
        self.check_running()
        try:
            return bool(self.client.status())
        except ConnectionError:
            self.disconnect()
            return False

    def ready(self) -> bool:
        return self.answers() and bool(self.client.status()["ready"])

    def check_running(self) -> None:
        assert self._process is not None, f"{self.name} was never started"
        code = self._process.poll()
        assert code is None, f"{self.name} ended with {code}: {self.last_words()}"

    def last_words(self, lines: int = 5) -> str:
        return " | ".join(self.lines()[-lines:]) or "it said nothing"

    def lines(self) -> List[str]:
        if not self.log.exists():
            return []
        return self.log.read_text(errors="replace").splitlines()

    def wait_said(self, *words: str, seconds: float = 10.0) -> str:
        """The first line of its log with all these words. A line comes after what it tells of: a
        thread of its own writes the log."""

        def said() -> Optional[str]:
            return next((x for x in self.lines() if all(word in x for word in words)), None)

        return wait_until(said, f"{self.name} says {' '.join(words)}", seconds)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and gone when this returns."""
        self.disconnect()
        if self.running:
            self.signal(signal.SIGKILL)
            self._process.wait()
        self._process = None

    def stop(self) -> int:
        """SIGTERM; the exit code. Fails if it takes too long."""
        self.signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop on SIGTERM") from None
        finally:
            self.disconnect()

    def wait_ended(self, seconds: float = STOP_S_MAX) -> int:
        """The exit code of one that was told to go; it may be started again after that."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds:g} s") from None
        self.disconnect()
        self._process = None
        return code

    def memory_bytes(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def listening_ports(self) -> Set[int]:
        """All TCP ports that the process listens on: control, bulk, publish."""
        inodes = set()
        for entry in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                target = os.readlink(entry)
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        ports = set()
        for line in Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].partition(":")[2], 16))
        return ports


class Mesh:
    """A mesh's nodes in rank order: prefill, decode, unified, router. Nothing runs before start().

    `flags` and `env` are for all nodes; a node's own may be changed before it is started.
    """

    def __init__(self, folder: Path, flags: Iterable[object] = (), **counts: int):
        self.is_attacked = False  # by who sends messages without end
        self.cluster = f"e2e-{os.getpid()}-{next(_meshes)}"
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.nodes: List[Node] = []
        for role, letter in LETTER.items():
            for index in range(counts.pop(role, 0)):
                self.nodes.append(Node(f"{letter}{index}", role, len(self.nodes), folder))
        assert not counts
        for node in self.nodes:
            node.flags = [*self.common_flags(), "--local-cache-addr", node.addr]
            node.flags += ["--ipc", node.socket, *map(str, flags)]

    def add(self, name: str, role: str, *members: Node, flags: Iterable[object] = ()) -> Node:
        """One more node, which stands in no list and asks these members to be let in."""
        node = Node(name, role, -1, self.folder)
        node.flags = ["--cluster", self.cluster, "--role", role]
        node.flags += ["--join", ",".join(member.addr for member in members)]
        node.flags += ["--local-cache-addr", node.addr, "--ipc", node.socket, *map(str, flags)]
        self.nodes.append(node)
        return node

    def common_flags(self) -> List[str]:
        lists = ["--cluster", self.cluster]
        for role in LETTER:
            members = [node.addr for node in self.nodes if node.role == role]
            if members:
                lists += [f"--{role}-cache-nodes", ",".join(members)]
        return lists

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    @property
    def running(self) -> List[Node]:
        return [node for node in self.nodes if node.running]

    @property
    def holders(self) -> List[Node]:
        return [node for node in self.nodes if node.role != "router"]

    def start(self, *names: str) -> Mesh:
        """Starts these, or all, in this order, and waits until they are ready."""
        nodes = [self[name] for name in names] or self.nodes
        for node in nodes:
            node.start()
        self.wait_ready(*nodes)
        return self

    def wait_ready(self, *nodes: Node) -> None:
        for node in nodes:
            wait_until(node.ready, f"{node.name} is ready", READY_S_MAX)

    def wait_alive(self, *nodes: Node) -> None:
        """Until each of these, or all that run, sees all that run alive."""
        addrs = {node.addr for node in self.running}
        for node in nodes or self.running:
            wait_until(
                lambda node=node: addrs <= alive_at(node),
                f"{node.name} sees all others alive",
            )

    def picture(self, node: Node) -> Dict[str, object]:
        """What must be equal on all nodes that agree."""
        status = node.client.status()
        return {key: status[key] for key in ("version_vector", "digests")}

    def agree(self) -> bool:
        pictures = [self.picture(node) for node in self.running]
        return all(each == pictures[0] for each in pictures)

    def wait_agree(self, seconds: float = AGREE_S_MAX) -> Dict[str, object]:
        """The picture that all running nodes share."""
        deadline = time.monotonic() + seconds
        while not self.agree():
            if time.monotonic() > deadline:
                shown = "\n".join(f"{node.name}: {self.picture(node)}" for node in self.running)
                raise AssertionError(f"no agreement within {seconds:g} s:\n{shown}")
            time.sleep(POLL_S)  # tidy: backoff
        return self.picture(self.running[0])

    def close(self) -> List[str]:
        """Ends all; how they did not run or end as they should, one line each."""
        complaints = []
        for node in self.nodes:
            if not self.is_attacked and any("event=endless_message" in x for x in node.lines()):
                complaints.append(f"{node.name} cut a connection of its peers")
        for node in self.nodes:
            if node._process is None:
                continue
            if not node.running:
                code = node._process.poll()
                complaints.append(f"{node.name} had ended with {code}: {node.last_words()}")
                node.disconnect()
                continue
            node.signal(signal.SIGCONT)
            node.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S_MAX
        for node in self.nodes:
            if node.running:
                try:
                    code = node._process.wait(max(0.0, deadline - time.monotonic()))
                    if code != 0:
                        complaints.append(f"{node.name} ended with {code}: {node.last_words()}")
                except subprocess.TimeoutExpired:
                    complaints.append(f"{node.name} did not stop on SIGTERM")
                    node.kill()
            node.disconnect()
            node.reservation.close()
        return complaints

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()
            node.reservation.close()


def alive_at(node: Node) -> Set[str]:
    return {member.addr for member in node.client.nodes() if member.state == "alive"}
