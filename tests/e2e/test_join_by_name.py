"""A DNS name that stands for several addresses counts as several seeds: one of them is enough."""

from steered_mesh import skip_without_mount_namespaces, wrapper_of


def test_one_of_the_addresses_of_a_name_lets_the_node_in(mesh_of, short_folder):
    skip_without_mount_namespaces(short_folder / "probe")
    mesh = mesh_of(prefill=1, router=1).start()
    mesh.wait_alive()
    p0 = mesh["p0"]
    hosts = short_folder / "hosts"
    # At the first two addresses nobody listens.
    hosts.write_text("".join(f"127.0.0.{last} seeds.steered\n" for last in (201, 202, 1)))
    joiner = mesh.add("j0", "prefill", p0)
    port = p0.addr.rpartition(":")[2]
    joiner.flags[joiner.flags.index("--join") + 1] = f"seeds.steered:{port}"
    joiner.wrapper = wrapper_of(hosts)
    joiner.start()
    mesh.wait_ready(joiner)
    mesh.wait_alive()
    joiner.client.insert(list(range(64)), [(0, 64)])
    mesh.wait_agree()
