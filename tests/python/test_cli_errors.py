"""The program radixmesh where something is wrong: one line on stderr, a documented exit code."""

import socket

import pytest

from fake_sidecar import FakeSidecar, Refusal, ScriptedSidecar, frame
from test_cli_program import radixmesh

VERBS = [["status"], ["nodes"], ["match", "1"], ["route", "1"], ["tree"], ["tail"], ["ping"]]


def check(done, code, told):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("radixmesh: ") and done.stderr.count("\n") == 1
    assert told in done.stderr


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_no_socket_given(verb):
    check(radixmesh(*verb), 64, "no socket: give --socket PATH, or set RADIXMESH_SOCKET")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_nobody_there(verb, tmp_path):
    path = str(tmp_path / "none.sock")
    check(radixmesh(*verb, socket=path), 2, f"no sidecar at {path}: No such file")


def test_nobody_answers(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "a.sock"))
        listener.listen()
        done = radixmesh("--timeout", "0.05", "status", socket=str(tmp_path / "a.sock"))
        check(done, 2, "no answer within 50 ms")


DEEP = b"\x94\x01\x01\xc0" + b"\x91" * 1000 + b"\xc0"
GARBAGE = {
    "no frame": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an empty frame": b"\0\0\0\0",
    "no MessagePack": b"\0\0\0\x01\xc1",
    "half an answer": b"\0\0\0\x08\x94\x01",
    "another id": frame([1, 77, None, {}]),
    "a map": frame({"a": 1}),
    "a request": frame([0, 1, "status", {}]),
    "too short": frame([1, 1]),
    "nested too deep": len(DEEP).to_bytes(4, "big") + DEEP,
    "an error of all": frame([1, None, ["fix_request", "the frame is no MessagePack"], None]),
}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage(tmp_path, verb, data):
    def script(connection, _):
        connection.recv(1000)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):
            pass

    with ScriptedSidecar(tmp_path / "a.sock", script, hello=False) as sidecar:
        done = radixmesh(*verb, socket=sidecar.path)
        check(done, 2, "")


ODD = [None, 5, "text", [], {}, [5, None], {"edges": 5}, {"entries": [5]}, b"\xff", "\x1b[2J"]
ODD += [{"version_vector": {"a": 5}, "digests": [1], "counters": {"x": {}}, "epoch": -1}]
ODD += [[{"last_heard_ms": "never", "load": [1], "epoch": 2**64 - 1, "rank": {}}]]
ODD += [{"edges": [{"begin": 9, "end": 1, "head": [300, 2], "holders": 5, "namespace": [1] * 4}]}]


@pytest.mark.parametrize("verb", ["status", "nodes", "tree"])
@pytest.mark.parametrize("answer", ODD, ids=str)
def test_an_answer_of_another_shape_is_shown_as_far_as_it_goes(tmp_path, verb, answer):
    class Odd(FakeSidecar):
        def _carry_out(self, *_):
            return answer

    with Odd(tmp_path / "a.sock") as sidecar:
        done = radixmesh(verb, socket=sidecar.path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout and "\x1b" not in done.stdout


def test_a_refusal(tmp_path):
    class Refusing(FakeSidecar):
        def _carry_out(self, *_):
            raise Refusal("retry_later", "not\nnow")

    with Refusing(tmp_path / "a.sock") as sidecar:
        for verb in VERBS:
            check(radixmesh(*verb, socket=sidecar.path), 1, "retry_later: not\\x0anow")


@pytest.fixture
def sidecar(tmp_path):
    with FakeSidecar(tmp_path / "a.sock") as sidecar:
        yield sidecar


USAGE = {
    "": "a verb is missing",
    "explode": "no verb explode (radixmesh --help",
    "status nodes": 'status takes no "nodes"',
    "status --loud": "no option --loud (radixmesh --help",
    "stats": "no verb stats (did you mean status?)",
    "Nodes": "no verb Nodes (did you mean nodes?)",
    "macth 1,2": "no verb macth (did you mean match?)",
    "--jsn status": "no option --jsn (did you mean --json?)",
    "status --al": "no option --al (did you mean --all?)",
    "match 1 --namspace=model=a": "no option --namspace=model=a (did you mean --namespace?)",
    "status --chek": "no option --chek (did you mean --check?)",
    "--timout 3 status": "no option --timout (did you mean --timeout?)",
    "status --lag-max -1": "--lag-max",
    "match --binary 1,2": "--binary: TOKENS must be @FILE or -",
    "match": "TOKENS is required",
    "match 1,x": '"x" is no token id',
    "match 1,,2": '"" is no token id',
    "match 4294967296": '"4294967296" is no token id',
    "match @none": "none: No such file",
    "match 1 --namespace model": '"model" is not NAME=VALUE',
    "match 1 --namespace modell=1": "none of model=, lora=",
    "match 1 --namespace lora=1,lora=2": "a second time",
    "match 1 --namespace salt:hex=0": "odd number",
    "match 1 --namespace salt:hex=0g": "not in hex",
    "--timeout 0 status": "--timeout",
    "--timeout nan status": "--timeout",
    "tree --limit -1": "--limit",
    "ping --count 0": "--count",
    "diff a": "B is required",
}


@pytest.mark.parametrize("line, told", USAGE.items())
def test_a_wrong_command_line(sidecar, line, told):
    check(radixmesh(*line.split(), socket=sidecar.path), 64, told)
    assert sidecar.requests == []


WRONG_TOKENS = {
    b"[1, -2]": "item 1 is no token id",
    b"[1, 2.5]": "item 1 is no token id",
    b"[1": "no JSON array",
    b"[[1]]": "item 0 is no token id",
    b"[4294967296]": "item 0 is no token id",
    b'{"a":1}\n': '"{"a":1}" is no token id',
    b"abc": '"abc" is no token id',
    b"abcd": '"abcd" is no token id',
    b"1,,2": '"" is no token id',
    b"1,2,\n": '"" is no token id',
    b",1": '"" is no token id',
    b"-1 2": '"-1" is no token id',
    b"4294967296": '"4294967296" is no token id',
    b"1;2": '"1;2" is no token id',
    b"\x01\0\0\0\x02\0\0\0": "no text (for binary tokens say --binary)",
    "1,2\u00a03".encode(): "no text (for binary tokens say --binary)",
}


@pytest.mark.parametrize("data, told", WRONG_TOKENS.items(), ids=str)
def test_wrong_tokens(sidecar, data, told):
    check(radixmesh("match", "-", socket=sidecar.path, stdin=data), 64, f"stdin: {told}")
    assert sidecar.requests == []


def test_binary_tokens_are_whole(sidecar):
    done = radixmesh("match", "--binary", "-", socket=sidecar.path, stdin=b"12345")
    check(done, 64, "stdin: 5 bytes are no whole number of 32-bit tokens")
