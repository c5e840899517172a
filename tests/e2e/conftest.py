"""The fixture `mesh_of`: meshes of real sidecars that end with the test, or with the module.

    mesh = mesh_of(prefill=2, router=1, flags=["--page-size", 16]).start()

At the end every process that the test did not kill itself must still run, and stop on SIGTERM with
exit code 0. Where a test fails, what its sidecars wrote is shown below it.
"""

from __future__ import annotations

import os

import pytest

from loopback import Mesh, binary
from name_lab import NameLab

LOG_LINES_SHOWN = 25

_open_meshes = []


def pytest_collection_modifyitems(items):
    if not os.access(binary(), os.X_OK):
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"{binary()} is not built"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for mesh in _open_meshes:
            for node in mesh.nodes:
                lines = node.lines()[-LOG_LINES_SHOWN:]
                if lines:
                    report.sections.append((f"stderr of {node.name} {node.addr}", "\n".join(lines)))


def _mesh_maker(folder):
    made = []

    def make(**kwargs) -> Mesh:
        mesh = Mesh(folder / f"mesh{len(made)}", **kwargs)
        made.append(mesh)
        _open_meshes.append(mesh)
        return mesh

    yield make
    complaints = []
    try:
        for mesh in made:
            complaints += mesh.close()
    finally:
        for mesh in made:
            mesh.kill()
            _open_meshes.remove(mesh)
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def mesh_of(short_folder):
    yield from _mesh_maker(short_folder)


@pytest.fixture(scope="module")
def module_mesh_of(tmp_path_factory):
    yield from _mesh_maker(tmp_path_factory.mktemp("m"))


@pytest.fixture
def short_folder(tmp_path_factory):
    """Unlike tmp_path not named after the test: a Unix socket's path has at most 107 bytes."""
    return tmp_path_factory.mktemp("m")


@pytest.fixture
def lab_of(mesh_of):
    labs = []

    def make(hosts: str = "", flags=(), **counts) -> NameLab:
        labs.append(NameLab(mesh_of(**counts), flags=flags, hosts=hosts))
        return labs[-1]

    yield make
    for lab in labs:
        lab.mesh.kill()
        lab.close()
