"""Starts a mesh of sidecars on loopback and ends it again, whatever happens in between.

    3 prefill, 2 decode, 1 router; ports chosen by the system, sockets and logs in a temporary
    folder that goes with the mesh.

Three nets hold the children: the context manager stops them on any way out, Ctrl-C included; they
are in sessions of their own, so that a terminal's Ctrl-C reaches only the driver, which then stops
them in order; and the kernel kills them should the driver itself be killed. A mesh that is to be
kept lacks the last: it must outlive the driver, once all went well.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Callable, Dict, Iterator, List, Sequence

from gateway.failure import Failure

ROLES = ("prefill", "prefill", "prefill", "decode", "decode", "router")
READY_S_MAX = 30.0
# A sidecar leaves within 10 s whatever its clients do; the rest is for a busy machine.
STOP_S_MAX = 15.0
LAUNCHES_MAX = 5
REAP_S_MAX = 0.5
POLL_S = 0.01
LOG_LINES_SHOWN = 5
CALL_S_MAX = 60.0
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class AddressTaken(Failure):
    """Somebody took a port between its choice and its use: choose again."""


class Sidecar:
    """One process, its address, and the connection to it once it is ready (`client`)."""

    def __init__(
        self, addr: str, role: str, command: Sequence[str], folder: str, name: str, keep: bool
    ):
        self._keep = keep
        self.addr = addr
        self.role = role
        self.socket = os.path.join(folder, f"{name}.sock")
        self._log = os.path.join(folder, f"{name}.log")
        self._command = [*command, "--local-cache-addr", addr, "--ipc", self.socket]
        self._process: subprocess.Popen | None = None
        self.client = None

    def start(self) -> None:
        with open(self._log, "ab") as log:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=None if self._keep else _die_with_parent,
                )
            except OSError as error:
                raise Failure(f"cannot start {self._command[0]}: {error.strerror}") from error

    def check_alive(self) -> None:
        """Failure with its last words if the process is gone."""
        code = self._process.poll()
        if code is None:
            return
        words = self._last_words()
        kind = AddressTaken if "in use" in words.lower() else Failure
        raise kind(f"the {self.role} sidecar {self.addr} ended with {_ending(code)}: {words}")

    def wait_ready(self, connect: Callable, deadline: float) -> None:
        while True:
            self.check_alive()
            state = "its socket does not answer"
            try:
                self.client = self.client or connect(self.socket, timeout=CALL_S_MAX)
                if self.client.status()["ready"]:
                    return
                state = "it answers, but is not ready"
            # Builtin classes: the client's own errors of this kind are these, too.
            except (ConnectionError, FileNotFoundError):
                self.disconnect()
            if time.monotonic() > deadline:
                raise Failure(f"the {self.role} sidecar {self.addr} did not get ready: {state}")
            time.sleep(POLL_S)  # tidy: backoff

    def disconnect(self) -> None:
        if self.client is not None:
            # It may be the loss of this very connection that brought us here.
            with contextlib.suppress(OSError):
                self.client.close()
            self.client = None

    def ask_to_stop(self) -> None:
        self.disconnect()
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def wait_stopped(self, deadline: float) -> str:
        """How it did not end as it should, in words; empty if it did."""
        if self._process is None:
            return ""
        try:
            code = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            return f"the {self.role} sidecar {self.addr} did not stop on SIGTERM and was killed"
        if code:
            words = self._last_words()
            return f"the {self.role} sidecar {self.addr} ended with {_ending(code)}: {words}"
        return ""

    def kill(self) -> None:
        """kill -9, and gone when this returns."""
        self.disconnect()
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        with open(self._log, encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return " | ".join(lines[-LOG_LINES_SHOWN:]) or "it said nothing"


class LoopbackMesh:
    """The six sidecars in order of rank. Made by `loopback_mesh`."""

    def __init__(
        self, binary: str, flags: Sequence[str], folder: str, connect: Callable, keep: bool = False
    ):
        self._binary = binary
        self._flags = list(flags)
        self.folder = folder
        self._keep = keep
        self._connect = connect
        self.sidecars: List[Sidecar] = []
        # Sidecars that did not end as they should, one line each; known once stopped.
        self.bad_endings: List[str] = []

    @property
    def clients(self) -> Dict[str, object]:
        return {sidecar.addr: sidecar.client for sidecar in self.sidecars}

    def of_role(self, role: str) -> List[Sidecar]:
        return [sidecar for sidecar in self.sidecars if sidecar.role == role]

    def start(self) -> None:
        """All six, ready; again with other ports where one was taken in the meantime."""
        for launch in range(1, LAUNCHES_MAX + 1):
            try:
                self._start_once(launch)
                return
            except AddressTaken:
                if launch == LAUNCHES_MAX:
                    raise
                self.stop()

    def _start_once(self, launch: int) -> None:
        addrs = _free_addrs(len(ROLES))
        command = [self._binary, *self._flags]
        # A name of its own keeps other meshes of this machine out, whatever ports they have.
        command += ["--cluster", f"quickstart-{os.getpid()}-{launch}"]
        for role in dict.fromkeys(ROLES):
            members = [addr for addr, its_role in zip(addrs, ROLES) if its_role == role]
            command += [f"--{role}-cache-nodes", ",".join(members)]
        self.sidecars = [
            Sidecar(addr, role, command, self.folder, f"{launch}-{role}-{rank}", self._keep)
            for rank, (addr, role) in enumerate(zip(addrs, ROLES))
        ]
        for sidecar in self.sidecars:
            sidecar.start()
        deadline = time.monotonic() + READY_S_MAX
        for sidecar in self.sidecars:
            sidecar.wait_ready(self._connect, deadline)

    def restart(self, sidecar: Sidecar) -> None:
        """kill -9 and a new start at the same address, with nothing left of its former state."""
        sidecar.kill()
        deadline = time.monotonic() + READY_S_MAX
        while True:
            sidecar.start()
            try:
                sidecar.wait_ready(self._connect, deadline)
                return
            except AddressTaken:
                # The kernel may hold the dead process's port for a moment.
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)  # tidy: backoff

    def check_alive(self) -> None:
        """Failure if one of them is gone. A dying one closes its socket before it can be reaped,
        so who comes here because of a lost connection must look for a moment."""
        deadline = time.monotonic() + REAP_S_MAX
        while time.monotonic() < deadline:
            for sidecar in self.sidecars:
                sidecar.check_alive()
            time.sleep(POLL_S)  # tidy: backoff

    def disconnect(self) -> None:
        for sidecar in self.sidecars:
            sidecar.disconnect()

    def stop(self) -> None:
        for sidecar in self.sidecars:
            sidecar.ask_to_stop()
        deadline = time.monotonic() + STOP_S_MAX
        endings = [sidecar.wait_stopped(deadline) for sidecar in self.sidecars]
        self.bad_endings = [ending for ending in endings if ending]
        self.sidecars = []


@contextlib.contextmanager
def loopback_mesh(
    binary: str, flags: Sequence[str], connect: Callable, keep: bool = False
) -> Iterator[LoopbackMesh]:
    """A running mesh, all nodes ready; stopped on the way out. `connect` is the client's.

    With `keep` it is stopped only where the way out is an exception; else it goes on, and its
    folder stays.
    """
    folder = tempfile.mkdtemp(prefix="radixmesh-")
    mesh = LoopbackMesh(binary, flags, folder, connect, keep)
    try:
        mesh.start()
        yield mesh
    except BaseException:
        keep = False
        raise
    finally:
        if keep:
            mesh.disconnect()
        else:
            mesh.stop()
            shutil.rmtree(folder)


def _free_addrs(count: int) -> List[str]:
    """Held all at once, so that no two are the same; free again on return."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            holder = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            holder.bind(("127.0.0.1", 0))
            ports.append(holder.getsockname()[1])
    return [f"127.0.0.1:{port}" for port in ports]


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
