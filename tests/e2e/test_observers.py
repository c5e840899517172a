"""Who only looks at a node's cache does not change what is evicted from it."""

import subprocess
from pathlib import Path

import pytest

from loopback import binary

CLI = str(Path(binary()).parents[1] / "cli" / "radixmesh")
OLD, NEW = [1, 2, 3, 4, 5, 6], [7, 8, 9]


@pytest.fixture
def node(mesh_of):
    """Whose cache holds OLD in slots [10, 16), then used NEW in [20, 23)."""
    node = mesh_of(unified=1).start()["u0"]
    node.client.insert(OLD, [(10, 6)])
    node.client.insert(NEW, [(20, 3)])
    return node


def cli(node, verb):
    argv = [CLI, "--socket", str(node.socket), verb, ",".join(map(str, OLD))]
    subprocess.run(argv, check=True, capture_output=True, timeout=30)


OBSERVERS = {
    "match_prefix": lambda node: node.client.match_prefix(OLD, touch=False),
    "explain": lambda node: node.client.explain(OLD),
    "route": lambda node: node.client.route(OLD, book=False),
    "cli match": lambda node: cli(node, "match"),
    "cli explain": lambda node: cli(node, "explain"),
    "cli route": lambda node: cli(node, "route"),
}


@pytest.mark.parametrize("observer", OBSERVERS)
def test_observing_is_no_use(node, observer):
    OBSERVERS[observer](node)
    assert node.client.evict(6) == ((10, 6),)


def test_a_match_uses_its_pages_and_none_behind_them(node):
    assert node.client.match_prefix([*OLD[:2], 99]).local_length == 2
    assert node.client.evict(4) == ((12, 4),)
    assert node.client.evict(3) == ((20, 3),)
    assert node.client.evict(2) == ((10, 2),)


def test_nor_does_a_lease_renew_what_is_behind_it(node):
    with node.client.acquire(OLD[:2]):
        pass
    assert node.client.evict(7) == ((12, 4), (20, 3))
