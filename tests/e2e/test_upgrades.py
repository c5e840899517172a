"""What the README says about upgrades and about settings that must be equal everywhere, walked
through with requests coming in all the while: each finds a node, and no engine's cache is lost."""

from __future__ import annotations

import itertools
import signal
import threading
from typing import Dict, List

import pytest

import radixmesh
from loopback import Node, wait_until

FAST = ["--heartbeat", 0.1, "--suspect-after", 0.6]


class Engine:
    """Beside its sidecar; it outlives it, and connects again by itself."""

    def __init__(self, name: str, node: Node):
        self.name = name
        self._slots = itertools.count(0, 64)
        self._known = None
        self.attach(node)

    def attach(self, node: Node) -> None:
        self.mesh = radixmesh.connect(
            node.socket, engine_token=self.name, state=lambda: self._known, reconnect=True
        )

    def compute(self, tokens: List[int]) -> None:
        self.mesh.insert(tokens, [(next(self._slots), len(tokens))])
        status = self.mesh.status()
        self._known = tuple(status["version_vector"][status["addr"]])

    def local_tokens(self) -> int:
        return self.mesh.status()["local_tokens"]


class Gateway:
    """Sends requests without end: asks one router after the other until one names a node, whose
    engine then computes. What none could be found for is kept."""

    def __init__(self, routers: List[Node], engines: Dict[str, Engine]):
        self.routers, self.engines = routers, engines
        self.routed = 0
        self.unrouted: List[str] = []
        self._stop = threading.Event()
        self.between_requests = threading.Lock()  # who holds it meets none under way
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _target(self, tokens: List[int], said: List[str]):
        for router in list(self.routers):
            try:
                with radixmesh.connect(router.socket, timeout=2.0) as mesh:
                    answer = mesh.route(tokens, book=False)
                said.append(f"{router.name}: {answer.reason}")
                if answer.prefill is not None:
                    return answer.prefill.addr
            except (radixmesh.RadixMeshError, OSError) as error:
                said.append(f"{router.name}: {error}")
        return None

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            with self.between_requests:
                self._request([number % 40] * 16 + [number % 7] * 16)

    def _request(self, tokens: List[int]) -> None:
        said: List[str] = []
        target = self._target(tokens, said)
        if target is None:
            self.unrouted.append("; ".join(said))
            return
        try:
            self.engines[target].compute(tokens)
        except (radixmesh.RadixMeshError, OSError):
            pass  # its sidecar is on its way down: the engine computes without it
        self.routed += 1

    def wait_for(self, more: int) -> None:
        until = self.routed + more
        wait_until(lambda: self.routed >= until, f"{more} requests more were routed", 30)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        assert self.unrouted == []


@pytest.fixture
def fleet(mesh_of):
    """Three prefill nodes with engines, two routers, and requests."""
    mesh = mesh_of(prefill=3, router=2, flags=[*FAST, "--page-size", 16]).start()
    mesh.wait_alive()
    engines = {node.addr: Engine(f"engine {node.name}", node) for node in mesh.holders}
    gateway = Gateway([mesh["r0"], mesh["r1"]], engines)
    gateway.wait_for(60)
    yield mesh, gateway
    if not gateway._stop.is_set():
        gateway.stop()


def stop(node: Node) -> None:
    node.signal(signal.SIGTERM)
    assert node.wait_ended() == 0


def restart(node: Node, gateway: Gateway) -> None:
    stop(node)
    node.start()
    wait_until(node.ready, f"{node.name} is ready", 20)


def test_a_rolling_upgrade_under_traffic_routes_every_request_and_loses_no_cache(fleet):
    mesh, gateway = fleet
    for node in mesh.nodes:
        held = {addr: engine.local_tokens() for addr, engine in gateway.engines.items()}
        restart(node, gateway)
        gateway.wait_for(20)
        for addr, engine in gateway.engines.items():
            wait_until(
                lambda engine=engine, addr=addr: engine.local_tokens() >= held[addr],
                f"{engine.name} has what it had",
            )
    gateway.stop()
    mesh.wait_alive()
    mesh.wait_agree()


def test_a_walk_with_another_page_size_stops_at_the_first_node(fleet):
    mesh, gateway = fleet
    first = mesh["p0"]
    held = [engine.local_tokens() for engine in gateway.engines.values()]
    # What an engine tells the sidecar of the wrong page size is its last word: nothing older comes
    # back after that.
    with gateway.between_requests:
        stop(first)
    first.flags[first.flags.index("--page-size") + 1] = "32"
    first.start()
    wait_until(
        lambda: first.answers() and "page_size" in str(first.client.nodes()), "it is refused"
    )
    gateway.wait_for(100)
    assert not first.client.status()["ready"]
    # Back to what it was: the walk has cost nothing.
    stop(first)
    first.flags[first.flags.index("--page-size") + 1] = "16"
    first.start()
    wait_until(first.ready, "p0 is ready again", 20)
    gateway.wait_for(20)
    for engine, tokens in zip(gateway.engines.values(), held):
        wait_until(lambda: engine.local_tokens() >= tokens, f"{engine.name} has what it had")
    gateway.stop()


def test_another_page_size_comes_with_a_second_mesh_beside_the_first(fleet, mesh_of):
    old, gateway = fleet
    new = mesh_of(prefill=3, router=2, flags=[*FAST, "--page-size", 32]).start()
    new.wait_alive()
    # Whoever is asked for in vain by the first mesh is found in the second.
    gateway.routers += [new["r0"], new["r1"]]
    for before, after in zip(old.holders, new.holders):
        engine = gateway.engines[before.addr]
        moved = Engine(engine.name, after)
        gateway.engines[after.addr] = moved
        before.client.drain()
        assert before.wait_ended() == 0
        gateway.wait_for(20)
    gateway.wait_for(60)
    assert sum(gateway.engines[node.addr].local_tokens() for node in new.holders) > 0
    for router in (old["r0"], old["r1"]):
        gateway.routers.remove(router)
        router.client.drain()
        assert router.wait_ended() == 0
    gateway.wait_for(60)
    gateway.stop()
    new.wait_agree()
