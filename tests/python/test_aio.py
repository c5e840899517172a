"""The asyncio client: where it differs from the blocking one. Faults of both: test_faults.py."""

import asyncio
import inspect

import pytest

import radixmesh
import radixmesh.aio
from fake_sidecar import ADDR, HELLO, ScriptedSidecar, frame, read_frame


def run(path, work, **options):
    """Runs `work(mesh)` with a mesh of its own."""

    async def main():
        async with await radixmesh.aio.connect(path, **options) as mesh:
            return await asyncio.wait_for(work(mesh), 20)

    return asyncio.run(main())


def public(kind):
    return {name: member for name, member in vars(kind).items() if not name.startswith("_")}


@pytest.mark.parametrize("name", ["Mesh", "Lease", "Subscription"])
def test_both_clients_have_the_same_methods_and_parameters(name):
    blocking, by_asyncio = (public(getattr(m, name)) for m in (radixmesh, radixmesh.aio))
    assert set(blocking) == set(by_asyncio)
    for verb in blocking:
        if callable(blocking[verb]):
            parameters = [inspect.signature(f[verb]).parameters for f in (blocking, by_asyncio)]
            assert list(parameters[0].values()) == list(parameters[1].values()), verb


def test_every_call(sidecar):
    async def work(mesh):
        assert mesh.info.addr == ADDR
        assert (await mesh.insert([1, 2, 3, 4], [(5, 4)], namespace="k")).stored == 4
        assert (await mesh.match_prefix([1, 2], "k", touch=False)).length == 2
        assert sidecar.requests[-1][1]["touch"] is False
        assert (await mesh.route([1, 2], "k")).prefill.depth == 2
        await mesh.report_load(running=1, waiting=0, kv_used=1, kv_total=2)
        assert (await mesh.status())["addr"] == ADDR
        assert [node.rank for node in await mesh.nodes()] == [0, 1]
        assert (await mesh.tree()).total == 2
        assert (await mesh.tree(ADDR, skip=1)).entries[0].end == 4
        assert await mesh.evict(1) == ((7, 1), (8, 1))
        assert await mesh.delete([1, 2], "k") == ((5, 1), (6, 1))
        assert await mesh.reset() == ()

    run(sidecar.path, work)


def test_many_tasks_share_the_connection(sidecar):
    async def one(mesh, number):
        await mesh.insert([number, number], [number, 1000 + number])
        return (await mesh.match_prefix([number, number])).local_slots

    async def work(mesh):
        return await asyncio.gather(*(one(mesh, number) for number in range(50)))

    assert run(sidecar.path, work) == [((n, 1), (1000 + n, 1)) for n in range(50)]


def test_requests_do_not_wait_for_the_answers_before_them(tmp_path):
    def script(connection, first):
        requests = [first] + [read_frame(connection) for _ in range(4)]
        for request in requests:
            connection.sendall(frame([1, request[1], None, {"n": request[1]}]))

    async def work(mesh):
        return [a["n"] for a in await asyncio.gather(*(mesh.status() for _ in range(5)))]

    with ScriptedSidecar(tmp_path / "s", script) as scripted:
        answers = run(scripted.path, work)
        assert answers == sorted(answers) and len(answers) == 5


# Leases


def test_a_lease_by_block_and_by_await(sidecar):
    async def work(mesh):
        await mesh.insert([1, 2], [5, 6])
        async with mesh.acquire([1, 2]) as lease:
            assert lease.match.local_length == 2
            with pytest.raises(radixmesh.RetryLater):
                await mesh.reset()
        assert sidecar.locked == {}
        lease = await mesh.acquire([1, 2])
        assert len(sidecar.locked) == 1
        await lease.release()
        await mesh.release(lease)
        assert sidecar.locked == {}

    run(sidecar.path, work)
    assert [method for method, _ in sidecar.requests].count("release") == 2


def test_a_call_that_was_cancelled_leaves_the_connection_in_order_and_no_lease(sidecar):
    async def work(mesh):
        await mesh.insert([1, 2], [5, 6])
        with sidecar.lock:  # the sidecar can answer only after the cancelling
            waiting = asyncio.ensure_future(mesh.acquire([1, 2])._acquire())
            other = asyncio.ensure_future(mesh.match_prefix([1, 2]))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert (await other).length == 2
        assert (await mesh.status())["addr"] == ADDR
        assert await mesh.reset() == ((5, 1), (6, 1))

    run(sidecar.path, work)
    methods = [method for method, _ in sidecar.requests]
    assert methods.count("acquire") == methods.count("release") == 1


def test_a_lease_whose_answer_came_just_before_the_cancelling_is_released_too(sidecar):
    async def work(mesh):
        link = mesh._link
        waiting = asyncio.ensure_future(mesh.acquire([1, 2])._acquire())
        settle = link._settle

        def settle_and_cancel(answer):
            settle(answer)
            waiting.cancel()  # in the same turn: the answer is there, the task has not seen it

        link._settle = settle_and_cancel
        with pytest.raises(asyncio.CancelledError):
            await waiting
        link._settle = settle
        await mesh.status()
        assert sidecar.locked == {}

    run(sidecar.path, work)
    assert "release" in [method for method, _ in sidecar.requests]


# Errors


def test_a_deadline_ends_all_calls_of_the_connection(tmp_path):
    def script(connection, request):
        while connection.recv(65536):
            pass

    async def work(mesh):
        calls = [mesh.status(), mesh.nodes(), mesh.reset()]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(results[0], radixmesh.Timeout)
        for result in results[1:]:
            assert isinstance(result, (radixmesh.Timeout, radixmesh.ConnectionLost))

    with ScriptedSidecar(tmp_path / "s", script) as scripted:
        run(scripted.path, work, timeout=0.15)


def test_closing_ends_calls_of_other_tasks(tmp_path):
    def script(connection, request):
        while connection.recv(65536):
            pass

    async def work(mesh):
        waiting = asyncio.ensure_future(mesh.status())
        await asyncio.sleep(0)
        await mesh.close()
        with pytest.raises(radixmesh.ConnectionLost, match="closed by this client"):
            await waiting

    with ScriptedSidecar(tmp_path / "s", script) as scripted:
        run(scripted.path, work)


# Subscriptions


def test_events_by_iteration(sidecar):
    async def work(mesh):
        async with mesh.subscribe("op") as events:
            await mesh.insert([1, 2], [5, 6])
            await mesh.reset()
            found = []
            async for event in events:
                found.append((event.seq, event.type))
                if len(found) == 2:
                    break
        assert found == [(1, "INSERT"), (2, "DELETE")]
        assert [event async for event in events] == []

    run(sidecar.path, work)


def test_iterating_alone_subscribes_and_closing_ends_it(sidecar):
    async def work(mesh):
        events = mesh.subscribe("op")
        assert sidecar.subscribers == {}
        collected = asyncio.ensure_future(collect(events))
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, sidecar.wait_until, lambda: sidecar.subscribers)
        while not events._session.started:
            await asyncio.sleep(0)
        await events.close()
        assert await collected == []

    async def collect(events):
        return [event async for event in events]

    run(sidecar.path, work)


def test_events_that_come_along_with_the_answer_are_kept(tmp_path):
    op = {"origin": ADDR, "epoch": 1, "type": "INSERT", "tokens": 2}

    def script(connection, request):
        notes = [frame([2, "op", {**op, "seq": seq}]) for seq in (1, 2)]
        connection.sendall(notes[0] + frame([1, request[1], None, {}]) + notes[1])

    async def work(mesh):
        async with mesh.subscribe("op") as events:
            assert [(await events.__anext__()).seq for _ in range(2)] == [1, 2]

    with ScriptedSidecar(tmp_path / "s", script) as scripted:
        run(scripted.path, work)


def test_a_step_that_is_cancelled_loses_no_event(sidecar):
    async def work(mesh):
        async with mesh.subscribe("op") as events:
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(events.__anext__(), 0.01)
            await mesh.insert([1, 2], [5, 6])
            assert (await events.__anext__()).seq == 1

    run(sidecar.path, work)


def test_a_refused_subscription(sidecar):
    async def work(mesh):
        with pytest.raises(radixmesh.FixRequest, match="at least one"):
            mesh.subscribe()
        with pytest.raises(radixmesh.FixRequest, match="unknown name"):
            await mesh.subscribe("weather").__anext__()

    run(sidecar.path, work)


def test_a_subscription_tells_when_the_sidecar_goes(sidecar):
    async def work(mesh):
        async with mesh.subscribe("op") as events:
            sidecar.cut_all()
            for _ in range(2):
                with pytest.raises(radixmesh.ConnectionLost, match="closed the connection"):
                    await events.__anext__()

    run(sidecar.path, work)


def test_a_subscription_that_is_not_answered_ends_at_the_deadline(tmp_path):
    def script(connection, _):
        request = read_frame(connection)
        if request[2] == "hello":
            connection.sendall(frame([1, request[1], None, HELLO]))
        while connection.recv(65536):
            pass

    async def work(mesh):
        with pytest.raises(radixmesh.Timeout, match="subscribe was not answered"):
            await mesh.subscribe("op").__anext__()

    with ScriptedSidecar(tmp_path / "s", script, hello=False) as scripted:
        run(scripted.path, work, timeout=0.15)
