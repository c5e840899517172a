"""What a sidecar says, and with what it ends, where it cannot start; and where it can after all."""

import os
import socket
import stat
import subprocess

import pytest

from loopback import Reservation, alive_at, binary, run_sidecar, wait_until
from raw_ipc import RawClient

OK, USAGE, RESOURCE = 0, 64, 69


@pytest.fixture
def reservation():
    reservation = Reservation()
    yield reservation
    reservation.close()


@pytest.fixture
def good(reservation, short_folder):
    """The options of a node alone, as a dict of flags."""
    return {
        "--prefill-cache-nodes": reservation.addr,
        "--local-cache-addr": reservation.addr,
        "--ipc": short_folder / "a.sock",
    }


def flags(options):
    return [part for pair in options.items() for part in pair]


def assert_ended(outcome, code, *words):
    assert outcome.returncode == code, outcome
    lines = outcome.stderr.splitlines()
    # What it logged before that has a level; the reason is the one line without.
    reasons = [line for line in lines if "level=info" not in line]
    assert len(reasons) == 1, outcome.stderr
    assert reasons[0].startswith("radixmesh-sidecar: ")
    for word in words:
        assert word in reasons[0]


# ---- options -------------------------------------------------------------------------------------


def test_check_config_says_that_a_good_one_is_good(good):
    outcome = run_sidecar([*flags(good), "--check-config"])
    assert (outcome.returncode, outcome.stderr) == (OK, "")
    assert "good" in outcome.stdout
    assert not os.path.exists(good["--ipc"])


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_end_with_0(flag):
    outcome = run_sidecar([flag])
    assert (outcome.returncode, outcome.stderr) == (OK, "")
    assert outcome.stdout


def test_help_names_every_option_of_the_contract_and_its_variable():
    text = run_sidecar(["--help"]).stdout
    for name in (
        "prefill-cache-nodes decode-cache-nodes router-cache-nodes unified-cache-nodes "
        "local-cache-addr publish-addr join role rank ipc page-size topology policy "
        "max-radix-cache-size log-level"
    ).split():
        assert f"--{name}" in text
        assert f"RADIXMESH_{name.replace('-', '_').upper()}" in text
    assert "--config" in text and "--check-config" in text


@pytest.mark.parametrize(
    "change, word",
    [
        ({"--page-size": "0"}, "page"),
        ({"--page-size": "-1"}, "--page-size"),
        ({"--page-size": "1025"}, "page"),
        ({"--page-size": "many"}, "--page-size"),
        ({"--page-size": "4294967297"}, "--page-size"),
        ({"--pagesize": "1"}, "--pagesize"),
        ({"--topology": "star"}, "--topology"),
        ({"--policy": "luck"}, "--policy"),
        ({"--role": "king"}, "--role"),
        ({"--role": "decode"}, "--role"),
        ({"--rank": "1"}, "--rank"),
        ({"--log-level": "loud"}, "--log-level"),
        ({"--log-format": "xml"}, "--log-format"),
        ({"--max-radix-cache-size": "-5"}, "--max-radix-cache-size"),
        ({"--keep-remote-slots": "perhaps"}, "--keep-remote-slots"),
        ({"--local-cache-addr": "127.0.0.1:1"}, "127.0.0.1:1"),
        ({"--prefill-cache-nodes": "127.0.0.1:0", "--local-cache-addr": "127.0.0.1:0"}, ":0"),
        ({"--local-cache-addr": "nowhere"}, "--local-cache-addr"),
        ({"--local-cache-addr": "127.0.0.1:65536"}, "--local-cache-addr"),
        ({"--publish-addr": "127.0.0.1"}, "--publish-addr"),
        ({"--decode-cache-nodes": "127.0.0.1:x"}, "--decode-cache-nodes"),
        ({"--decode-cache-nodes": ":5"}, "--decode-cache-nodes"),
        ({"--cluster": "c" * 129}, "cluster"),
        ({"--config": "/nonexistent.toml"}, "nonexistent.toml"),
    ],
)
def test_a_wrong_option_is_named(good, change, word):
    assert_ended(run_sidecar([*flags({**good, **change}), "--check-config"]), USAGE, word)
    assert_ended(run_sidecar(flags({**good, **change})), USAGE, word)


@pytest.mark.parametrize("missing", ["--local-cache-addr", "--ipc", "--prefill-cache-nodes"])
def test_a_missing_option_is_named(good, missing):
    del good[missing]
    words = [] if missing == "--prefill-cache-nodes" else [missing]
    assert_ended(run_sidecar(flags(good)), USAGE, *words)


def test_an_address_may_stand_in_the_lists_once(good, reservation):
    for again in ("--decode-cache-nodes", "--router-cache-nodes"):
        outcome = run_sidecar(flags({**good, again: reservation.addr}))
        assert_ended(outcome, USAGE, reservation.addr, "twice")


def test_an_unknown_argument_is_refused(good):
    assert_ended(run_sidecar([*flags(good), "now"]), USAGE, "now")


# ---- the TOML file and the variables -------------------------------------------------------------


def toml_of(folder, lines):
    path = folder / "sidecar.toml"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def variables_of(options):
    return {
        "RADIXMESH_" + flag[2:].replace("-", "_").upper(): str(value)
        for flag, value in options.items()
    }


def test_every_option_may_come_from_a_file(mesh_of):
    mesh = mesh_of(prefill=2, decode=1)
    for node in mesh.nodes:
        peers = [other.addr for other in mesh.nodes if other.role == "prefill"]
        node.flags = [
            "--config",
            str(
                toml_of(
                    node.log.parent,
                    [
                        f"prefill-cache-nodes = {peers}".replace("'", '"'),
                        f'decode-cache-nodes = "{mesh["d0"].addr}"',
                        f'cluster = "{mesh.cluster}"',
                        "page-size = 16",
                        'topology = "ring"',
                        "max-radix-cache-size = 4096",
                    ],
                )
            ),
            *("--local-cache-addr", node.addr, "--ipc", node.socket),
        ]
    mesh.start()
    for node in mesh.nodes:
        status = node.client.status()
        assert (status["page_size"], status["topology"]) == (16, "ring")
        assert status["cluster"] == mesh.cluster
    mesh["p0"].client.insert(list(range(8192)), [(0, 8192)])
    assert mesh["p0"].client.status()["local_tokens"] <= 4096
    mesh.wait_agree()


def test_every_option_may_come_from_a_variable(mesh_of):
    mesh = mesh_of(prefill=1, router=1)
    for node in mesh.nodes:
        node.env = variables_of(
            {
                "--prefill-cache-nodes": mesh["p0"].addr,
                "--router-cache-nodes": mesh["r0"].addr,
                "--cluster": mesh.cluster,
                "--page-size": 8,
                "--local-cache-addr": node.addr,
                "--ipc": node.socket,
            }
        )
        node.flags = []
    mesh.start()
    assert {node.client.status()["page_size"] for node in mesh.nodes} == {8}
    assert {node.client.status()["cluster"] for node in mesh.nodes} == {mesh.cluster}


@pytest.mark.parametrize(
    "flag, line, variable, expected",
    [
        ("4", "page-size = 8", "16", 4),
        ("4", None, "16", 4),
        (None, "page-size = 8", "16", 8),
        (None, None, "16", 16),
        (None, None, None, 1),
    ],
)
def test_flags_win_over_the_file_and_the_file_over_variables(
    mesh_of, flag, line, variable, expected
):
    node = mesh_of(prefill=1).nodes[0]
    if flag:
        node.flags += ["--page-size", flag]
    if line:
        node.flags += ["--config", str(toml_of(node.log.parent, [line]))]
    if variable:
        node.env["RADIXMESH_PAGE_SIZE"] = variable
    node.start()
    wait_until(node.ready, "ready")
    assert node.client.info.page_size == expected


# ---- what is in use, or cannot be opened ---------------------------------------------------------


@pytest.mark.parametrize("flag", ["--local-cache-addr", "--publish-addr"])
def test_an_address_in_use(good, flag):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        addr = f"127.0.0.1:{taken.getsockname()[1]}"
        change = {flag: addr}
        if flag == "--local-cache-addr":
            change["--prefill-cache-nodes"] = addr
        assert_ended(run_sidecar(flags({**good, **change})), RESOURCE, "in use", addr)
    assert not os.path.exists(good["--ipc"])


def test_an_address_of_another_host(good):
    change = {"--local-cache-addr": "192.0.2.1:5555", "--prefill-cache-nodes": "192.0.2.1:5555"}
    assert_ended(run_sidecar(flags({**good, **change})), RESOURCE, "192.0.2.1")


def test_a_socket_that_a_live_sidecar_serves_is_in_use(mesh_of, good):
    node = mesh_of(prefill=1).start().nodes[0]
    outcome = run_sidecar(flags({**good, "--ipc": node.socket}))
    assert_ended(outcome, RESOURCE, "in use", node.socket)
    assert node.client.status()["ready"], "the live one keeps its socket"


def test_a_socket_that_nobody_answers_is_replaced(mesh_of):
    node = mesh_of(prefill=1).start().nodes[0]
    node.kill()
    assert stat.S_ISSOCK(os.stat(node.socket).st_mode), "kill -9 leaves it there"
    node.start()
    wait_until(node.ready, "it starts over the old socket")
    assert stat.S_IMODE(os.stat(node.socket).st_mode) == 0o660
    assert node.stop() == 0
    assert not os.path.exists(node.socket), "a clean stop takes it along"
    node._process = None


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_a_path_that_is_no_socket_is_left_alone(good, kind):
    path = good["--ipc"]
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    assert_ended(run_sidecar(flags(good)), RESOURCE, str(path))
    assert os.path.lexists(path)
    if kind == "file":
        assert path.read_text() == "mine"


def test_a_socket_path_that_is_too_long(good, short_folder):
    change = {"--ipc": short_folder / ("s" * 120)}
    assert_ended(run_sidecar(flags({**good, **change})), RESOURCE, "107")


def test_a_folder_that_is_not_there(good, short_folder):
    change = {"--ipc": short_folder / "not" / "there.sock"}
    assert_ended(run_sidecar(flags({**good, **change})), RESOURCE, "No such file or directory")


def test_a_folder_that_cannot_be_written(good, short_folder):
    # Not even root may create a file in procfs.
    folder = "/proc" if os.geteuid() == 0 else str(short_folder)
    if os.geteuid() != 0:
        short_folder.chmod(0o500)
    outcome = run_sidecar(flags({**good, "--ipc": f"{folder}/a.sock"}))
    assert_ended(outcome, RESOURCE, f"{folder}/a.sock")


def test_a_disk_without_room(good, short_folder):
    full = short_folder / "full"
    full.mkdir()
    script = 'mount -t tmpfs -o nr_inodes=1 none "$1" && exec "${@:2}"'
    options = flags({**good, "--ipc": full / "a.sock"})
    outcome = subprocess.run(
        ["unshare", "-rm", "bash", "-c", script, "-", full, binary(), *map(str, options)],
        capture_output=True,
        text=True,
        timeout=10,
    )
    if "unshare" in outcome.stderr or "mount" in outcome.stderr:
        pytest.skip(f"no mount namespaces here: {outcome.stderr.strip()}")
    assert_ended(outcome, RESOURCE, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nothing(mesh_of):
    node = mesh_of(prefill=1).nodes[0]
    node.log = node.log.parent / "full"
    node.log.symlink_to("/dev/full")
    node.lines = lambda: []
    node.start()
    wait_until(node.ready, "ready")
    node.client.insert([1, 2, 3], [(0, 3)])


# ---- peers that are not there, or do not fit -----------------------------------------------------


def test_peers_that_cannot_be_reached_are_tried_again(mesh_of):
    mesh = mesh_of(prefill=2, decode=1)
    p0 = mesh["p0"].start()
    wait_until(p0.answers, "cache calls work before the node is ready")
    p0.client.insert(list(range(10)), [(0, 10)])
    wait_until(
        lambda: sum("reason=\"no connection" in line for line in p0.lines()) == 2,
        "each member that is not there is named",
    )
    assert alive_at(p0) == {p0.addr}
    status = p0.client.status()
    assert (status["ready"], status["sees"]) == (False, [0, 2])
    assert status["why_not_ready"] == "it hears none of the 2 others"
    mesh["d0"].start()
    wait_until(mesh["d0"].answers, "d0 answers")
    mesh.wait_alive()
    mesh.wait_agree()
    status = p0.client.status()
    assert (status["ready"], status["sees"]) == (False, [1, 2]), "one of two others is no majority"
    assert mesh["d0"].client.match_prefix(list(range(10))).depths == {p0.addr: 10}
    assert len(p0.lines()) < 12, "no line per attempt"
    mesh.start("p1")
    mesh.wait_ready(*mesh.nodes)
    mesh.wait_alive()
    mesh.wait_agree()


def test_ready_is_lost_when_nobody_is_heard_and_not_when_some_die(mesh_of):
    mesh = mesh_of(prefill=3).start()
    p0 = mesh["p0"]
    mesh["p1"].kill()
    wait_until(lambda: p0.client.status()["sees"] == [1, 2], "p1 is missed")
    assert p0.client.status()["ready"]
    mesh["p2"].kill()
    wait_until(lambda: not p0.client.status()["ready"], "nobody is heard")
    p0.wait_said("not_ready")
    assert p0.client.route(list(range(64)), book=False).reason == "nobody"
    mesh.start("p1", "p2")
    mesh.wait_ready(p0)


def test_a_mesh_of_two_stays_ready_alone_where_it_is_told_to(mesh_of):
    mesh = mesh_of(prefill=2, flags=["--ready-needs", "self"])
    p0 = mesh["p0"].start()
    mesh.wait_ready(p0)
    mesh.start("p1")
    mesh.wait_alive()
    mesh["p1"].kill()
    wait_until(lambda: p0.client.status()["sees"] == [0, 1], "p1 is missed")
    assert p0.client.status()["ready"]


def refusal_at(node, other):
    """Asked by hand: what `nodes` says of the other, as it is on the wire."""
    with RawClient(node.socket) as client:
        rows = client.call("nodes")
    return next(row for row in rows if row["addr"] == other.addr)["refusal"]


@pytest.mark.parametrize(
    "flag, values, words",
    [
        ("--page-size", ("1", "16"), ("page_size", "1 ", "16 ")),
        ("--cluster", ("blue", "green"), ("cluster", "blue", "green")),
    ],
)
def test_nodes_whose_settings_differ_refuse_each_other_and_say_why(mesh_of, flag, values, words):
    mesh = mesh_of(prefill=1, decode=1)
    p0, d0 = mesh.nodes
    for node, value in zip(mesh.nodes, values):
        if flag in node.flags:
            node.flags[node.flags.index(flag) + 1] = f"{mesh.cluster}-{value}"
        else:
            node.flags += [flag, value]
        node.start()
    for node in mesh.nodes:
        wait_until(node.answers, f"{node.name} answers")
    p0.client.insert([1, 2, 3], [(0, 3)])
    for node, other in ((p0, d0), (d0, p0)):
        reason = wait_until(lambda: refusal_at(node, other), f"{node.name} says why")
        assert all(word.strip() in reason for word in words)
        assert alive_at(node) == {node.addr}
    assert d0.client.match_prefix([1, 2, 3]).length == 0
    # They go on trying, every half second; the log says it once a side.
    refused = d0.client.status()["counters"]["introductions_refused"]
    wait_until(
        lambda: d0.client.status()["counters"]["introductions_refused"] >= refused + 6, "tries"
    )
    for node in mesh.nodes:
        node.wait_said("refused")
        said = [line for line in node.lines() if "refused" in line]
        assert 1 <= len(said) <= 2, f"{node.name} said {len(said)} lines:\n" + "\n".join(said)


def test_node_lists_that_differ_are_refused_by_both(mesh_of):
    mesh = mesh_of(prefill=1, decode=1)
    p0, d0 = mesh.nodes
    d0.flags[d0.flags.index("--prefill-cache-nodes") + 1] += f",{Reservation().addr}"
    for node in mesh.nodes:
        node.start()
        wait_until(node.answers, f"{node.name} answers")
    for node, other in ((p0, d0), (d0, p0)):
        reason = wait_until(lambda: refusal_at(node, other), f"{node.name} says why")
        assert "rank" in reason
        wait_until(lambda: alive_at(node) == {node.addr}, f"{node.name} is alone", 8)
