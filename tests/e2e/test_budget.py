"""What an idle sidecar costs."""

import time

from loopback import wait_until

CPU_PERCENT_MAX = 1.0
MEMORY_BYTES_MAX = 30 * 1024 * 1024
WATCHED_S = 6.0


def test_an_idle_sidecar_of_six(mesh_of):
    mesh = mesh_of(prefill=3, decode=2, router=1).start()
    mesh.wait_alive()
    mesh.wait_agree()
    for node in mesh.nodes:
        node.disconnect()
    before = [node.cpu_seconds() for node in mesh.nodes]
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > WATCHED_S, "the time is over", 2 * WATCHED_S)
    seconds = time.monotonic() - begin
    for node, earlier in zip(mesh.nodes, before):
        cpu_percent = 100 * (node.cpu_seconds() - earlier) / seconds
        memory_mib = node.memory_bytes() / 2**20
        print(f"{node.name}: {cpu_percent:.2f} % of a core, {memory_mib:.1f} MiB")
        assert cpu_percent <= CPU_PERCENT_MAX
        assert node.memory_bytes() <= MEMORY_BYTES_MAX
