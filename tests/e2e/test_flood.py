"""Each flood of tests/bench/flood_bench.py, for a moment: what it takes of memory is bounded."""

import sys
from pathlib import Path

import pytest

from hostile import ports

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from flood_bench import GROWTH_BYTES_MAX, KINDS, flood  # noqa: E402

BYTES_PER_S = 30e6
FLOOD_S = 1.0


@pytest.fixture(scope="module")
def mesh(module_mesh_of):
    mesh = module_mesh_of(prefill=2).start()
    mesh.is_attacked = True
    mesh.wait_alive()
    return mesh


@pytest.mark.parametrize("name", KINDS)
def test_the_memory_of_a_flood(mesh, name):
    node = mesh["p0"]
    which, data = KINDS[name]
    port, kind = ports(node)[which]
    before = node.memory_bytes()
    assert flood(port, kind, data, BYTES_PER_S, FLOOD_S) > 0
    assert node.memory_bytes() - before < GROWTH_BYTES_MAX
    mesh.wait_alive()
    mesh.wait_agree()
