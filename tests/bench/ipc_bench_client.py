"""What ipc_bench measures of the Python client.

    ipc_bench_client.py SOCKET TOKENS ROUNDS

Inserts a prompt of its own, then asks for it with a numpy array. Prints a JSON array, one object a
call: {"call", "sidecar": {"p50_us", "p99_us"}}.
"""

import json
import sys
import time

import numpy

import radixmesh


def measure(name, rounds, call):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e6)
    times.sort()
    last = len(times) - 1
    return {
        "call": name,
        "sidecar": {"p50_us": times[last // 2], "p99_us": times[int(last * 0.99)]},
    }


def main():
    path, count, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tokens = numpy.random.default_rng(1).integers(0, 128_000, count, dtype=numpy.uint32)
    tokens[0] = 127_999  # a prompt that ipc_bench itself does not use
    mesh = radixmesh.connect(path)
    stored = mesh.insert(tokens, [(1 << 40, count)]).stored
    assert stored == count, f"{stored} tokens stored, expected {count}"

    def match_prefix():
        length = mesh.match_prefix(tokens).local_length
        assert length == count, f"{length} tokens matched, expected {count}"

    def route():
        depth = mesh.route(tokens, book=False).prefill.depth
        assert depth == count, f"a route of depth {depth}, expected {count}"

    rows = [
        measure("match_prefix by the Python client", rounds, match_prefix),
        measure("route by the Python client", rounds, route),
    ]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
