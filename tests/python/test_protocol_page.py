"""The hex examples of PROTOCOL.md, taken from the page itself, are what this client says."""

import pathlib
import re

from radixmesh import FixRequest, RadixMeshError, methods
from radixmesh.errors import from_code
from radixmesh.protocol import (
    DEPTH_MAX,
    FRAME_BYTES_MAX,
    PROTOCOL,
    FrameReader,
    encode_request,
    read_message,
)

PAGE = pathlib.Path(__file__).resolve().parents[2] / "ipc" / "PROTOCOL.md"
BYTES = re.compile(r"[0-9a-f]{2}(?: [0-9a-f]{2})*(?=\s{2,}|$)")


def hex_examples():
    """{name: bytes} of the blocks under `<!-- hex: name -->`; what follows the hex is prose."""
    examples = {}
    blocks = re.findall(r"<!-- hex: (.+?) -->\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for name, block in blocks:
        lines = [BYTES.match(line) for line in block.splitlines()]
        assert all(lines), f"a line of '{name}' does not begin with hex"
        examples[name] = bytes.fromhex(" ".join(line.group() for line in lines))
    return examples


def payload(name):
    (payload,) = FrameReader().feed(hex_examples()[name])
    return payload


def test_the_page_has_the_examples_that_are_decoded_here():
    assert sorted(hex_examples()) == ["request match_prefix", "response error"]


def test_every_example_is_one_whole_frame():
    for name, data in hex_examples().items():
        assert int.from_bytes(data[:4], "big") == len(data) - 4, name


def test_the_request():
    call = methods.match_prefix([1, 2], None)
    assert encode_request(7, call.method, call.params) == hex_examples()["request match_prefix"]


def test_the_error():
    response = read_message(payload("response error"))
    assert response.id == 7
    assert isinstance(response.error, FixRequest)
    assert response.error.message == "tokens are missing"


def test_every_code_of_the_page_has_an_exception_of_its_own():
    table = PAGE.read_text().split("## Errors")[1].split("##")[0]
    codes = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    kinds = {type(from_code(code, "")) for code in codes}
    assert len(codes) == len(kinds) >= 6
    assert RadixMeshError not in kinds


def test_the_numbers_of_the_page_are_those_of_the_client():
    text = " ".join(PAGE.read_text().split())
    assert f"`frame_bytes_max` ({FRAME_BYTES_MAX >> 20} MiB)" in text
    assert f"nested at most {DEPTH_MAX} deep" in text
    assert f"`protocol` is {PROTOCOL}." in text
