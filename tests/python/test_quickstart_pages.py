"""The examples in a page, engine.py and router.py, on the mesh in memory of test_quickstart_run."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "examples"), str(Path(__file__).parent)]

import engine  # noqa: E402
import radixmesh  # noqa: E402
import router  # noqa: E402
from test_quickstart_run import FakeMesh, FakeNode  # noqa: E402


class Page(FakeNode):
    """With the calls that only these two make."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def reset(self):
        self.slots.clear()
        return ()

    def insert(self, tokens, slots):
        # As the client does: slots one by one are runs, too.
        return super().insert(tokens, [(slot, 1) for slot in slots])

    def match_prefix(self, tokens):
        return SimpleNamespace(depths={self.addr: len(self.held(tokens)) * self.mesh.page_size})


@pytest.fixture
def node(monkeypatch):
    mesh = FakeMesh(["prefill0", "decode0"])
    page = mesh.nodes["prefill0"] = Page(mesh, "prefill0")
    monkeypatch.setattr(radixmesh, "connect", lambda *path, timeout: page)
    monkeypatch.setattr(sys, "argv", ["page"])
    return page


def test_engine_shows_reuse_and_eviction(node, capsys):
    engine.main()
    assert capsys.readouterr().out.splitlines() == [
        "weather: 32 tokens, 0 cached, 32 stored anew",
        "sports: 40 tokens, 16 cached, 24 stored anew",
        "  evicted 8 tokens to make room",
        "weather, turn 2: 48 tokens, 32 cached, 16 stored anew",
        "",
        "what is cached where:",
        "  weather: 32 of 32 tokens at prefill0",
        "  sports: 32 of 40 tokens at prefill0",
        "  weather, turn 2: 48 of 48 tokens at prefill0",
    ]


def test_router_prints_the_choice(node, capsys, monkeypatch):
    def route(tokens, book):
        target = SimpleNamespace(addr="10.0.0.1:5000", rank=1, depth=16)
        return SimpleNamespace(prefill=target, decode=None, reason="the deepest match")

    monkeypatch.setattr(node, "route", route, raising=False)
    monkeypatch.setattr(sys, "argv", ["router.py", "1", "2"])
    router.main()
    assert capsys.readouterr().out.splitlines() == [
        "this prompt (2 tokens): the deepest match",
        "  prefill  10.0.0.1:5000 (rank 1), 16 tokens cached there",
        "  decode   nobody",
    ]


@pytest.mark.parametrize("page", [engine, router])
def test_no_sidecar_is_one_line(page, monkeypatch):
    def refuse(*path, timeout):
        raise radixmesh.ConnectionLost("cannot connect to x: No such file or directory")

    monkeypatch.setattr(radixmesh, "connect", refuse)
    monkeypatch.setattr(sys, "argv", ["page"])
    with pytest.raises(SystemExit, match="cannot connect to x"):
        page.main()
