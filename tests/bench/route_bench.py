#!/usr/bin/python3
"""How fast a Python gateway routes: real sidecars, one of them a router, prompts of 8k tokens that
one node holds. Beside it the same calls with an empty prompt, so that what routing itself adds can
be read off. Checks that every route found the prefix where it is.

    PYTHONPATH=ipc/python tests/bench/route_bench.py [--nodes 64] [--tokens 8192] [--seconds 3]
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from loopback import Mesh, wait_until  # noqa: E402

import radixmesh  # noqa: E402

IN_FLIGHT = 16
READY_S_MAX = 120.0


def started_mesh(folder, nodes):
    mesh = Mesh(Path(folder), unified=nodes, router=1, flags=["--page-size", 16])
    for node in mesh.nodes:
        node.start()
    for node in mesh.nodes:
        wait_until(node.ready, f"{node.name} is ready", READY_S_MAX)
    router = mesh["r0"].client
    wait_until(
        lambda: not any(each.excluded for each in router.explain([]).candidates),
        "the router may choose all nodes",
        READY_S_MAX,
    )
    return mesh


def one_at_a_time(router, tokens, home, book, seconds):
    """The median time of a call in microseconds."""
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        route = router.route(tokens, book=book)
        times.append(time.perf_counter() - begin)
        assert not len(tokens) or route.prefill.addr == home or book
        if book:
            route.booking.finish()
    return statistics.median(times) * 1e6


async def pipelined(socket, tokens, home, book, seconds):
    """Routed requests per second; a booked one is ended as well."""
    done = 0
    async with await radixmesh.aio.connect(socket) as router:
        end = time.perf_counter() + seconds

        async def work():
            nonlocal done
            while time.perf_counter() < end:
                route = await router.route(tokens, book=book)
                assert route.prefill.addr == home or book
                if book:
                    await route.booking.finish()
                done += 1

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return done / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    tokens = array("I", range(options.tokens))
    with tempfile.TemporaryDirectory(prefix="rb") as folder:
        mesh = started_mesh(folder, options.nodes)
        try:
            home, router = mesh["u1"], mesh["r0"]
            home.client.insert(tokens, [(0, len(tokens))])
            wait_until(
                lambda: home.addr in router.client.match_prefix(tokens).depths, "it is known", 20
            )
            print(f"{options.nodes} nodes and a router, prompts of {options.tokens} tokens")
            for book in (False, True):
                nothing = one_at_a_time(router.client, [], home.addr, book, options.seconds)
                whole = one_at_a_time(router.client, tokens, home.addr, book, options.seconds)
                rate = asyncio.run(
                    pipelined(router.socket, tokens, home.addr, book, options.seconds)
                )
                print(
                    f"{'booked' if book else 'asked only'}: {whole:.1f} us a call, one at a time"
                    f" ({nothing:.1f} without a prompt); {rate:,.0f} a second,"
                    f" {IN_FLIGHT} under way"
                )
        finally:
            mesh.kill()


if __name__ == "__main__":
    main()
