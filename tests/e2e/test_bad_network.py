"""Bad networks between real sidecars, under a light workload: what a fault does to one node leaves
the others alone, and when it ends, all agree and answer as the engines' models say.

Two kinds: links that go through TCP proxies of the tests (delay, throttle, stall, reset, one way;
see steered_mesh.py for how a proxy comes between), and network namespaces with a switch (black
holes, a one-way cut, a slow link, a flapping one; see network_lab.py). Frames that are lost though
their connection lives come from a subscriber that does not read; see test_slow_reader.py.
"""

import threading
import time
from contextlib import contextmanager

import pytest

from modelled_engine import Engine, check_lookups
from loopback import READY_S_MAX, alive_at, wait_until
from network_lab import NetworkLab
from steered_mesh import SteeredMesh, skip_without_mount_namespaces

FLAGS = ["--heartbeat", 0.1, "--suspect-after", 0.6, "--tick", 2]
SIZE = dict(prefill=2, decode=1, router=1)
VICTIM = "p1"
WORK_PAUSE_S = 0.02
FAULT_S = 1.0
NOTICE_S_MAX = 5.0
HEAL_S_MAX = 30.0


class Case:
    """A mesh with engines, where the network around one node is about to be bad."""

    def __init__(self, mesh, mend):
        self.mesh = mesh
        self._mend = mend
        self.victim = mesh[VICTIM]
        self.others = [node for node in mesh.nodes if node is not self.victim]
        self.engines = [
            Engine(node, f"bad {node.name}", node.name.encode()) for node in mesh.holders
        ]
        for engine in self.engines:
            engine.attach()
        mesh.wait_alive()

    @contextmanager
    def work(self):
        """The engines work meanwhile; then the network is mended, and all must heal."""
        stop = threading.Event()
        threads = [
            threading.Thread(target=engine.run, args=(stop, WORK_PAUSE_S))
            for engine in self.engines
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._mend(VICTIM)
            stop.set()
            for thread in threads:
                thread.join()
        assert [engine.failure for engine in self.engines if engine.failure] == []
        begin = time.monotonic()
        for node in self.mesh.nodes:
            wait_until(node.ready, f"{node.name} is ready", READY_S_MAX)
        addrs = {node.addr for node in self.mesh.nodes}
        for node in self.mesh.nodes:
            wait_until(lambda: alive_at(node) == addrs, f"{node.name} sees all", HEAL_S_MAX)
        self.mesh.wait_agree(HEAL_S_MAX)
        print(f" healed in {time.monotonic() - begin:.2f} s", end="")
        check_lookups(self.mesh.nodes, self.engines, 100)
        for node in self.mesh.nodes:
            assert "digest_mismatches" not in node.client.status()["counters"]

    def wait(self, seconds=FAULT_S):
        begin = time.monotonic()
        wait_until(lambda: time.monotonic() - begin > seconds, "the fault lasted", seconds + 1)

    def wait_out_of_answers(self):
        """At all others; they still hear each other."""
        for node in self.others:
            wait_until(
                lambda: self.victim.addr not in alive_at(node),
                f"{node.name} notices that {VICTIM} is not heard",
                NOTICE_S_MAX,
            )
        self.check_others_alive()

    def check_others_alive(self):
        addrs = {node.addr for node in self.others}
        for node in self.others:
            assert addrs <= alive_at(node), f"{node.name} lost one that nothing was done to"


# ---- proxies -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steered(module_mesh_of, tmp_path_factory):
    skip_without_mount_namespaces(tmp_path_factory.mktemp("try"))
    steered = SteeredMesh(module_mesh_of(**SIZE), FLAGS)
    try:
        steered.start()
        steered.case = Case(steered.mesh, steered.mend)
        yield steered
    finally:
        steered.close()


def test_a_link_with_a_delay_kills_nobody(steered):
    case = steered.case
    suspicions = [node.client.status()["counters"].get("suspicions", 0) for node in case.mesh.nodes]
    with case.work():
        for proxy in steered.around(VICTIM):
            proxy.delay_s = 0.15
        case.wait()
        for node, before in zip(case.mesh.nodes, suspicions):
            assert node.client.status()["counters"].get("suspicions", 0) == before, node.name


def test_a_narrow_link_leaves_the_others_alone(steered):
    case = steered.case
    with case.work():
        for proxy in steered.around(VICTIM):
            proxy.bytes_per_s = 4000
        case.wait()
        case.check_others_alive()


def test_peers_that_accept_and_read_nothing(steered):
    with steered.case.work():
        for proxy in steered.around(VICTIM):
            proxy.stall()
        steered.case.wait_out_of_answers()


def test_connections_that_are_reset_again_and_again(steered):
    case = steered.case
    with case.work():
        for _ in range(5):
            for proxy in steered.around(VICTIM):
                proxy.refuse()
                proxy.accept()
            case.wait(0.3)
        case.check_others_alive()
        for proxy in steered.around(VICTIM):
            proxy.refuse()
        case.wait_out_of_answers()


@pytest.mark.parametrize("lost", ["what it says", "what it is told"])
def test_one_direction_that_carries_nothing(steered, lost):
    case = steered.case
    ways = ("target", "source") if lost == "what it says" else ("source", "target")
    with case.work():
        for proxy in steered.from_(VICTIM):
            proxy.stop(towards=ways[0])
        for proxy in steered.to(VICTIM):
            proxy.stop(towards=ways[1])
        if lost == "what it says":
            case.wait_out_of_answers()
        else:
            case.wait()
            case.check_others_alive()


# ---- network namespaces --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(module_mesh_of):
    mesh = module_mesh_of(**SIZE)
    lab = NetworkLab(mesh, FLAGS)
    try:
        mesh.start()
        lab.case = Case(mesh, lab.mend)
        yield lab
        for node in mesh.nodes:
            node.stop()
            node._process = None
    finally:
        lab.close()


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_a_hole_between_one_node_and_all_others(lab, kind):
    case = lab.case
    with case.work():
        for node in case.others:
            lab.black_hole(VICTIM, node.name, kind)
        case.wait_out_of_answers()
        wait_until(
            lambda: alive_at(case.victim) == {case.victim.addr}, "it hears nobody", NOTICE_S_MAX
        )


def test_a_hole_between_two_nodes_that_others_reach(lab):
    """They hear of each other through the rest, and so does what they insert."""
    case = lab.case
    with case.work():
        lab.black_hole(VICTIM, "p0")
        case.wait()
        for node in (case.mesh["d0"], case.mesh["r0"]):
            assert alive_at(node) == {other.addr for other in case.mesh.nodes}


@pytest.mark.parametrize("lost", ["what it says", "what it is told"])
def test_a_cut_one_way(lab, lost):
    """TCP needs both ways: acknowledgements are cut as well, so each side goes silent."""
    case = lab.case
    with case.work():
        for node in case.others:
            pair = (VICTIM, node.name) if lost == "what it says" else (node.name, VICTIM)
            lab.cut(*pair)
        case.wait_out_of_answers()


def test_a_slow_cable(lab):
    case = lab.case
    with case.work():
        print(" by", lab.slow(VICTIM, "256kbit"), end="")
        case.wait()
        case.check_others_alive()


def test_a_cable_that_flaps_once_a_second(lab):
    case = lab.case
    with case.work():
        for _ in range(3):
            lab.link(VICTIM, up=False)
            case.wait(0.5)
            lab.link(VICTIM, up=True)
            case.wait(0.5)
        case.check_others_alive()
