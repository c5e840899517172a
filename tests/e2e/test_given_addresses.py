"""Addresses as they are written: what is one, what is none, and what to write instead."""

import pytest

from configured import ALONE, SELF, assert_good, check, flags_of, said_of

LISTS = ["--prefill-cache-nodes", "--decode-cache-nodes", "--unified-cache-nodes"]
LISTS.append("--router-cache-nodes")
JOINING = {"--local-cache-addr": SELF, "--ipc": "a.sock", "--role": "decode"}

GOOD = [
    "p0:5001",
    "P0.Example.COM:1",
    "p0.example.com.:65535",
    "10.0.0.1:5001",
    "node_1:5001",
    "xn--bcher-kva.example:5001",
    "4u:5001",
    "1.2.3.4.example:5001",
    "[::1]:5001",
    "[2001:DB8::1]:5001",
    "[::ffff:10.0.0.1]:5001",
    "[fe80::1%eth0]:5001",
]
PORT = "has no port from 1 to 65535 behind its last colon"
ANY = "stands for any address, so nobody can connect to it: write the name or the number by which"
ANY += " the other nodes reach this one"
BRACKETS = "has no IPv6 number in its brackets: names and IPv4 numbers stand without"
NUMBER = "has a host that is neither a name nor an IPv4 number: write four numbers from 0 to 255"
NUMBER += " with dots between"
LETTERS = ": write letters, digits, dots, - and _"
BAD = [
    ("::1:5001", 'is an IPv6 number without brackets: write "[::1]:5001"'),
    ("2001:db8::7:5001", 'is an IPv6 number without brackets: write "[2001:db8::7]:5001"'),
    ("2001:db8::1", 'is an IPv6 number without brackets: write "[2001:db8::1]:PORT"'),
    ("1:2:3:4:5:6:7:8:5001", 'is an IPv6 number without brackets: write "[1:2:3:4:5:6:7:8]:5001"'),
    ("a:b:5001", "has more than one colon: write host:port, or [IPv6 number]:port"),
    ("0.0.0.0:5001", ANY),
    ("[::]:5001", ANY),
    ("[0:0:0:0:0:0:0:0]:5001", ANY),
    ("[::ffff:0.0.0.0]:5001", ANY),
    ("*:5001", ANY),
    ("p0:0", PORT),
    ("p0:65536", PORT),
    ("p0:99999999999999999999", PORT),
    ("p0:-1", PORT),
    ("p0:+1", PORT),
    ("p0:05001", PORT),
    ("p0:http", PORT),
    ("p0:5001x", PORT),
    ("p0:", PORT),
    ("[::1]:0", PORT),
    ("p0", "has no port: write host:port"),
    ("5001", "has no port: write host:port"),
    ("[::1]", "has no port: write host:port"),
    (":5001", "has no host: write host:port"),
    ("tcp://p0:5001", 'begins with a scheme: write "p0:5001"'),
    ("http://p0:5001", 'begins with a scheme: write "p0:5001"'),
    ("p 0:5001", 'has " " in its host, which is in no host name' + LETTERS),
    ("p/0:5001", 'has "/" in its host, which is in no host name' + LETTERS),
    ("bücher:5001", 'has "ü" in its host, which is in no host name' + LETTERS),
    ("user@p0:5001", 'has "@" in its host, which is in no host name' + LETTERS),
    ("p0;p1:5001", 'has ";" in its host, which is in no host name' + LETTERS),
    ("-p0:5001", "has a host with a part that begins or ends with -"),
    ("p0..example:5001", "has a host with a part between dots that is empty or longer than 63"),
    (f"{'a' * 64}:5001", "has a host with a part between dots that is empty or longer than 63"),
    (".:5001", "has no host name of 1 to 253 letters"),
    (f"{'a' * 300}:5001", "is longer than 256 bytes"),
    ("256.0.0.1:5001", NUMBER),
    ("10.0.0:5001", NUMBER),
    ("10.0.0.01:5001", NUMBER),
    ("0:5001", NUMBER),
    ("[p0]:5001", BRACKETS),
    ("[10.0.0.1]:5001", BRACKETS),
    ("[]:5001", BRACKETS),
    ("[::1%]:5001", BRACKETS),
    ("[::1:5001", 'has "[" in its host, which is in no host name' + LETTERS),
]


@pytest.mark.parametrize("addr", GOOD)
def test_good_addresses(addr):
    for name in LISTS[1:]:
        assert_good(check(flags_of({**ALONE, name: addr})))
    own = {"--prefill-cache-nodes": addr, "--local-cache-addr": addr, "--ipc": "a.sock"}
    assert_good(check(flags_of({**own, "--publish-addr": addr})))
    assert_good(check(flags_of({**JOINING, "--join": addr})))


@pytest.mark.parametrize("addr, rule", BAD)
def test_bad_addresses(addr, rule):
    given = addr if len(addr) < 120 else addr[:120]
    for name in [*LISTS, "--local-cache-addr", "--publish-addr"]:
        if name == "--publish-addr" and addr.endswith(":0"):
            continue
        said = said_of(check(flags_of({**ALONE, name: addr})))
        rule_here = rule.replace("from 1", "from 0") if name == "--publish-addr" else rule
        assert said.startswith(f'{name}: "{given}') and rule_here in said
    said = said_of(check(flags_of({**JOINING, "--join": addr})))
    assert said.startswith(f'--join: "{given}') and rule in said


def test_a_port_of_the_systems_choice_is_for_publishing_alone():
    assert_good(check(flags_of({**ALONE, "--publish-addr": "127.0.0.1:0"})))


# ---- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*LISTS[1:], "--join"])
@pytest.mark.parametrize("value", ["a:1, b:2", " a:1,b:2 ", "a:1 ,\tb:2", "a:1"])
def test_blanks_around_items_are_no_part_of_them(name, value):
    base = JOINING if name == "--join" else ALONE
    assert_good(check(flags_of({**base, name: value})))


@pytest.mark.parametrize("name", [*LISTS, "--join"])
@pytest.mark.parametrize("value", ["a:1,", ",a:1", "a:1,,b:2", "a:1, ,b:2", ","])
def test_empty_items_are_refused(name, value):
    said = said_of(check(flags_of({**ALONE, name: value})))
    assert said == f'{name}: "{value}" has an empty item: there is a comma too many'


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_list_is_left_out(value):
    said = said_of(check(flags_of({**ALONE, "--decode-cache-nodes": value})))
    assert said == "--decode-cache-nodes: is empty: where there are none, leave it out"


def test_a_list_in_several_flags():
    assert_good(check([*flags_of(ALONE), "--prefill-cache-nodes", "p1:1,p2:1"]))
    said = said_of(check([*flags_of(ALONE), "--prefill-cache-nodes", f"p1:1,{SELF}"]))
    assert "twice" in said


# ---- the same node twice -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one, other",
    [
        ("p1:5001", "p1:5001"),
        ("p1:5001", "P1:5001"),
        ("p1.Example.com:5001", "P1.example.COM:5001"),
        ("p1.example.com:5001", "p1.example.com.:5001"),
        ("[2001:db8::1]:5001", "[2001:DB8::1]:5001"),
        ("[2001:db8::1]:5001", "[2001:db8:0:0::1]:5001"),
        ("[fe80::1%eth0]:5001", "[FE80::1%eth0]:5001"),
    ],
)
def test_one_node_under_two_spellings(one, other):
    again = f'"{other}" stands in the lists twice'
    if one != other:
        again += f' (once as "{one}")'
    for name in LISTS[1:]:
        arguments = [*flags_of(ALONE), "--prefill-cache-nodes", one]
        assert said_of(check([*arguments, name, other])) == f"{name}: {again}"
        said = said_of(check(flags_of({**ALONE, name: f"{one}, {other}"})))
        assert said == f"{name}: {again}"
    said = said_of(check(flags_of({**JOINING, "--join": f"{one},{other}"})))
    assert said == f"--join: {again}"


def test_other_ports_and_interfaces_are_other_nodes():
    nodes = "p1:5001,p1:5002,[fe80::1%eth0]:1,[fe80::1%eth1]:1,[::1]:7"
    assert_good(check(flags_of({**ALONE, "--decode-cache-nodes": nodes})))


def test_this_node_must_be_spelt_as_in_the_lists():
    options = {**ALONE, "--prefill-cache-nodes": "p0:5001", "--local-cache-addr": "P0:5001"}
    said = said_of(check(flags_of(options)))
    assert said == (
        '--local-cache-addr: "P0:5001" is "p0:5001" in the lists: it must be spelt the same way'
    )
    options["--local-cache-addr"] = "p1:5001"
    said = said_of(check(flags_of(options)))
    assert said == '--local-cache-addr: "p1:5001" stands in none of the lists'


def test_no_member_at_all():
    said = said_of(check(["--local-cache-addr", SELF, "--ipc", "a.sock"]))
    assert "no member" in said and "--prefill-cache-nodes" in said and "--join" in said
