"""The asyncio client whose tasks are cancelled: after each turn of the loop, in each kind of call,
and while much waits to be sent."""

import asyncio
import contextlib

import pytest

import radixmesh
import radixmesh.aio
from fake_sidecar import ADDR, ScriptedSidecar

LARGE = bytes(4 * 1024 * 1024)
TURNS_MAX = 400


def run(sidecar, work, **options):
    async def main():
        async with await radixmesh.aio.connect(sidecar.path, **options) as mesh:
            return await asyncio.wait_for(work(mesh), 60)

    return asyncio.run(main())


async def cancelled_after(work, turns):
    """Whether `work` was cancelled after so many turns of the loop; False where it was faster."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


async def at_each_turn(begin, check):
    """Cancels begin() after 0, 1, 2, ... turns until it is faster than that."""
    for turns in range(TURNS_MAX):
        was_cancelled = await cancelled_after(begin(), turns)
        await check()
        if not was_cancelled:
            return turns
    raise AssertionError(f"it took more than {TURNS_MAX} turns")


async def settle(mesh):
    """Until what was asked is answered, and what those answers made the client say is, too."""
    for _ in range(2):
        await mesh.status()


@pytest.fixture
def paused(sidecar):
    """with paused(): the sidecar answers nothing, and soon reads nothing."""

    @contextlib.contextmanager
    def pausing():
        with sidecar.lock:
            yield

    return pausing


# At each turn


def test_a_lease_that_nobody_got_is_released(sidecar):
    async def work(mesh):
        async def check():
            await settle(mesh)
            assert sidecar.locked == {}

        async def acquire():
            lease = await mesh.acquire([1, 2])
            await lease.release()

        await mesh.insert([1, 2], [5, 6])
        assert await at_each_turn(acquire, check) > 2

    run(sidecar, work)


def test_a_block_lets_go_wherever_it_is_cancelled(sidecar):
    async def work(mesh):
        async def check():
            await settle(mesh)
            assert sidecar.locked == {}

        async def block():
            async with mesh.acquire([1, 2]) as lease:
                assert await lease.is_valid()

        assert await at_each_turn(block, check) > 2

    run(sidecar, work)


def test_a_booking_that_nobody_got_is_finished(sidecar):
    async def work(mesh):
        async def check():
            await settle(mesh)
            assert sidecar.bookings == set()

        async def route():
            await (await mesh.route([1, 2])).booking.finish()

        assert await at_each_turn(route, check) > 2

    run(sidecar, work)


def test_an_acknowledgement_can_be_said_again(sidecar):
    async def work(mesh):
        async with mesh.subscribe("gc_free") as events:
            sidecar.free(1, [[5, 1]])
            event = await events.__anext__()

            async def check():
                nonlocal event
                await event.ack()
                assert sidecar.unacknowledged == {}
                sidecar.free(len(sidecar.requests), [[6, 1]])
                event = await events.__anext__()

            assert await at_each_turn(lambda: event.ack(), check) > 2

    run(sidecar, work)


def test_connecting_and_subscribing_leave_no_connection_behind(sidecar):
    async def until_closed(count):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, sidecar.wait_open, count)

    async def connect():
        await (await radixmesh.aio.connect(sidecar.path)).close()

    async def main():
        assert await at_each_turn(connect, lambda: until_closed(0)) > 2
        async with await radixmesh.aio.connect(sidecar.path) as mesh:

            async def subscribe():
                async with mesh.subscribe("op"):
                    pass

            assert await at_each_turn(subscribe, lambda: until_closed(1)) > 2

    asyncio.run(main())


def test_a_step_of_a_subscription_loses_no_event(sidecar):
    async def work(mesh):
        async with mesh.subscribe("op") as events:
            seen = []

            async def step():
                sidecar._op("RESET", 0)
                seen.append((await events.__anext__()).seq)

            async def check():
                while len(seen) < sidecar.seq:
                    seen.append((await events.__anext__()).seq)
                assert seen == list(range(1, sidecar.seq + 1))

            assert await at_each_turn(step, check) > 0

    run(sidecar, work)


# While much waits to be sent


def test_what_gives_back_is_sent_though_it_is_cancelled_beside_long_requests(sidecar, paused):
    async def work(mesh):
        leases = [await mesh.acquire([1, 2]) for _ in range(3)]
        bookings = [(await mesh.route([1, 2])).booking for _ in range(3)]
        with paused():
            long = [asyncio.ensure_future(mesh.match_prefix(LARGE)) for _ in range(4)]
            await asyncio.sleep(0)
            for end in [lease.release for lease in leases] + [each.finish for each in bookings]:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(end(), 0.01)
        assert [match.length for match in await asyncio.gather(*long)] == [0] * 4
        await mesh.status()
        assert (sidecar.locked, sidecar.bookings) == ({}, set())
        for lease in leases:
            await lease.release()

    run(sidecar, work, timeout=30)


def test_what_gets_something_is_not_sent_if_it_is_cancelled_before(sidecar, paused):
    async def work(mesh):
        with paused():
            long = [asyncio.ensure_future(mesh.match_prefix(LARGE)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(mesh._session.call(long_acquire()), 0.01)
        await asyncio.gather(*long)
        await mesh.status()
        assert "acquire" not in [method for method, _ in sidecar.requests]

    def long_acquire():
        return radixmesh.methods.acquire(LARGE, None, False)

    run(sidecar, work, timeout=30)


def test_a_short_request_does_not_wait_for_long_ones_that_have_not_begun(sidecar, paused):
    async def work(mesh):
        with paused():
            calls = [mesh.match_prefix(LARGE) for _ in range(3)] + [mesh.status()]
            calls = [asyncio.ensure_future(call) for call in calls]
            await asyncio.sleep(0)
        await asyncio.gather(*calls)
        order = [method for method, _ in sidecar.requests]
        assert order == ["hello", "match_prefix", "status", "match_prefix", "match_prefix"]

    run(sidecar, work, timeout=30)


def test_what_may_wait_to_be_sent_is_bounded(sidecar, paused):
    async def work(mesh):
        booking = (await mesh.route([1, 2])).booking
        with paused():
            long = asyncio.ensure_future(mesh.match_prefix(LARGE))
            await asyncio.sleep(0)
            buffered = mesh._link._transport.get_write_buffer_size
            before = buffered()
            assert before > 1024 * 1024
            for _ in range(300):
                assert await cancelled_after(booking.finish(), 1)
            assert buffered() < before + 100, "one finish is enough"
            others = [asyncio.ensure_future(mesh.match_prefix(bytes(16_000))) for _ in range(300)]
            await asyncio.sleep(0)
            assert buffered() < before + 1.1 * 1024 * 1024
        await asyncio.gather(long, *others)
        assert sidecar.bookings == set()

    run(sidecar, work, timeout=30)


def test_a_call_that_was_cancelled_and_is_not_answered_closes_the_connection(tmp_path):
    """Else what asks with a shorter bound of its own would never learn that nobody answers."""

    def script(connection, request):
        while connection.recv(65536):
            pass

    async def work(mesh):
        assert await cancelled_after(mesh.status(), 2)
        await asyncio.wait({mesh._link.broken})
        with pytest.raises(radixmesh.ConnectionLost, match=r"status was not answered within 0\.15"):
            await mesh.nodes()

    with ScriptedSidecar(tmp_path / "s", script) as scripted:
        run(scripted, work, timeout=0.15)


def test_a_cancelled_call_leaves_the_answers_of_others_alone(sidecar, paused):
    async def work(mesh):
        await mesh.insert([1, 2], [5, 6])
        for cancelled in range(5):
            with paused():
                calls = [asyncio.ensure_future(mesh.match_prefix([1, 2])) for _ in range(5)]
                await asyncio.sleep(0)
                calls[cancelled].cancel()
                calls.append(asyncio.ensure_future(mesh.status()))
                await asyncio.sleep(0)
            del calls[cancelled]
            *matches, status = await asyncio.gather(*calls)
            assert [match.length for match in matches] == [2] * 4 and status["addr"] == ADDR

    run(sidecar, work)
