"""The quickstart's driver, options to exit code, on the mesh in memory of test_quickstart_run."""

import contextlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "examples"), str(Path(__file__).parent)]

import quickstart  # noqa: E402
from gateway.failure import Failure  # noqa: E402
from test_quickstart_run import FakeMesh, FakeNode  # noqa: E402

ADDRS = ["prefill0", "prefill1", "prefill2", "decode0", "decode1", "router0"]


class FakeLoopback:
    """What the driver uses of LoopbackMesh."""

    def __init__(self, flags, folder, keep):
        self.flags = flags
        self.folder = str(folder)
        self.keep = keep
        self.mesh = FakeMesh(ADDRS, page_size=int(flags[flags.index("--page-size") + 1]))
        self.bad_endings = []
        self.restarted = []

    @property
    def clients(self):
        return self.mesh.nodes

    def of_role(self, role):
        return [
            SimpleNamespace(addr=addr, role=role, client=node, socket=f"{self.folder}/{addr}.sock")
            for addr, node in self.mesh.nodes.items()
            if addr.startswith(role)
        ]

    def restart(self, sidecar):
        self.restarted.append(sidecar.addr)
        sidecar.client = FakeNode(self.mesh, sidecar.addr, epoch=2)
        self.mesh.nodes[sidecar.addr] = sidecar.client

    def check_alive(self):
        pass


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """The meshes that were started; `spoil(mesh)` may break one before it is used."""
    found = SimpleNamespace(meshes=[], spoil=lambda mesh: None)

    @contextlib.contextmanager
    def fake_loopback_mesh(binary, flags, connect, keep):
        found.meshes.append(FakeLoopback(flags, tmp_path, keep))
        found.spoil(found.meshes[-1])
        yield found.meshes[-1]

    monkeypatch.setattr(quickstart, "loopback_mesh", fake_loopback_mesh)
    monkeypatch.setattr(quickstart, "stop_on", lambda signal_number: None)
    return found


SMALL = ["--requests", "30", "--capacity", "6000", "--page-size", "256"]


def test_a_good_run(launched, capsys, tmp_path):
    out = tmp_path / "out.json"
    assert quickstart.main([*SMALL, "--json", str(out)]) == 0
    printed = capsys.readouterr()
    assert "requests             30" in printed.out
    assert "all replicas agree   yes" in printed.out
    assert "100 %  30 requests" in printed.err
    written = json.loads(out.read_text())
    assert written["requests"] == 30 and written["converged"] is True
    assert 0 < written["hit_tokens"] <= written["best_hit_tokens"] < written["input_tokens"]
    assert written["wire_bytes"] > 0 and written["violations"] == 0
    assert "--policy" not in launched.meshes[0].flags


def test_a_mesh_that_is_kept_comes_with_the_commands_for_it(launched, capsys, tmp_path):
    assert quickstart.main([*SMALL, "--keep"]) == 0
    assert launched.meshes[0].keep
    lines = capsys.readouterr().out.splitlines()
    assert f"  export RADIXMESH_SOCKET={tmp_path}/router0.sock" in lines
    assert f"  {quickstart.CLI} match @{tmp_path}/prompt      # the last prompt" in lines
    stop = f'for socket in {tmp_path}/*.sock; do {quickstart.CLI} --socket "$socket" drain; done'
    assert lines[-2:] == [f"  {stop}", f"  rm -r {tmp_path}"]
    tokens = (tmp_path / "prompt").read_text().strip().split(",")
    assert len(tokens) > 100 and all(token.isdigit() for token in tokens)


def test_a_mesh_is_kept_only_if_that_is_asked_for(launched, capsys):
    assert quickstart.main(SMALL) == 0
    assert not launched.meshes[0].keep
    assert "RADIXMESH_SOCKET" not in capsys.readouterr().out


def test_a_run_with_a_kill_in_the_middle(launched):
    assert quickstart.main([*SMALL, "--kill", "--policy", "prefix_first"]) == 0
    assert launched.meshes[0].restarted == ["prefill0"]
    assert launched.meshes[0].flags[-2:] == ["--policy", "prefix_first"]


def test_a_violation_fails_the_run_and_the_results_are_still_there(launched, capsys, tmp_path):
    def spoil(mesh):
        mesh.mesh["router0"].route_deeper_by = 256

    launched.spoil = spoil
    out = tmp_path / "out.json"
    assert quickstart.main([*SMALL, "--json", str(out)]) == 1
    assert "quickstart: " in capsys.readouterr().err
    assert json.loads(out.read_text())["violations"] > 0


def test_a_sidecar_that_ends_badly_fails_the_run(launched, capsys):
    def spoil(mesh):
        mesh.bad_endings.append("the router sidecar x ended with signal 6")

    launched.spoil = spoil
    assert quickstart.main(SMALL) == 1
    said = capsys.readouterr().err
    assert said.endswith("quickstart: the router sidecar x ended with signal 6\n")


def test_a_dead_sidecar_s_last_words_come_before_what_they_brought_about(launched, capsys):
    def spoil(mesh):
        def gone(*_, **__):
            raise quickstart.radixmesh.ConnectionLost("closed")

        def check_alive():
            raise Failure("the router sidecar x ended with signal 11: it said nothing")

        mesh.mesh["router0"].route = gone
        mesh.check_alive = check_alive

    launched.spoil = spoil
    assert quickstart.main(SMALL) == 1
    assert capsys.readouterr().err.endswith("ended with signal 11: it said nothing\n")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--trace", "absent.jsonl"], "cannot read the trace absent.jsonl"),
        (["--json", "no/such/folder.json"], "cannot write no/such/folder.json"),
    ],
)
def test_what_is_wrong_with_the_files_shows_before_a_mesh_is_started(
    launched, capsys, arguments, words
):
    assert quickstart.main(arguments) == 1
    assert words in capsys.readouterr().err
    assert launched.meshes == []


@pytest.mark.parametrize(
    "arguments",
    [["--requests", "0"], ["--capacity", "-1"], ["--page-size", "x"], ["--nonsense"], ["stray"]],
)
def test_a_wrong_option_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as ending:
        quickstart.main(arguments)
    assert ending.value.code == 2
    assert "quickstart: error: " in capsys.readouterr().err


def test_ctrl_c_is_exit_code_130(launched, capsys):
    def spoil(mesh):
        raise KeyboardInterrupt

    launched.spoil = spoil
    assert quickstart.main(SMALL) == 130
    assert capsys.readouterr().err.endswith("quickstart: stopped\n")
