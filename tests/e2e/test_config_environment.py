"""The variables of the environment: those of other programs and of Kubernetes are left alone."""

import re
from pathlib import Path

import pytest

from configured import ALONE, assert_good, check, flags_of, said_of, variables_of
from loopback import wait_until

ROOT = Path(__file__).resolve().parents[2]


def service(name, ip="10.0.0.1", port=5001, protocol="tcp", port_name="control"):
    """What Kubernetes sets in every container for such a service."""
    name = name.upper().replace("-", "_")
    long = f"{name}_PORT_{port}_{protocol.upper()}"
    url = f"{protocol}://{ip}:{port}"
    return {
        f"{name}_SERVICE_HOST": ip,
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_SERVICE_PORT_{port_name.upper().replace('-', '_')}": str(port),
        f"{name}_PORT": url,
        long: url,
        f"{long}_PROTO": protocol,
        f"{long}_PORT": str(port),
        f"{long}_ADDR": ip,
    }


def test_all_options_may_be_variables():
    assert_good(check([], env=variables_of(ALONE)))


def test_an_empty_variable_counts_as_not_set():
    empty = {"RADIXMESH_PAGE_SIZE": "", "RADIXMESH_DECODE_CACHE_NODES": "", "RADIXMESH_CONFIG": ""}
    assert_good(check([], env={**variables_of(ALONE), **empty}))
    said = said_of(check([], env={**variables_of(ALONE), "RADIXMESH_IPC": ""}))
    assert said.startswith("--ipc: must be given")


# ---- other programs' -----------------------------------------------------------------------------


def variables_that_are_read():
    """All that programs, tests and scripts of the tree ask the environment for."""
    found = {"RADIXMESH_SOCKET"}
    asked = r"(?:getenv\(|environ\.get\(|environ\[|envname\()\s*\"(RADIXMESH_\w+)"
    asked += r"|\$\{?(RADIXMESH_\w+)"
    for folder in ("cli", "examples", "ipc", "lib", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".cpp", ".h", ".sh", "") and path.is_file():
                pairs = re.findall(asked, path.read_text(errors="replace"))
                found.update(name for pair in pairs for name in pair if name)
    return found


def test_what_other_programs_of_the_project_read_is_no_mistake():
    names = variables_that_are_read()
    assert {"RADIXMESH_BUILD", "RADIXMESH_SEEDS", "RADIXMESH_SURVIVAL_SECONDS"} <= names
    options = set(re.findall(r"RADIXMESH_[A-Z_]+", check(["--help"]).stdout))
    for name in names - options:
        assert_good(check(flags_of(ALONE), env={name: "1"}))


# ---- Kubernetes' ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        service("radixmesh"),
        service("radixmesh-p0"),
        service("radixmesh-page", protocol="udp", port_name="page-size"),
        service("radixmesh-prefill", ip="fd00::1", protocol="sctp", port=1),
        {**service("radixmesh"), **service("radixmesh-p0"), **service("radixmesh-port")},
        service("radixmesh-service-port"),
        service("unlike"),
    ],
)
def test_what_kubernetes_sets_is_no_mistake(variables):
    assert_good(check(flags_of(ALONE), env=variables))
    for name, value in variables.items():
        assert_good(check(flags_of(ALONE), env={name: value}))


@pytest.mark.parametrize(
    "name, value",
    [
        ("RADIXMESH_PORT", "5001"),
        ("RADIXMESH_PORT", "10.0.0.1:5001"),
        ("RADIXMESH_PORT_5001_TCP", "yes"),
        ("RADIXMESH_PORT_TCP", "tcp://10.0.0.1:5001"),
        ("RADIXMESH_PORT_5001_TCP_PROTOCOL", "tcp"),
        ("RADIXMESH_SERVICE_PORT", "http"),
        ("RADIXMESH_SERVICE", "10.0.0.1"),
        ("RADIXMESH_SERVICE_HOST", ""),
        ("RADIXMESH_P0_HOST", "10.0.0.1"),
    ],
)
def test_what_only_resembles_it_is_one(name, value):
    assert said_of(check(flags_of(ALONE), env={name: value})).startswith(f'"{name}": ')


def test_mistakes_beside_what_kubernetes_sets_are_found():
    variables = {**service("radixmesh"), "RADIXMESH_PAGE_SISE": "16"}
    assert said_of(check(flags_of(ALONE), env=variables)).startswith('"RADIXMESH_PAGE_SISE": ')


def test_it_is_logged_once_and_changes_nothing(mesh_of):
    node = mesh_of(prefill=1).nodes[0]
    node.env = {**service("radixmesh"), **service("radixmesh-p0")}
    node.start()
    wait_until(node.ready, "ready")
    node.wait_said("event=ready")
    said = [line for line in node.lines() if "event=variables_ignored" in line]
    assert len(said) == 1 and "level=info" in said[0]
    assert "variables=16 services=RADIXMESH,RADIXMESH_P0 " in said[0] and "Kubernetes" in said[0]
    others = [line for line in node.lines() if "SERVICE" in line or "5001" in line]
    assert not [line for line in others if line not in said and node.addr not in line]


def test_many_services_make_no_long_line(mesh_of):
    node = mesh_of(prefill=1).nodes[0]
    for i in range(64):
        node.env.update(service(f"radixmesh-p{i}"))
    node.start()
    wait_until(node.ready, "ready")
    node.wait_said("event=ready")
    (said,) = [line for line in node.lines() if "event=variables_ignored" in line]
    assert "variables=512 " in said and ",and_56_more " in said and len(said) < 320


def test_nothing_is_logged_where_nothing_was_ignored(mesh_of):
    node = mesh_of(prefill=1).nodes[0]
    node.start()
    wait_until(node.ready, "ready")
    node.wait_said("event=ready")
    assert not [line for line in node.lines() if "variables_ignored" in line]
