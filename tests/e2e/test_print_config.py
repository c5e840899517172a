"""--print-config, --help and what README.md says of the options."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from configured import ALONE, OK, SELF, assert_good, check, flags_of, said_of, toml_of, variable_of
from loopback import binary, run_sidecar

tomllib = pytest.importorskip("tomllib")

ROOT = Path(__file__).resolve().parents[2]
COLUMNS_MAX = 100


def printed(arguments, env=None):
    outcome = run_sidecar([*arguments, "--print-config"], env=env)
    assert (outcome.returncode, outcome.stderr) == (OK, ""), outcome
    return outcome.stdout


def help_text():
    return run_sidecar(["--help"]).stdout


def options_of_help():
    """(flag, what stands behind it) of all."""
    return dict(re.findall(r"^  (--[a-z-]+)(.*)$", help_text(), re.MULTILINE))


# ---- --print-config ------------------------------------------------------------------------------

# One of each kind, none of them the default.
ALL_KINDS = {
    "prefill-cache-nodes": [SELF, "p1:5001", "[2001:db8::1]:5001"],
    "decode-cache-nodes": ["d0:5001"],
    "role": "prefill",
    "rank": 0,
    "cluster": 'the "blue" \\ one, größer',
    "local-cache-addr": SELF,
    "publish-addr": "127.0.0.1:0",
    "ipc": "/run/radixmesh/" + "long-" * 20 + ".sock",
    "page-size": 16,
    "topology": "ring",
    "heartbeat": 0.29,
    "tick": 12,
    "suspect-after": 2.000001,
    "policy": "prefix_first",
    "prefill-rate": 12345.678,
    "transfer-rate": 1e12,
    "affinity": 0,
    "max-radix-cache-size": 2**63 - 1,
    "keep-remote-slots": False,
    "gc": "local-ref",
    "gc-silent-reader": "lease",
    "log-level": "debug",
    "log-format": "json",
}


def as_text(value):
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def assert_has(text, options):
    values = tomllib.loads(text)
    assert {name: values[name] for name in options} == options


def test_what_is_printed_is_a_file_that_says_the_same(tmp_path):
    text = printed([f"--{name}={as_text(value)}" for name, value in ALL_KINDS.items()])
    assert_has(text, ALL_KINDS)
    saved = tmp_path / "saved.toml"
    saved.write_text(text)
    assert tomllib.loads(printed(["--config", saved])) == tomllib.loads(text)


def test_defaults_too_make_a_file_that_says_the_same(tmp_path):
    text = printed(flags_of(ALONE))
    saved = tmp_path / "saved.toml"
    saved.write_text(text)
    assert tomllib.loads(printed(["--config", saved])) == tomllib.loads(text)


def test_a_node_that_joins(tmp_path):
    joining = ["--join", "p0:1,p1:1", "--role", "router", "--local-cache-addr", SELF]
    text = printed([*joining, "--ipc", "a.sock"])
    assert_has(text, {"join": ["p0:1", "p1:1"], "role": "router", "prefill-cache-nodes": []})
    saved = tmp_path / "saved.toml"
    saved.write_text(text)
    assert tomllib.loads(printed(["--config", saved])) == tomllib.loads(text)


def origin_of(text, name):
    """What the comment behind an option's value says, or the one above it."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{name} = "))
    _, mark, comment = lines[at].partition("  # ")
    return comment if mark else lines[at - 1][2:].rstrip(":")


def test_where_each_value_comes_from(tmp_path):
    config = toml_of(tmp_path, ["# first", "tick = 5", "heartbeat = 0.25", "page-size = 2"])
    env = {"RADIXMESH_TICK": "6", "RADIXMESH_TOPOLOGY": "ring", "RADIXMESH_CONFIG": str(config)}
    text = printed([*flags_of(ALONE), "--page-size", "4"], env=env)
    assert_has(text, {"tick": 5, "heartbeat": 0.25, "page-size": 4, "topology": "ring"})
    assert origin_of(text, "page-size") == "--page-size"
    assert origin_of(text, "tick").endswith(f"{config}:2")
    assert origin_of(text, "heartbeat").endswith(f"{config}:3")
    assert origin_of(text, "topology") == "RADIXMESH_TOPOLOGY"
    assert origin_of(text, "policy") == "default"
    assert f'# File: "{config}", from RADIXMESH_CONFIG' in text.splitlines()


def test_the_line_of_a_list_is_that_of_its_key(tmp_path):
    config = toml_of(tmp_path, ["", "decode-cache-nodes = [", '"d0:1",', '"d1:1"]'])
    text = printed([*flags_of(ALONE), "--config", config])
    assert origin_of(text, "decode-cache-nodes").endswith(":2")


def test_the_print_is_aligned_and_not_wide():
    text = printed(flags_of(ALONE))
    lines = text.splitlines()
    assert max(map(len, lines)) <= COLUMNS_MAX
    columns = {line.index("  # ") for line in lines if " = " in line and "  # " in line}
    marks = {line.index("# ", line.index(" = ")) for line in lines if "  # " in line}
    assert columns and len(marks) == 1
    assert len([line for line in lines if line.startswith("# ----")]) >= 6


def test_it_has_every_option_that_the_file_may_have():
    text = printed(flags_of(ALONE))
    for flag, value in options_of_help().items():
        if value and flag != "--config" and not flag.startswith("--help"):
            assert re.search(rf"^(# )?{flag[2:]} (=|is not set)", text, re.MULTILINE), flag


def test_a_configuration_that_is_wrong_is_not_printed():
    assert said_of(check([*flags_of(ALONE), "--page-size", "0", "--print-config"]))


def test_what_kubernetes_set_is_told():
    env = {"RADIXMESH_SERVICE_HOST": "10.0.0.1", "RADIXMESH_P0_SERVICE_PORT": "5001"}
    text = printed(flags_of(ALONE), env=env)
    assert "# Variables that Kubernetes set, and that are no options: 2 for" in text
    assert tomllib.loads(text) == tomllib.loads(printed(flags_of(ALONE)))


@pytest.mark.parametrize("flag", ["--print-config", "--check-config", "--help", "--version"])
def test_text_that_cannot_be_written_is_no_success(flag):
    with open("/dev/full", "w") as full:
        outcome = subprocess.run(
            [binary(), *flags_of(ALONE), flag],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=10,
        )
    assert outcome.returncode == 69 and "standard output" in outcome.stderr


# ---- --help --------------------------------------------------------------------------------------


def test_help_stands_in_groups_and_is_not_wide():
    text = help_text()
    assert max(map(len, text.splitlines())) <= COLUMNS_MAX
    groups = re.findall(r"^([A-Z][a-z ]+):$", text, re.MULTILINE)
    assert groups == [
        "Members",
        "Addresses",
        "The mesh and its timing",
        "Routing",
        "The cache",
        "Collecting duplicates",
        "Log and configuration",
    ]


def test_help_has_the_default_of_everything_that_has_one():
    text = help_text()
    for name, value in tomllib.loads(printed(flags_of(ALONE))).items():
        if f"--{name}" in ALONE or value == []:
            continue
        (paragraph,) = re.findall(rf"^  --{name} .*\n((?:      .*\n)+)", text, re.MULTILINE)
        default = re.search(r"\[default ([^,;\]]+)", " ".join(paragraph.split()))
        assert default and default.group(1) == as_text(value), name


# ---- README.md -----------------------------------------------------------------------------------


def rows_of_readme():
    """(the options of a row, what it says of them)."""
    text = (ROOT / "README.md").read_text().partition("\n## Configure and operate\n")[2]
    rows = re.findall(r"^\| (`--[^|]*) \| (.*) \|$", text.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) > 20
    return [(re.findall(r"`(--[a-z-]+)`", options), said) for options, said in rows]


def test_readme_and_help_have_the_same_options():
    named = [flag for flags, _ in rows_of_readme() for flag in flags]
    assert sorted(named) == sorted(set(named)), "each once"
    assert set(named) == set(options_of_help()) - {"--help", "--version"}


def test_what_readme_prints_is_a_configuration(tmp_path):
    text = (ROOT / "README.md").read_text()
    (command,) = re.findall(r"```sh\n([^`]*--print-config[^`]*)```", text)
    command = command.replace("build/sidecar/radixmesh-sidecar", binary())
    env = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    subprocess.run(["bash", "-ec", command], cwd=tmp_path, env=env, check=True, timeout=10)
    assert_good(check(["--config", tmp_path / "sidecar.toml"]))


def test_what_readme_says_of_a_mistake_is_what_is_said(tmp_path):
    text = " ".join((ROOT / "README.md").read_text().split())
    quote = re.search(r"`(sidecar.toml:3: [^`]*)`", text)
    config = toml_of(tmp_path, ["", "", "page_size = 16"])
    said = said_of(check([*flags_of(ALONE), "--config", config]))
    assert quote and said.replace(str(config), config.name) == quote.group(1)


def test_readme_has_the_defaults_of_help():
    values = tomllib.loads(printed(flags_of(ALONE)))
    for flags, said in rows_of_readme():
        said = said.replace(",000", "000").replace("10 million", "10000000")
        for flag in flags:
            value = values.get(flag[2:])
            if value in (None, [], -1, "default") or flag in ALONE:
                continue
            word = as_text(value)
            if isinstance(value, bool):
                word = "on" if value else "off"
            assert re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.]*\d)", said), (flag, word)


def test_every_option_is_a_variable_as_readme_says():
    text = help_text()
    for flag, value in options_of_help().items():
        if value.strip() and value != ", -h":
            assert variable_of(flag) in text
