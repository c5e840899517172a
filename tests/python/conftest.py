import pytest

import radixmesh
from fake_sidecar import FakeSidecar


@pytest.fixture
def sidecar(tmp_path):
    with FakeSidecar(tmp_path / "sidecar.sock") as sidecar:
        yield sidecar


@pytest.fixture
def mesh(sidecar):
    with radixmesh.connect(sidecar.path) as mesh:
        yield mesh
