"""The blocking client interrupted before each single instruction of its own, in each kind of call.

After each: the next call gets its own answer in time, so that no turn was left taken; a lease or a
booking was given up or still can be; and nothing is left in the sidecar's books at the end.
"""

import contextlib
import random
import signal
import socket
import threading
import time

import pytest

import radixmesh
from fake_sidecar import ADDR, FakeSidecar, Refusal
from interrupts import Interrupt, each_instruction
from radixmesh import methods
from radixmesh.deadline import Deadline

LOST_AFTER_S = 2.0  # the longest delay of a signal is a thousandth of it

LONG = list(range(100, 6100))  # with small buffers it takes a dozen sends


@pytest.fixture
def mesh(sidecar, monkeypatch):
    """One for all interrupts of a test; what one of them leaves behind meets the next."""
    monkeypatch.setattr("radixmesh.endpoint.socket.socket", SmallBuffers)
    with radixmesh.connect(sidecar.path) as mesh:
        mesh.insert([1, 2], [5, 6])
        mesh.insert([3, 4], [7, 8])
        yield mesh


class SmallBuffers(socket.socket):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)


def is_well(mesh):
    """Answers come, each to its own question, over a connection that was not closed."""
    assert mesh.match_prefix([3, 4]).local_slots == ((7, 1), (8, 1))
    assert not mesh._link.closed
    return True


def test_what_only_reads(mesh):
    assert each_instruction(lambda _: mesh.match_prefix([1, 2]), lambda _: is_well(mesh)) > 300
    assert mesh.match_prefix([1, 2]).length == 2


def test_a_long_request_that_was_sent_in_part(mesh, sidecar):
    def check(_):
        assert is_well(mesh)

    assert each_instruction(lambda _: mesh.match_prefix(LONG), check, step=3) > 100
    lengths = {len(params["tokens"]) for _, params in sidecar.requests if "tokens" in params}
    assert lengths == {8, 4 * len(LONG)}, "every request arrived whole, or not at all"


def test_release_is_said_or_can_be_said_again(mesh, sidecar):
    held = []

    def work(_):
        held.append(leases.pop())
        held[-1].release()

    def check(_):
        assert is_well(mesh)
        held[-1].release()
        held[-1].release()
        assert not held[-1].lost and sidecar.locked == {}
        leases.append(mesh.acquire([1, 2]))

    leases = [mesh.acquire([1, 2])]
    assert each_instruction(work, check) > 300


def test_release_that_was_begun_is_ended_by_the_next_call(mesh, sidecar):
    leases = [mesh.acquire([1, 2])]
    late = []

    def check(_):
        assert is_well(mesh)
        if sidecar.locked:
            late.append(leases[0])
        leases.pop().release()
        leases.append(mesh.acquire([1, 2]))

    assert each_instruction(lambda _: leases[0].release(), check) > 300
    assert len(late) < 15, "all but those whose release had not begun"


@pytest.mark.parametrize("verb", ["finish", "prefill_done"])
def test_the_end_of_a_booking_is_said_or_can_be_said_again(mesh, sidecar, verb):
    bookings = [mesh.route([1, 2]).booking]

    def check(_):
        assert is_well(mesh)
        getattr(bookings[0], verb)()
        bookings.pop().finish()
        assert sidecar.bookings == set()
        bookings.append(mesh.route([1, 2]).booking)

    assert each_instruction(lambda _: getattr(bookings[0], verb)(), check) > 300
    said = {params["booking"] for method, params in sidecar.requests if method == verb}
    assert len(said) > 300


def test_a_lease_that_nobody_got_is_released_by_the_next_call(mesh, sidecar):
    def check(interrupter):
        assert is_well(mesh)
        if interrupter.was_at_return or got:
            with sidecar.lock:  # the caller's, who lost it himself
                assert len(sidecar.locked) == 1
            (lease,) = sidecar.locked
            mesh._link.call(methods.release(lease), Deadline(5))
        assert sidecar.locked == {}

    got = []

    def work(_):
        lease = mesh.acquire([1, 2])
        got.append(lease)

    assert each_instruction(work, check) > 300


def test_a_booking_that_nobody_got_is_finished_by_the_next_call(mesh, sidecar):
    got = []

    def check(interrupter):
        assert is_well(mesh)
        if interrupter.was_at_return or got:
            assert len(sidecar.bookings) == 1
            sidecar.bookings.clear()
        assert sidecar.bookings == set()

    assert each_instruction(lambda _: got.append(mesh.route([1, 2])), check) > 300


def test_an_insert_is_carried_out_whole_or_not_at_all(mesh, sidecar):
    def check(_):
        assert is_well(mesh)
        assert mesh.match_prefix([9, 9, 9, 9]).local_length in (0, 4)
        mesh.insert([9, 9, 9, 9], [40, 41, 42, 43])
        mesh.delete([9, 9])

    work = mesh.insert
    assert each_instruction(lambda _: work([9, 9, 9, 9], [(40, 4)]), check, step=3) > 100


def test_a_block_lets_go_wherever_it_is_interrupted(mesh, sidecar):
    """But for the few instructions before `release` has begun to say so."""

    def work(_):
        with mesh.acquire([1, 2]) as lease:
            assert lease.is_valid()

    def check(interrupter):
        assert is_well(mesh)
        for lease in list(sidecar.locked):
            left.append(lease)
            mesh._link.call(methods.release(lease), Deadline(5))

    left = []
    assert each_instruction(work, check, step=5) > 120
    assert len(left) < 15


def test_connecting_leaves_no_connection_behind(sidecar):
    def work(_):
        with contextlib.closing(radixmesh.connect(sidecar.path)) as mesh:
            assert mesh.info.addr == ADDR

    def check(_):
        sidecar.wait_open(0)

    assert each_instruction(work, check) > 300


def test_a_client_that_reconnects_leaves_no_thread_behind_either(sidecar):
    def work(_):
        with radixmesh.connect(sidecar.path, reconnect=True) as mesh:
            assert mesh.info.addr == ADDR

    def check(_):
        sidecar.wait_open(0)
        for thread in threading.enumerate():
            if thread.name == "radixmesh":
                thread.join(10)
                assert not thread.is_alive()

    assert each_instruction(work, check, step=3) > 100


def test_what_is_repeated_after_a_restart_is_so_wherever_it_is_interrupted(sidecar):
    def work(_):
        sidecar.cut_all()
        return mesh.match_prefix([1, 2])

    def check(_):
        assert mesh.match_prefix([3, 4]).local_slots == ((7, 1), (8, 1))

    with radixmesh.connect(sidecar.path, reconnect=True) as mesh:
        mesh.insert([1, 2], [5, 6])
        mesh.insert([3, 4], [7, 8])
        assert each_instruction(work, check, step=5) > 50


def test_closing_can_be_said_again(sidecar):
    opened = [radixmesh.connect(sidecar.path)]

    def check(_):
        mesh = opened.pop()
        mesh.close()
        with pytest.raises(radixmesh.ConnectionLost, match="closed by this client"):
            mesh.status()
        sidecar.wait_open(0)
        opened.append(radixmesh.connect(sidecar.path))

    assert each_instruction(lambda _: opened[0].close(), check) > 50
    opened.pop().close()


def test_an_acknowledgement_can_be_said_again(mesh, sidecar):
    events = mesh.subscribe("gc_free")
    told = []

    def another():
        sidecar.free(len(told) + 1, [[50 + len(told), 1]])
        told.append(next(events))

    def check(_):
        assert is_well(mesh)
        told[-1].ack()
        assert sidecar.unacknowledged == {}
        another()

    another()
    assert each_instruction(lambda _: told[-1].ack(), check) > 300
    events.close()
    sidecar.wait_open(1)


def test_an_event_is_told_once_and_none_is_lost(mesh, sidecar):
    events = mesh.subscribe("op")
    seen = []

    def check(interrupter):
        if interrupter.was_at_return:
            seen.append(sidecar.seq)
        if not seen or seen[-1] != sidecar.seq:
            seen.append(next(events).seq)
        assert seen == list(range(seen[0], sidecar.seq + 1))
        with sidecar.lock:
            sidecar._op("RESET", 0)

    with sidecar.lock:
        sidecar._op("RESET", 0)
    assert each_instruction(lambda _: seen.append(next(events).seq), check) > 100
    events.close()
    sidecar.wait_open(1)


# Where a finalizer was what was interrupted, Python can only print that it was.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_subscribing_leaves_no_connection_behind(mesh, sidecar):
    def check(_):
        sidecar.wait_open(1)

    assert each_instruction(lambda _: mesh.subscribe("op").close(), check) > 300
    assert is_well(mesh)


def test_an_interrupted_thread_holds_up_no_other(mesh):
    """The turn goes on to another thread, which ends what was begun."""
    outcomes = []

    def check(_):
        thread = threading.Thread(target=lambda: outcomes.append(is_well(mesh)))
        thread.start()
        thread.join(10)
        assert not thread.is_alive()

    assert each_instruction(lambda _: mesh.match_prefix([1, 2]), check, step=7) > 40
    assert outcomes and all(outcomes)


def test_a_second_interrupt_while_the_first_is_dealt_with(mesh, sidecar):
    """Of two in one call only the lease is at stake: the connection stays in order."""

    def check(_):
        assert is_well(mesh)

    def work(_):
        try:
            mesh.acquire([1, 2]).release()
        except Interrupt:
            mesh.status()
            raise

    assert each_instruction(work, check, step=11) > 50


def test_a_handler_that_calls_what_it_interrupted_is_told_so(tmp_path):
    class Calling(FakeSidecar):
        def status(self):
            return {"addr": ADDR}

    with Calling(tmp_path / "s") as sidecar, radixmesh.connect(sidecar.path) as mesh:
        exchange = mesh._link._exchange
        refused = []

        def handled(*args):
            with pytest.raises(RuntimeError, match="signal handler"):
                mesh.status()
            refused.append(True)
            return exchange(*args)

        mesh._link._exchange = handled
        assert mesh.status() == {"addr": ADDR}
        assert refused == [True]


def test_a_lease_that_the_sidecar_refused_leaves_nothing_to_undo(mesh, sidecar):
    def refuse(leases, **_):
        raise Refusal("send_less", "no more leases")

    sidecar.acquire = refuse
    for _ in range(2):
        with pytest.raises(radixmesh.SendLess):
            mesh.acquire([1, 2])
    assert is_well(mesh)
    assert "release" not in [method for method, _ in sidecar.requests]


def test_signals_at_any_time(mesh, sidecar):
    """What the tests above do between instructions, a real handler does, and within calls of the
    system too."""

    def raising(*_):
        raise Interrupt

    lost = []

    def work():
        end = time.monotonic() + LOST_AFTER_S
        while time.monotonic() < end:
            with mesh.acquire([1, 2]):
                mesh.route([1, 2]).booking.finish()
        # Raised where the interpreter itself drops what is raised: amid freeing something.
        lost.append(True)
        raise Interrupt

    delays, left = random.Random(7), []
    before = signal.signal(signal.SIGALRM, raising)
    try:
        for _ in range(300):
            with pytest.raises(Interrupt):
                signal.setitimer(signal.ITIMER_REAL, delays.uniform(1e-6, 2e-3))
                work()
            assert is_well(mesh)
            # What a caller was handed and lost, between the call and the block, is his.
            for lease in list(sidecar.locked):
                left.append(lease)
                mesh._link.call(methods.release(lease), Deadline(5))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(left) < 10 and len(sidecar.bookings) < 10
    assert len(lost) < 3
