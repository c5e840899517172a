"""An engine that asks nothing unless a request comes: when its sidecar was killed and restarted, no
request comes, for its entries are hidden until it says hello. A client that reconnects does."""

import asyncio
import threading

import pytest

import radixmesh
import radixmesh.aio
from loopback import wait_until

FLAGS = ["--heartbeat", 0.1, "--suspect-after", 0.6, "--page-size", 16]
PROMPT = list(range(64))
TOKEN = b"lazy engine"


class Blocking:
    """An engine with the blocking client: one insert, and then it waits for requests."""

    def __init__(self, node):
        self.lost = []
        self._mesh = radixmesh.connect(
            node.socket,
            engine_token=TOKEN,
            state=self._state,
            reconnect=True,
            on_leases_lost=self.lost.extend,
        )
        self._mesh.insert(PROMPT, [(1000, len(PROMPT))])
        self.known = tuple(self._mesh.status()["version_vector"][node.addr])
        self.lease = self._mesh.acquire(PROMPT)
        self.booking = self._mesh.route(PROMPT).booking

    def _state(self):
        return getattr(self, "known", None)

    def has_all(self):
        self.booking.finish()
        return self._mesh.match_prefix(PROMPT).local_slots == ((1000, len(PROMPT)),)

    def close(self):
        self._mesh.close()


class ByAsyncio(Blocking):
    """The same by asyncio, in a thread whose loop has nothing to do meanwhile."""

    def __init__(self, node):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.lost = []
        self._run(self._begin(node))

    async def _begin(self, node):
        self._mesh = await radixmesh.aio.connect(
            node.socket,
            engine_token=TOKEN,
            state=self._state,
            reconnect=True,
            on_leases_lost=self.lost.extend,
        )
        await self._mesh.insert(PROMPT, [(1000, len(PROMPT))])
        self.known = tuple((await self._mesh.status())["version_vector"][node.addr])
        self.lease = await self._mesh.acquire(PROMPT)
        self.booking = (await self._mesh.route(PROMPT)).booking

    def has_all(self):
        self._run(self.booking.finish())
        match = self._run(self._mesh.match_prefix(PROMPT))
        return match.local_slots == ((1000, len(PROMPT)),)

    def close(self):
        self._run(self._mesh.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


@pytest.mark.parametrize("client", [Blocking, ByAsyncio])
def test_its_entries_are_back_without_a_call(mesh_of, client):
    mesh = mesh_of(prefill=2, flags=FLAGS).start()
    home, other = mesh.nodes

    def depth():
        return other.client.match_prefix(PROMPT).depths.get(home.addr, 0)

    engine = client(home)
    wait_until(lambda: depth() == len(PROMPT), "the other node knows of the entries")
    for life in range(2):
        home.kill()
        wait_until(lambda: depth() == 0, "the other node noticed")
        home.start()
        wait_until(lambda: depth() == len(PROMPT), "the entries are back", 20)
        assert home.client.status()["counters"]["states_recovered"] == 1
    assert engine.lost == [engine.lease] and engine.lease.lost
    assert engine.has_all()
    engine.close()


def test_without_reconnecting_they_stay_hidden(mesh_of):
    """What the other test would not show if a sidecar took its entries back unasked."""
    mesh = mesh_of(prefill=2, flags=FLAGS).start()
    home, other = mesh.nodes
    with radixmesh.connect(home.socket, engine_token=TOKEN) as engine:
        engine.insert(PROMPT, [(1000, len(PROMPT))])
        mesh.wait_agree()
        home.kill()
        home.start()
        mesh.wait_ready(home)
        mesh.wait_alive()
        wait_until(
            lambda: other.client.match_prefix(PROMPT).depths == {}, "the new life is heard of"
        )
    with radixmesh.connect(home.socket, engine_token=TOKEN):
        wait_until(lambda: other.client.match_prefix(PROMPT).depths, "a hello brings them back")
