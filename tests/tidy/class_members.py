"""What the classes of a C++ file have: data members, and methods that they add.

Works on text without comments, quotes and preprocessor lines. Knows as much of C++ as the project's
own headers use.
"""

from __future__ import annotations

import re
from typing import Iterator, List, NamedTuple

_ACCESS = r"^\s*(?:(?:public|private|protected)\s*:\s*)+"
_TYPE = re.compile(r"\s*(?:template\s*<[^{}]*>\s*)?(?:class|struct|enum|union)\b")
_NO_MEMBER = re.compile(
    r"(?:template\s*<[^{}]*>\s*)?(?:friend|using)\b"
    r"|static_assert|typedef|static constexpr|(?:class|struct) \w+$"
)


class ClassMembers(NamedTuple):
    name: str
    line: int
    data: int
    public_methods: int  # that are not overridden ones: those count where they are declared
    private_methods: int


def classes(text: str) -> Iterator[ClassMembers]:
    """Each class and struct that has a body, nested ones as well."""
    for match in re.finditer(r"\b(class|struct)\s+(\w+)?[^;{}()<>=]*\{", text):
        head = text[: match.start()]
        if re.search(r"\benum\s*$", head):
            continue
        body = text[match.end() : after_closing(text, match.end() - 1) - 1]
        line = text.count("\n", 0, match.start()) + 1
        yield _count(match[2] or "a struct", line, body, match[1] == "class")


def _count(name: str, line: int, body: str, is_private: bool) -> ClassMembers:
    data = 0
    methods = {True: 0, False: 0}  # by whether they are private
    for statement in _statements(body):
        for access in re.findall(r"\b(public|private|protected)\s*:(?!:)", statement):
            is_private = access != "public"
        words = re.sub(_ACCESS, "", statement).strip()
        if not words or _NO_MEMBER.match(words):
            continue
        flat = _without(words, "<", ">")
        if "(" not in flat.split("=")[0] and "operator" not in flat:
            names = _without(_without(flat, "{", "}"), "(", ")")
            data += 1 + names.count(",")
        elif not re.search(r"\boverride\b|=\s*(?:default|delete)\s*$", flat):
            methods[is_private] += 1
    return ClassMembers(name, line, data, methods[False], methods[True])


def _statements(body: str) -> Iterator[str]:
    """What ends with `;` or a body at the top of a class, without types that are declared there."""
    start = depth = at = 0
    while at < len(body):
        sign = body[at]
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "{" and depth == 0:
            head = re.sub(_ACCESS, "", body[start:at])
            end = after_closing(body, at)
            if _TYPE.match(head):
                yield "".join(re.findall(_ACCESS, body[start:at]))
                rest = body[end : body.find(";", end)].strip()
                if rest:  # a member of that type
                    yield rest
                at = start = body.find(";", end) + 1
                continue
            if "(" in head and not re.search(r"=\s*$", head) and not _initialises(head):
                yield body[start:at] + "{}"
                at = start = end
                continue
            at = end
            continue
        if sign == ";" and depth == 0:
            yield body[start:at]
            start = at + 1
        at += 1


def _initialises(head: str) -> bool:
    """`member_{...}` in the list of a constructor."""
    return bool(re.search(r"\)\s*:(?!:)[^{}]*[\w>]$", head))


def _without(text: str, opening: str, closing: str) -> str:
    kept: List[str] = []
    depth = 0
    for sign in text:
        depth += sign == opening
        if depth == 0:
            kept.append(sign)
        depth -= sign == closing and depth > 0
    return "".join(kept)


def after_closing(text: str, opening: int) -> int:
    """The position after the brace that closes the one at `opening`; the end if none does."""
    depth = 0
    for mark in re.compile(r"[{}]").finditer(text, opening):
        depth += 1 if mark[0] == "{" else -1
        if depth == 0:
            return mark.end()
    return len(text)
