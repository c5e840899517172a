"""A forked child and its copies of a client: whatever it does with them, the parent's go on."""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
import traceback

import pytest

import radixmesh
import radixmesh.aio

SOON_S = 10.0


def in_child(work):
    """Runs `work` in a forked child, which exits as a program does, and hands on its assertions."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        signal.alarm(int(SOON_S))  # one that hangs dies of it
        try:
            work()
            code = 0
        except BaseException:
            os.write(write, traceback.format_exc().encode()[-4000:])
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said


def holds_and_answers(mesh, lease, sidecar):
    assert lease.is_valid() and list(sidecar.locked) == [lease.id]
    assert mesh.match_prefix([1, 2]).local_slots == ((5, 1), (6, 1))
    return True


@pytest.fixture
def held(mesh):
    mesh.insert([1, 2], [5, 6])
    return mesh.acquire([1, 2])


def test_a_child_that_closes_or_leaves_the_block_ends_nothing_of_its_parents(mesh, held, sidecar):
    def leave():
        with mesh, held:
            pass

    def forget():
        for name in list(mesh.__dict__):
            del mesh.__dict__[name]
        gc.collect()

    for work in (mesh.close, held.release, leave, forget, lambda: None):
        in_child(work)
        assert holds_and_answers(mesh, held, sidecar)
    assert "release" not in [method for method, _ in sidecar.requests]


def test_in_the_child_every_call_says_why_not(mesh, held):
    def calls():
        reason = f"it belongs to process {os.getppid()}, which forked this one"
        for call in (mesh.status, held.is_valid, lambda: mesh.acquire([1, 2]), mesh.drain):
            with pytest.raises(radixmesh.ConnectionLost, match=reason):
                call()
        held.release()
        assert held.lost

    in_child(calls)
    assert mesh.status()


def test_the_child_takes_no_answer_of_its_parents(mesh, held, sidecar):
    """Though it was forked while a call of another thread was under way."""
    with sidecar.lock:
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.append(mesh.match_prefix([1, 2]).length))
        thread.start()
        while not mesh._link._open:
            pass

        def call():
            with pytest.raises(radixmesh.ConnectionLost, match="which forked this one"):
                mesh.status()
            mesh.close()

        in_child(call)
    thread.join(SOON_S)
    assert outcomes == [2] and holds_and_answers(mesh, held, sidecar)


def test_the_parents_connection_ends_with_the_parents_though_a_child_lives(mesh, held, sidecar):
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        here.close()
        there.recv(1)  # until the parent is through
        os._exit(0)
    there.close()
    mesh.close()
    sidecar.wait_open(0)
    here.close()
    os.waitpid(child, 0)


def test_with_reconnect_the_child_has_a_connection_of_its_own(sidecar):
    with radixmesh.connect(sidecar.path, reconnect=True) as mesh:
        mesh.insert([1, 2], [5, 6])
        lease = mesh.acquire([1, 2])

        def work():
            assert lease.lost and not lease.is_valid()
            lease.release()
            with mesh.acquire([1, 2]) as other:
                assert other.is_valid() and other.id != lease.id
            mesh.close()

        in_child(work)
        sidecar.wait_open(1)
        assert holds_and_answers(mesh, lease, sidecar)
        assert [method for method, _ in sidecar.requests].count("hello") == 2


def test_a_subscription_and_its_acknowledgements_stay_the_parents(mesh, sidecar):
    events = mesh.subscribe("gc_free")
    sidecar.free(1, [[5, 1]])
    event = next(events)

    def work():
        with pytest.raises(radixmesh.ConnectionLost, match="which forked this one"):
            next(events)
        events.close()

    in_child(work)
    event.ack()
    sidecar.free(2, [[6, 1]])
    assert next(events).slots == ((6, 1),)
    assert list(sidecar.unacknowledged) == [2]
    events.close()


def test_with_asyncio(sidecar):
    async def main():
        async with await radixmesh.aio.connect(sidecar.path) as mesh:
            await mesh.insert([1, 2], [5, 6])
            lease = await mesh.acquire([1, 2])
            events = mesh.subscribe("op")
            await events.__aenter__()

            async def calls():
                for call in (mesh.status(), lease.is_valid(), events.__anext__()):
                    with pytest.raises(radixmesh.ConnectionLost, match="which forked this one"):
                        await call
                await lease.release()
                await events.close()
                await mesh.close()

            in_child(lambda: asyncio.run(calls()))
            in_child(lambda: None)
            assert await lease.is_valid()
            sidecar._op("RESET", 0)
            assert (await events.__anext__()).type == "RESET"
            assert (await mesh.match_prefix([1, 2])).length == 2
            await events.close()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_with_asyncio_and_reconnect_the_child_has_a_connection_of_its_own(sidecar):
    async def main():
        async with await radixmesh.aio.connect(sidecar.path, reconnect=True) as mesh:
            lease = await mesh.acquire([1, 2])

            async def calls():
                assert not await lease.is_valid()
                async with mesh.acquire([1, 2]) as other:
                    assert await other.is_valid()
                await mesh.close()

            in_child(lambda: asyncio.run(asyncio.wait_for(calls(), SOON_S)))
            assert await lease.is_valid()
            assert [method for method, _ in sidecar.requests].count("hello") == 2

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_child_that_goes_on_in_its_parents_loop_ends_nothing(sidecar):
    async def main():
        mesh = await radixmesh.aio.connect(sidecar.path)
        await mesh.insert([1, 2], [5, 6])
        lease = await mesh.acquire([1, 2])
        child = os.fork()
        if child == 0:
            signal.alarm(int(SOON_S))
            try:
                async with mesh:
                    await asyncio.sleep(0)
            finally:
                os._exit(0)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, os.waitpid, child, 0)
        assert await lease.is_valid()
        assert (await mesh.match_prefix([1, 2])).length == 2
        await mesh.close()

    asyncio.run(asyncio.wait_for(main(), 20))
