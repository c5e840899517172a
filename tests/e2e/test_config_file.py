"""The TOML file: what may stand in it, and that each mistake is named with its line."""

import os
import subprocess

import pytest

from configured import ALONE, SELF, assert_good, check, flags_of, said_of, toml_of
from loopback import binary


def said_of_file(folder, lines):
    """What is said of a file, without its path before it."""
    config = toml_of(folder, lines)
    said = said_of(check([*flags_of(ALONE), "--config", config]))
    assert said.startswith(f"{config}:"), said
    return said[len(f"{config}:") :]


# ---- what may stand in it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        'decode-cache-nodes = ["d0:1", "d1:1"]',
        'decode-cache-nodes = "d0:1, d1:1"',
        'decode-cache-nodes = [\n  "d0:1",  # the first\n  "d1:1",\n]',
        "decode-cache-nodes = []",
        'router-cache-nodes = ["[2001:db8::1]:5001"]',
        "page-size = 16 # tokens",
        "page-size = 0x10",
        'max-radix-cache-size = 1_000_000\n"page-size" = 16',
        "tick = 5",
        "tick = 5.5",
        "tick = 5e1",
        "keep-remote-slots = false",
        "cluster = 'blue \"one\"'",
        'cluster = "ünïcode"',
        "",
        "\ufeffpage-size = 16",
    ],
)
def test_what_is_good(tmp_path, line):
    assert_good(check([*flags_of(ALONE), "--config", toml_of(tmp_path, [line])]))


def test_a_whole_configuration_in_a_file(tmp_path):
    config = toml_of(
        tmp_path,
        [
            "# every node has this file",
            f'prefill-cache-nodes = ["{SELF}", "p1:5001"]',
            f'local-cache-addr = "{SELF}"',
            'ipc = "/run/radixmesh.sock"',
        ],
    )
    assert_good(check(["--config", config]))
    assert_good(check([], env={"RADIXMESH_CONFIG": str(config)}))


def test_lines_may_end_as_on_other_systems(tmp_path):
    path = tmp_path / "sidecar.toml"
    path.write_bytes(b"page-size = 16\r\ntick = 5\r\n")
    assert_good(check([*flags_of(ALONE), "--config", path]))


# ---- syntax --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines, line",
    [
        (["page-size = 16", "what?"], 2),
        (["page-size"], 1),
        (["page-size ="], 1),
        (["# good", "page-size = 16 17"], 2),
        (["page-size: 16"], 1),
        (["= 16"], 1),
        (["topology = ring"], 1),
        (["page-size = sixteen"], 1),
        (["tick = 5", 'topology = "ring'], 2),
        (["tick = 5", 'decode-cache-nodes = ["a:1"'], 2),
        (["tick = 5", "", "tick = 6"], 3),
        (["tick = 5", '"tick" = 6'], 2),
        (["page-size = 99999999999999999999"], 1),
        (["[mesh", "page-size = 16"], 1),
        (["page-size = 016"], 1),
    ],
)
def test_what_is_no_toml_is_named_with_its_line(tmp_path, lines, line):
    said = said_of_file(tmp_path, lines)
    number, _, rule = said.partition(": ")
    # What is open at the end of a line, or of the file, may be noticed there.
    assert int(number) in (line, len(lines) + 1), said
    assert rule.startswith("not TOML: ") and len(rule) > len("not TOML: ") + 10


def test_what_is_long_is_not_repeated_in_full(tmp_path):
    name = "k" * 100_000
    assert len(said_of_file(tmp_path, [f"{name} = 1"])) < 400
    assert len(said_of_file(tmp_path, [f"{name} = 1", f"{name} = 2"])) < 400


def test_a_key_twice_is_called_that(tmp_path):
    said = said_of_file(tmp_path, ["tick = 5", "page-size = 4", "tick = 6"])
    assert said.startswith("3: ") and "redefine" in said and "tick" in said


@pytest.mark.parametrize("text", [b"tick = 5\ncluster = \"\xff\"\n", b"tick = 5\n\0\n"])
def test_bytes_that_are_no_text(tmp_path, text):
    path = tmp_path / "sidecar.toml"
    path.write_bytes(text)
    assert said_of(check([*flags_of(ALONE), "--config", path])).startswith(f"{path}:2: not TOML: ")


# ---- sections, types and values ------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines, line, name",
    [
        (["tick = 5", "[mesh]", "page-size = 4"], 2, "mesh"),
        (["[page-size]"], 1, "page-size"),
        (["[[nodes]]", 'addr = "a:1"'], 1, "nodes"),
        (["tick = 5", "mesh.page-size = 4"], 2, "mesh"),
    ],
)
def test_sections_have_no_place(tmp_path, lines, line, name):
    said = said_of_file(tmp_path, lines)
    assert said.startswith(f'{line}: "{name}": sections') and "page-size = 16" in said


WHOLE, NUMBER = "a whole number", "a number"
TEXT, BOOLEAN = "text in quotes", "true or false"
LIST = "a list of texts, or text in quotes with commas"


@pytest.mark.parametrize(
    "name, value, takes, has",
    [
        ("page-size", '"16"', WHOLE, TEXT),
        ("page-size", "16.0", WHOLE, "a number with a point"),
        ("page-size", "true", WHOLE, BOOLEAN),
        ("page-size", "[16]", WHOLE, "a list"),
        ("page-size", "{ tokens = 16 }", WHOLE, "a table"),
        ("page-size", "2026-01-01", WHOLE, "a date or a time"),
        ("tick", '"5"', NUMBER, TEXT),
        ("tick", "[5, 6]", NUMBER, "a list"),
        ("keep-remote-slots", '"true"', BOOLEAN, TEXT),
        ("keep-remote-slots", "1", BOOLEAN, WHOLE),
        ("topology", "5", TEXT, WHOLE),
        ("topology", '["ring"]', TEXT, "a list"),
        ("local-cache-addr", f'["{SELF}"]', TEXT, "a list"),
        ("cluster", "{}", TEXT, "a table"),
        ("decode-cache-nodes", "5001", LIST, WHOLE),
        ("decode-cache-nodes", '["d0:1", 5001]', LIST, WHOLE),
        ("decode-cache-nodes", '[["d0:1"]]', LIST, "a list"),
        ("join", "true", LIST, BOOLEAN),
    ],
)
def test_a_value_of_another_type(tmp_path, name, value, takes, has):
    options = {flag: given for flag, given in ALONE.items() if flag != f"--{name}"}
    config = toml_of(tmp_path, ["", f"{name} = {value}"])
    said = said_of(check([*flags_of(options), "--config", config]))
    assert said == f"{config}:2: {name}: takes {takes}, not {has}"


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e300", "0.0"])
def test_numbers_that_toml_has_and_options_have_not(tmp_path, value):
    said = said_of_file(tmp_path, [f"tick = {value}"])
    assert said.startswith("1: tick: ") and said.endswith("is not a number from 0.01 to 1000000")


def test_the_line_of_an_item(tmp_path):
    said = said_of_file(tmp_path, ["decode-cache-nodes = [", '  "d0:1",', '  "d1:99999",', "]"])
    assert said.startswith('3: decode-cache-nodes: "d1:99999" has no port')
    said = said_of_file(tmp_path, ["decode-cache-nodes = [", '  "d0:1",', '  "D0:1"', "]"])
    assert said.startswith("3: decode-cache-nodes: ") and "twice" in said
    said = said_of_file(tmp_path, ["decode-cache-nodes = [", '  "d0:1", ""]'])
    assert said.startswith("2: decode-cache-nodes: ")


@pytest.mark.parametrize("addr", ["10.0.0.1\\u0000:1", "[::1\\u0000]:1", "d0\\n:1", "d0:1\\u0000"])
def test_no_address_has_odd_bytes(tmp_path, addr):
    said = said_of_file(tmp_path, [f'decode-cache-nodes = ["{addr}"]'])
    assert said.startswith('1: decode-cache-nodes: "') and "?" in said


def test_the_first_mistake_of_a_file_is_named(tmp_path):
    assert said_of_file(tmp_path, ["zzz = 1", "aaa = 1"]).startswith('1: "zzz"')


# ---- the file itself -----------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "none.toml"
    assert said_of(check([*flags_of(ALONE), "--config", path])) == (
        f"--config: {path} cannot be read: No such file or directory"
    )
    said = said_of(check(flags_of(ALONE), env={"RADIXMESH_CONFIG": str(path)}))
    assert said == f"RADIXMESH_CONFIG: {path} cannot be read: No such file or directory"


def test_a_folder(tmp_path):
    said = said_of(check([*flags_of(ALONE), "--config", tmp_path]))
    assert said == f"--config: {tmp_path} cannot be read: Is a directory"


def test_a_file_that_may_not_be_read(tmp_path):
    path = toml_of(tmp_path, ["page-size = 16"])
    if os.geteuid() == 0:
        path = "/proc/self/mem"  # not even root may read where it begins
    else:
        path.chmod(0)
    said = said_of(check([*flags_of(ALONE), "--config", path]))
    assert said.startswith(f"--config: {path} cannot be read: ")


def test_a_path_of_two_lines():
    said = said_of(check([*flags_of(ALONE), "--config", "/no/such\nfile"]))
    assert said.startswith('--config: "/no/such?file" has control characters')


def test_a_file_without_an_end():
    said = said_of(check([*flags_of(ALONE), "--config", "/dev/zero"]))
    assert said == "--config: /dev/zero has more than 1048576 bytes"


def test_nested_for_ever(tmp_path):
    said = said_of_file(tmp_path, ["page-size = " + "[" * 100_000])
    assert said.startswith("1: not TOML: ")


def test_a_file_that_is_a_pipe():
    script = 'exec "$0" "$@" --check-config --config <(echo page-sise = 4)'
    outcome = subprocess.run(
        ["bash", "-c", script, binary(), *flags_of(ALONE)],
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert ':1: "page-sise": ' in said_of(outcome)
