"""A random schedule of deaths, pauses, departures and arrivals, from a seed.

Each thing that is done to a node is undone after a while: what was killed or drained is started
again, what was stopped goes on, who joined leaves. `settle()` undoes what is still to be undone.
An engine makes no call while its sidecar cannot answer; all other engines go on.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from typing import Callable, Dict, List, Optional, Tuple

from modelled_engine import Engine
from loopback import READY_S_MAX, Mesh, Node, wait_until

DISTURBED_MAX = 3  # of 9: the rest can still tell that it is not itself that is cut off
JOINED_MAX = 2
BURST_STEPS = 20  # right before a kill, so that it finds ops on their way


class Upheaval:
    """`step()` does one thing to the mesh. `engines` is by the name of the node, and grows."""

    def __init__(
        self,
        mesh: Mesh,
        engines: Dict[str, Engine],
        seed: int,
        spared: Tuple[str, ...],
        work: Callable[[Engine], None],
        flags: List[object],
    ):
        self.mesh = mesh
        self.engines = engines
        self.done: Counter = Counter()
        self.lost_ops: Counter = Counter()  # by what was done; they never left the sidecar
        self.burst_ops = 0  # that were done right before a kill
        self._chance = random.Random(f"upheaval {seed}")
        self._seed = seed
        self._spared = spared
        self._work = work
        self._flags = flags
        self._disturbed: Dict[str, Tuple[float, Callable[[], None]]] = {}
        self._joined: List[Node] = []

    # ---- the schedule ----------------------------------------------------------------------------

    def run(self, seconds: float, pause_s: float) -> None:
        """A thing every `pause_s` or so; things take time themselves."""
        end = time.monotonic() + seconds
        clock = threading.Event()
        while time.monotonic() < end:
            for engine in list(self.engines.values()):
                if engine.failure is not None:
                    raise AssertionError(f"the engine of {engine.node.name}") from engine.failure
            self.undo_what_is_due()
            if len(self._disturbed) < DISTURBED_MAX:
                self.step()
            clock.wait(self._chance.uniform(0, 2 * pause_s))

    def step(self) -> None:
        self._chance.choice(
            (
                self._kill,
                self._kill,
                self._kill_with_engine,
                self._pause,
                self._pause,
                self._drain,
                self._join,
                self._leave,
            )
        )()

    def undo_what_is_due(self, now: float = -1.0) -> None:
        now = time.monotonic() if now < 0 else now
        for name, (due, undo) in list(self._disturbed.items()):
            if now >= due:
                del self._disturbed[name]
                undo()

    def settle(self) -> None:
        self.undo_what_is_due(float("inf"))

    def _later(self, node: Node, longest_s: float, undo: Callable[[], None]) -> None:
        due = time.monotonic() + self._chance.uniform(0, longest_s)
        self._disturbed[node.name] = (due, undo)

    def _victim(self, kind: str, spare: bool = True) -> Node:
        """Counted under `kind`."""
        able = [node for node in self.mesh.running if node.name not in self._disturbed]
        able = [node for node in able if not (spare and node.name in self._spared)]
        self.done[kind] += 1
        return self._chance.choice([node for node in able if node not in self._joined])

    # ---- what happens ----------------------------------------------------------------------------

    def _kill(self) -> None:
        """The sidecar alone: its engine lives on, and says so by its token."""
        node = self._victim("killed")
        self._unplug(node, lambda: self._amid_a_burst(node))
        self._later(node, 6.0, lambda: self._start_again(node, "killed"))

    def _amid_a_burst(self, node: Node) -> None:
        engine = self.engines.get(node.name)
        if engine is not None:
            self.burst_ops += BURST_STEPS
            for _ in range(BURST_STEPS):
                engine.step()
            engine.detach()
        node.kill()

    def _kill_with_engine(self) -> None:
        """The new engine has a token of its own, or says none."""
        node = self._victim("killed with engine")
        self._unplug(node, node.kill)
        if node.name in self.engines:
            token = self._chance.choice((None, b"another %d" % self.done.total()))
            self.engines[node.name].begin_anew(token)
        self._later(node, 6.0, lambda: self._start_again(node, "killed with engine"))

    def _drain(self) -> None:
        node = self._victim("drained")
        self._unplug(node, lambda: node.signal(signal.SIGTERM))
        assert node.wait_ended() == 0
        self._later(node, 6.0, lambda: self._start_again(node, "drained"))

    def _pause(self) -> None:
        node = self._victim("stopped", spare=False)
        engine = self.engines.get(node.name)
        if engine is not None:
            engine.lock.acquire()
        node.signal(signal.SIGSTOP)

        def go_on() -> None:
            node.signal(signal.SIGCONT)
            if engine is not None:
                engine.lock.release()

        self._later(node, 8.0, go_on)

    def _join(self) -> None:
        if len(self._joined) == JOINED_MAX:
            return self._leave()
        self.done["joined"] += 1
        asked = [node for node in self.mesh.running if node.name not in self._disturbed]
        name = f"j{self.done['joined']}"
        role = self._chance.choice(("prefill", "decode"))
        node = self.mesh.add(name, role, *self._chance.sample(asked, 2), flags=self._flags).start()
        self._joined.append(node)
        engine = Engine(node, f"{self._seed} {name}", name.encode())
        wait_until(node.ready, f"{name} is ready", READY_S_MAX)
        engine.attach()
        self.engines[name] = engine
        self._work(engine)

    def _leave(self) -> None:
        if not self._joined:
            return self._join()
        self.done["left"] += 1
        node = self._joined.pop(0)
        engine = self.engines.pop(node.name)
        self._unplug(node, node.client.drain, engine)
        assert node.wait_ended() == 0

    # ---- a node and its engine -------------------------------------------------------------------

    def _unplug(
        self, node: Node, then: Callable[[], object], engine: Optional[Engine] = None
    ) -> None:
        engine = engine or self.engines.get(node.name)
        if engine is None:
            then()
            return
        with engine.lock:
            then()
            engine.detach()

    def _start_again(self, node: Node, kind: str) -> None:
        node.start()
        wait_until(node.answers, f"{node.name} answers", READY_S_MAX)
        engine = self.engines.get(node.name)
        if engine is None:
            return
        with engine.lock:
            before = engine.lost_ops
            engine.attach()
            # Without a token the sidecar cannot know that it is the same engine, and begins empty.
            if engine.token is not None:
                self.lost_ops[kind] += engine.lost_ops - before
