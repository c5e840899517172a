"""Names and values that are mistyped are refused in one line, which says where it was written, what
was written, and what is near; whether it was a flag, a variable or a line of the file."""

import subprocess

import pytest

from configured import ALONE, assert_good, check, flags_of, said_of, toml_of, variable_of
from loopback import binary


def in_toml(value):
    """As a line of the file would say it: numbers and true or false without quotes."""
    try:
        float(value)
        return value
    except ValueError:
        return value if value in ("true", "false") else f'"{value}"'


def said_everywhere(folder, flag, value):
    """What is said of an option's value, by where it was written."""
    options = {each: given for each, given in ALONE.items() if each != flag}
    config = toml_of(folder, ["# a line before", f"{flag[2:]} = {in_toml(value)}"])
    return {
        flag: said_of(check(flags_of({**options, flag: value}))),
        variable_of(flag): said_of(check(flags_of(options), env={variable_of(flag): value})),
        f"{config}:2: {flag[2:]}": said_of(check([*flags_of(options), "--config", config])),
    }


# ---- names ---------------------------------------------------------------------------------------

NAMES = [  # what was written after the dashes, and what is meant
    ("page-sise", "page-size"),
    ("page_size", "page-size"),
    ("pagesize", "page-size"),
    ("PAGE-SIZE", "page-size"),
    ("Page-Size", "page-size"),
    ("page-sizes", "page-size"),
    ("prefil-cache-nodes", "prefill-cache-nodes"),
    ("prefill-nodes", "prefill-cache-nodes"),
    ("local-addr", "local-cache-addr"),
    ("gc-perod", "gc-period"),
    ("keep-copy", "keep-copies"),
    ("gc-mode", "gc"),
    ("logg-level", "log-level"),
    ("speculation", "speculation-seconds"),
]


@pytest.mark.parametrize("written, right", NAMES)
@pytest.mark.parametrize("shape", ["--{} 1", "--{}=1", "--{}", "-{} 1"])
def test_a_mistyped_flag(written, right, shape):
    said = said_of(check([*flags_of(ALONE), *shape.format(written).split()]))
    flag = shape.split("{")[0] + written
    assert said == f'"{flag}": there is no such option (did you mean --{right}?)'


@pytest.mark.parametrize("written, right", NAMES)
def test_a_mistyped_key(tmp_path, written, right):
    config = toml_of(tmp_path, ["# a comment", "", f"{written} = 1", "tick = 5"])
    said = said_of(check([*flags_of(ALONE), "--config", config]))
    assert said == f'{config}:3: "{written}": there is no such option (did you mean {right}?)'


@pytest.mark.parametrize(
    "written, right",
    [
        ("RADIXMESH_PAGE_SISE", "RADIXMESH_PAGE_SIZE"),
        ("RADIXMESH_PAGESIZE", "RADIXMESH_PAGE_SIZE"),
        ("RADIXMESH_PAGE-SIZE", "RADIXMESH_PAGE_SIZE"),
        ("RADIXMESH_page_size", "RADIXMESH_PAGE_SIZE"),
        ("radixmesh_page_size", "RADIXMESH_PAGE_SIZE"),
        ("RadixMesh_Topology", "RADIXMESH_TOPOLOGY"),
        ("RADIXMESH_TOPOLOGIE", "RADIXMESH_TOPOLOGY"),
        ("RADIXMESH_SOCKETS", "RADIXMESH_SOCKET"),
        ("RADIXMESH_PREFILL_NODES", "RADIXMESH_PREFILL_CACHE_NODES"),
    ],
)
@pytest.mark.parametrize("value", ["16", ""])
def test_a_mistyped_variable(written, right, value):
    said = said_of(check(flags_of(ALONE), env={written: value}))
    assert said == f'"{written}": there is no such variable (did you mean {right}?)'


@pytest.mark.parametrize("name", ["quux", "RADIXMESH", "", "x" * 3000])
def test_what_is_near_to_nothing_gets_no_hint(tmp_path, name):
    said = [said_of(check([*flags_of(ALONE), f"--{name}", "1"]))]
    said.append(said_of(check(flags_of(ALONE), env={f"RADIXMESH_{name}": "1"})))
    config = toml_of(tmp_path, [f'"{name}" = 1'])
    said.append(said_of(check([*flags_of(ALONE), "--config", config])))
    for each in said:
        assert "there is no such" in each and "did you mean" not in each
        assert name[:50] in each and len(each) < 400


@pytest.mark.parametrize("name", ["check-config", "print-config", "config", "help", "version"])
def test_what_is_for_the_command_line_alone(tmp_path, name):
    config = toml_of(tmp_path, ["", f"{name} = true"])
    said = said_of(check([*flags_of(ALONE), "--config", config]))
    assert said.startswith(f"{config}:2: ") and name in said
    if name != "config":
        assert name.upper().replace("-", "_") in said_of(
            check(flags_of(ALONE), env={variable_of(f"--{name}"): "1"})
        )


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flag, value, names, right",
    [
        ("--topology", "rings", "mesh, ring, groups or auto", "ring"),
        ("--topology", "Mesh", "mesh, ring, groups or auto", "mesh"),
        ("--topology", "star", "mesh, ring, groups or auto", None),
        ("--policy", "prefix-first", "cost or prefix_first", "prefix_first"),
        ("--policy", "luck", "cost or prefix_first", None),
        ("--role", "routers", "prefill, decode, unified or router", "router"),
        ("--gc", "local_ref", "off, local-ref or global-ref", "local-ref"),
        ("--gc", "globalref", "off, local-ref or global-ref", "global-ref"),
        ("--gc-silent-reader", "blok", "block or lease", "block"),
        ("--log-level", "warning", "debug, info, warn, error or off", "warn"),
        ("--log-level", "INFO", "debug, info, warn, error or off", "info"),
        ("--log-format", "jsn", "text or json", "json"),
    ],
)
def test_a_mistyped_one_of_several(tmp_path, flag, value, names, right):
    hint = f" (did you mean {right}?)" if right else ""
    for where, said in said_everywhere(tmp_path, flag, value).items():
        assert said == f'{where}: "{value}" is not {names}{hint}'


WHOLE = {"--page-size": "from 1 to 1024", "--rank": "from -1 to 1000000"}
WHOLE["--max-radix-cache-size"] = "from 0 on"
NUMBER = {"--prefill-rate": "from 1 to 1000000000000", "--heartbeat": "from 0.01 to 1000000"}
NUMBER["--gc-lease"] = "from 2 to 3600"
FAR = ["-7", "99999999999999999999", "1e400", "-1e400"]
NO_NUMBERS = ["nan", "inf", "-inf", "NaN", "infinity", "16k", "3 ", " 3", "3s", "+3", "0x10", "3,5"]


@pytest.mark.parametrize("flag", WHOLE)
@pytest.mark.parametrize("value", [*FAR, *NO_NUMBERS, "16.0", "1e2", "many", "--3"])
def test_what_is_no_whole_number(flag, value):
    said = said_of(check([*flags_of(ALONE), f"{flag}={value}"]))
    assert said == f'{flag}: "{value}" is not a whole number {WHOLE[flag]}'
    said = said_of(check(flags_of(ALONE), env={variable_of(flag): value}))
    assert said == f'{variable_of(flag)}: "{value}" is not a whole number {WHOLE[flag]}'


@pytest.mark.parametrize("flag", NUMBER)
@pytest.mark.parametrize("value", [*FAR, *NO_NUMBERS, "soon", "1e13", "0.001", "-0.5"])
def test_what_is_no_number(flag, value):
    said = said_of(check([*flags_of(ALONE), f"{flag}={value}"]))
    assert said == f'{flag}: "{value}" is not a number {NUMBER[flag]}'
    said = said_of(check(flags_of(ALONE), env={variable_of(flag): value}))
    assert said == f'{variable_of(flag)}: "{value}" is not a number {NUMBER[flag]}'


def options_of(kind):
    """The flags of --help whose value is such a one."""
    lines = check(["--help"]).stdout.splitlines()
    found = [line.split()[0] for line in lines if line.startswith("  --") and line.endswith(kind)]
    assert len(found) > 3
    return found


def test_no_number_of_any_option_may_be_boundless():
    for flag in options_of(" SECONDS") + options_of(" X") + options_of(" N"):
        for value in ("nan", "inf", "-2", "1e300", "1x", ""):
            said = said_of(check([*flags_of(ALONE), f"{flag}={value}"]))
            assert said.startswith(f'{flag}: "{value}" is not a '), said


@pytest.mark.parametrize(
    "flag, value, rule",
    [
        ("--page-size", "1025", "from 1 to 1024"),
        ("--rank", "1000001", "from -1 to 1000000"),
        ("--tick", "1000001", "from 0.01 to 1000000"),
        ("--affinity", "-1", "from 0 to 1000"),
        ("--hot-uses", "0", "from 1 to 60000"),
    ],
)
def test_out_of_range_wherever_it_is_written(tmp_path, flag, value, rule):
    for where, said in said_everywhere(tmp_path, flag, value).items():
        assert said.startswith(f'{where}: "{value}" is not a ') and said.endswith(rule)


@pytest.mark.parametrize("value", ["perhaps", "True", "2", "", "truefalse"])
def test_what_is_neither_true_nor_false(value):
    said = said_of(check([*flags_of(ALONE), f"--keep-remote-slots={value}"]))
    assert said == f'--keep-remote-slots: "{value}" is not true or false'


@pytest.mark.parametrize("value", ["true", "yes", "on", "1", "false", "no", "off", "0"])
def test_true_and_false_have_several_names(value):
    assert_good(check([*flags_of(ALONE), "--keep-remote-slots", value]))


@pytest.mark.parametrize("flag, value", [("--ipc", ""), ("--cluster", ""), ("--config", "")])
def test_text_is_not_empty(flag, value):
    assert said_of(check(flags_of({**ALONE, flag: value}))) == f"{flag}: is empty"


@pytest.mark.parametrize("value", ["two\nlines", "a bell\a", b"\xff\xfe", b"\xed\xa0\x80"])
def test_text_is_one_line_of_utf8(value):
    arguments = [*flags_of({**ALONE, "--ipc": "a.sock"}), "--cluster"]
    outcome = subprocess.run(
        [binary(), *arguments, value, "--check-config"], capture_output=True, text=True, timeout=10
    )
    assert said_of(outcome).startswith("--cluster: ")


# ---- the shape of the command line ---------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--page-size"], "--page-size: its value is missing, N"),
        (["--page-size", "--tick", "5"], "--page-size: its value is missing, N"),
        (["--page-size", "1", "--page-size", "2"], "--page-size: is given twice"),
        (["--check-config=yes"], '--check-config: takes no value, but has "yes"'),
        (["now"], '"now": an argument that belongs to no flag'),
        (["-p", "5"], '"-p": there is no such option'),
        (["--"], '"--": there is no such option'),
        (["-"], '"-": there is no such option'),
    ],
)
def test_what_is_no_command_line(arguments, said):
    assert said_of(check([*arguments, *flags_of(ALONE)])) == said


def test_the_items_of_a_list_with_blanks_between():
    said = said_of(check([*flags_of(ALONE), "--decode-cache-nodes", "d0:1", "d1:1"]))
    assert said.startswith('"d1:1": ') and "--decode-cache-nodes" in said and "commas" in said


def test_a_negative_value_and_one_behind_an_equals_sign():
    assert_good(check([*flags_of(ALONE), "--rank", "-1", "--cluster=--odd=name"]))


def test_a_value_that_does_not_count_is_checked_all_the_same(tmp_path):
    config = toml_of(tmp_path, ["page-size = 0"])
    arguments = [*flags_of(ALONE), "--page-size", "4"]
    assert said_of(check([*arguments, "--config", config])).startswith(f"{config}:1: page-size: ")
    said = said_of(check(arguments, env={"RADIXMESH_PAGE_SIZE": "sixteen"}))
    assert said.startswith("RADIXMESH_PAGE_SIZE: ")


@pytest.mark.parametrize("asked", ["--help", "-h", "--version"])
def test_help_is_given_whatever_else_is_wrong(asked):
    outcome = check(["--page-sise", "0", asked], env={"RADIXMESH_TYPO": "1"})
    assert_good(outcome)
    assert outcome.stdout


# ---- options that depend on each other -----------------------------------------------------------


def test_rules_between_options_name_where_both_were_written(tmp_path):
    config = toml_of(tmp_path, ["", "heartbeat = 5"])
    said = said_of(check([*flags_of(ALONE), "--config", config]))
    assert said.startswith("--suspect-after: ") and f"{config}:2: heartbeat" in said
    env = {"RADIXMESH_HOT_COPIES": "2"}
    said = said_of(check([*flags_of(ALONE), "--keep-copies", "3"], env=env))
    assert said == "RADIXMESH_HOT_COPIES: must not be below --keep-copies, 3"


@pytest.mark.parametrize("missing", ["--local-cache-addr", "--ipc"])
def test_what_is_missing_is_named_with_all_its_names(missing):
    options = {flag: value for flag, value in ALONE.items() if flag != missing}
    said = said_of(check(flags_of(options)))
    assert said.startswith(f"{missing}: must be given") and variable_of(missing) in said


def test_joining():
    join = {"--local-cache-addr": "127.0.0.1:5001", "--ipc": "a.sock", "--join": "p0:5001"}
    assert_good(check(flags_of({**join, "--role": "decode"})))
    assert said_of(check(flags_of(join))) == "--role: must be given with --join"
    env = {"RADIXMESH_DECODE_CACHE_NODES": "d0:1"}
    said = said_of(check(flags_of({**join, "--role": "decode"}), env=env))
    assert said == "--join: who joins learns the lists, but RADIXMESH_DECODE_CACHE_NODES gives one"
