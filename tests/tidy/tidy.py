#!/usr/bin/python3
"""The project's style as a test: who includes whom, how long things are, what is not to be found.

    tests/tidy/tidy.py [ROOT]       the tree to look at (default: the one that this file is in)

Prints `file:line: rule: what` for each violation, and last how much was checked. Exit code 0 if
nothing fires, 1 if something does, 2 for a wrong option. Looks at what git tracks or would track;
without git at all files but those of dot folders and build folders.

What is allowed stands in the tables at the top; each rule is a function below, with its name.
"""

from __future__ import annotations

import ast
import posixpath
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from class_members import after_closing, classes

# ---- what is allowed -----------------------------------------------------------------------------

TOP_LEVEL = {
    *("LICENSE", "README.md", "meson.build", "meson_options.txt"),
    *("cli", "examples", "ipc", "lib", "sidecar", "tests"),
}
# Those that C++ sources live in, and so those that an include can begin with.
FOLDERS = ("cli", "examples", "ipc", "lib", "sidecar", "tests")

# What of lib the engine's protocol speaks of: ids and value types, never a tree or a replica.
LIB_VALUES = [
    "lib/base/*",
    "lib/*_view.h",
    "lib/oplog/message.h",
    "lib/routing/cost_terms.h",
    "lib/routing/hit_record.h",
    "lib/tree/digest.h",
    "lib/tree/slot_runs.h",
]
# The folders of lib that all others above them may use, the lowest first.
LOWER = ["lib/base/*", "lib/members/*", "lib/tree/*", "lib/oplog/*"]
IPC_VALUES = ["ipc/message*.h"]
CLIENT = ["ipc/client*.h"]

# Files, and what of the project they may include. The first row that fits a file decides; a file
# that no row fits has no place in the picture, which is a violation as well.
ARROWS: Sequence[Tuple[str, Sequence[str]]] = (
    ("lib/*_view.h", LIB_VALUES),
    ("lib/base/*", LOWER[:1]),
    ("lib/members/*", LOWER[:2]),
    ("lib/tree/*", LOWER[:3]),
    ("lib/oplog/*", LOWER),
    ("lib/gc/*", [*LOWER, "lib/gc/*"]),
    ("lib/mesh/*", [*LOWER, "lib/mesh/*"]),
    ("lib/routing/*", [*LOWER, "lib/routing/*"]),
    ("lib/replica*", ["lib/*"]),
    ("ipc/*", ["ipc/*", *LIB_VALUES]),
    ("sidecar/*", ["sidecar/*", "ipc/*", "lib/*"]),
    ("cli/*", ["cli/*", *CLIENT, *IPC_VALUES, "ipc/standard_descriptors.h", "lib/base/*"]),
    ("examples/*", ["examples/*", *CLIENT]),
    ("tests/*", ["*"]),
)

# Headers in <>. "std" is the standard library but for EFFECTS, which lib leaves to the shell.
EFFECTS = {
    *("atomic", "barrier", "condition_variable", "csignal", "ctime", "filesystem", "fstream"),
    *("future", "iostream", "latch", "mutex", "random", "semaphore", "shared_mutex", "stop_token"),
    "thread",
}
# The codecs: the only files that know MessagePack.
MSGPACK = [
    "lib/base/msgpack_document.*",
    "lib/oplog/body_*",
    "lib/oplog/codec.*",
    "ipc/client.h",
    "lib/base/packer.h",
    "ipc/packing.*",
    "ipc/params.*",
    "ipc/reading.*",
]
LIB_OUTSIDE = ["std", "tl/*", "tsl/*", "xxhash.h"]
TESTS_ONLY = ["doctest*", "benchmark/*"]
# The first row that fits a file decides: what it may include, then what of that it may not.
OUTSIDE: Sequence[Tuple[str, Sequence[str], Sequence[str]]] = (
    ("lib/*", LIB_OUTSIDE, []),
    ("ipc/*", ["*"], ["zmq*", "spdlog/*", "CLI/*", *TESTS_ONLY]),
    ("sidecar/*", ["*"], TESTS_ONLY),
    ("cli/*", ["*"], ["zmq*", "spdlog/*", *TESTS_ONLY]),
    ("examples/*", ["*"], ["zmq*", "spdlog/*", *TESTS_ONLY]),
    ("tests/*", ["*"], []),
)

FILE_LINES_MAX = 500
TEST_FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
DATA_MEMBERS_MAX = 15
METHODS_MAX = 40
# Values that are sent, shown or configured have as many fields as there is to say.
PLAIN_VALUES = [
    "lib/*_view.h",
    "lib/base/timers.h",
    "lib/oplog/message.h",
    "lib/replica_io.h",
    "lib/routing/candidate.h",
]
# What these offer is counted by no bound, only how they do it: the replica's verbs, and the tree on
# which relation and local cache both stand.
OFFERS = [("lib/replica.h", "Replica"), ("lib/tree/holder_tree.h", "HolderTree")]
COLUMNS_MAX = 100

JUNK_DRAWERS = ("utils", "util", "common", "helpers", "helper", "types", "misc", "manager")
# Layouts differ between versions of clang-format under one and the same .clang-format.
CLANG_FORMAT_MAJOR = 14
# Where a wait cannot be for a condition, it must be bounded, and say so on its line or above.
SLEEP_LEAVE = "tidy: backoff"

Finding = Tuple[str, int, str]  # path, line, what

# ---- the tree ------------------------------------------------------------------------------------


class File:
    """A text file: its lines, its kind, and for C++ its text without comments or strings."""

    _COMMENT = r"//(?:\\.|[^\n\\])*|/\*.*?\*/"
    _STRING = r'R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
    # Not behind a digit: there it parts the thousands of a number.
    _CHARACTER = r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    _TOKEN = re.compile(f"(?P<comment>{_COMMENT})|{_STRING}|{_CHARACTER}", re.DOTALL)
    _DIRECTIVE = re.compile(r"^[ \t]*#(?:\\.|[^\n\\])*", re.DOTALL | re.MULTILINE)
    _INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')

    def __init__(self, path: str, text: str):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        if self.lines and not self.lines[-1]:
            self.lines.pop()

    @cached_property
    def kind(self) -> str:
        """cpp, python, shell, meson, markdown or other."""
        suffix = posixpath.splitext(self.path)[1]
        by_suffix = {".h": "cpp", ".cpp": "cpp", ".py": "python", ".sh": "shell", ".md": "markdown"}
        if suffix in by_suffix:
            return by_suffix[suffix]
        if posixpath.basename(self.path) in ("meson.build", "meson_options.txt"):
            return "meson"
        shebang = re.match(r"#!\S*/(?:env +)?(bash|sh|python3)\b", self.text)
        if shebang:
            return "python" if shebang[1] == "python3" else "shell"
        return "other"

    @property
    def is_header(self) -> bool:
        return self.path.endswith(".h")

    @cached_property
    def uncommented(self) -> str:
        return self._TOKEN.sub(lambda m: _blank(m[0]) if m["comment"] else m[0], self.text)

    @cached_property
    def code(self) -> str:
        """Without comments and without what is in quotes; the same lines and columns."""
        return self._TOKEN.sub(
            lambda m: _blank(m[0]) if m["comment"] else m[0][0] + _blank(m[0][1:-1]) + m[0][-1],
            self.text,
        )

    @cached_property
    def statements(self) -> str:
        """`code` without the preprocessor's lines."""
        return self._DIRECTIVE.sub(lambda m: _blank(m[0]), self.code)

    @cached_property
    def includes(self) -> List[Tuple[int, str, str]]:
        """(line, quote, what) of each #include."""
        found = enumerate(map(self._INCLUDE.match, self.uncommented.split("\n")), 1)
        return [(line, match[1], match[2]) for line, match in found if match]

    def search(self, pattern: str, text: Optional[str] = None) -> Iterator[Tuple[int, re.Match]]:
        """(line, match) of each match in `text`, which is the file's own by default."""
        text = self.text if text is None else text
        for match in re.finditer(pattern, text, re.MULTILINE):
            yield text.count("\n", 0, match.start()) + 1, match


class Tree:
    """All text files of the project."""

    def __init__(self, root: Path):
        self.root = root
        self.notes: List[str] = []  # what could not be checked, and why
        self.paths = _listed(root)
        self.files: Dict[str, File] = {}
        for path in self.paths:
            try:
                self.files[path] = File(path, (root / path).read_text(encoding="utf-8"))
            except UnicodeDecodeError:
                pass  # a fuzz corpus, say: only its name can break a rule

    def of(self, *kinds: str) -> Iterator[File]:
        return (file for file in self.files.values() if file.kind in kinds)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _listed(root: Path) -> List[str]:
    command = ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        output = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        paths = {path for path in output.split("\0") if path}
    except (OSError, subprocess.CalledProcessError):
        everything = (path.relative_to(root) for path in root.rglob("*"))
        paths = {path.as_posix() for path in everything if not _left_out(path)}
    return sorted(path for path in paths if (root / path).is_file())


def _left_out(path: Path) -> bool:
    folders = path.parts[:-1]
    hidden = any(name.startswith(".") and name != ".ci" for name in folders)
    return hidden or "__pycache__" in folders or bool(folders and folders[0].startswith("build"))


def _fits(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


# ---- the rules -----------------------------------------------------------------------------------

RULES: Dict[str, Callable[[Tree], Iterator[Finding]]] = {}


def rule(name: str) -> Callable:
    def register(function: Callable[[Tree], Iterator[Finding]]) -> Callable:
        RULES[name] = function
        return function

    return register


@rule("arrow")
def arrows(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp"):
        row = next((allowed for who, allowed in ARROWS if _fits(file.path, [who])), None)
        if row is None:
            yield file.path, 1, "no row of ARROWS says what may be included here"
            continue
        for line, quote, what in file.includes:
            if quote == '"' and what.split("/")[0] in FOLDERS and not _fits(what, row):
                yield file.path, line, f"{what} may not be included here"


@rule("outside")
def outside_headers(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp"):
        rows = (row for row in OUTSIDE if _fits(file.path, [row[0]]))
        _, allowed, refused = next(rows, ("", ["*"], []))
        for line, quote, what in file.includes:
            if quote != "<":
                continue
            is_std = re.fullmatch(r"[a-z_0-9]+", what) and what not in EFFECTS
            fits = _fits(what, allowed) or (is_std and "std" in allowed)
            if _fits(what, ["msgpack*"]):
                fits = _fits(file.path, [*MSGPACK, "tests/*"])
            if not fits or _fits(what, refused):
                yield file.path, line, f"<{what}> may not be included here"


@rule("root-include")
def includes_from_the_root(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp"):
        for line, quote, what in file.includes:
            if quote == '"' and what not in tree.files:
                yield file.path, line, f'"{what}" is no file of the project, seen from its root'
            if quote == "<" and what in tree.files:
                yield file.path, line, f'<{what}> is the project\'s own: write "{what}"'


@rule("clock")
def no_clock_or_entropy_in_lib(tree: Tree) -> Iterator[Finding]:
    pattern = (
        r"::now\s*\(|\b(?:system|steady|high_resolution|utc|file)_clock\b"
        r"|\b(?:gettimeofday|clock_gettime|timespec_get|localtime|gmtime)\b"
        r"|(?<![\w.>])time\s*\(\s*(?:nullptr|NULL|0|&\s*\w+)?\s*\)"
        r"|\brandom_device\b|\bs?rand\s*\(|\bgetrandom\b|\bgetentropy\b"
    )
    for file in tree.of("cpp"):
        if file.path.startswith("lib/"):
            for line, match in file.search(pattern, file.code):
                yield file.path, line, f"{match[0].strip()}: the core is told time and seeds"


@rule("static")
def no_mutable_static_in_lib(tree: Tree) -> Iterator[Finding]:
    """Where a parenthesis comes before any `=`, `{` or `;`, it is a function."""
    pattern = r"^[ \t]*((?:(?:static|inline|thread_local|extern)\s+)+[^;={(]*?)\s*[;={]"
    for file in tree.of("cpp"):
        if not file.path.startswith("lib/"):
            continue
        text = re.sub(r"operator\s*[^\s\w(]+", lambda m: "_" * len(m[0]), file.statements)
        for line, match in file.search(pattern, text):
            if not re.search(r"\b(const|constexpr|constinit|namespace|class|struct)\b", match[1]):
                yield file.path, line, f"{' '.join(match[1].split())}: state belongs to an owner"


@rule("file-length")
def file_lengths(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp", "python", "shell"):
        most = TEST_FILE_LINES_MAX if file.path.startswith("tests/") else FILE_LINES_MAX
        if len(file.lines) > most:
            yield file.path, most + 1, f"{len(file.lines)} lines, at most {most}"


@rule("columns")
def columns(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp", "python", "shell", "meson"):
        for line, text in enumerate(file.lines, 1):
            if len(text) > COLUMNS_MAX:
                yield file.path, line, f"{len(text)} columns, at most {COLUMNS_MAX}"


@rule("function-length")
def function_lengths(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp", "python"):
        functions = python_functions(file) if file.kind == "python" else cpp_functions(file)
        for name, first, last in functions:
            if last - first + 1 > FUNCTION_LINES_MAX:
                length = last - first + 1
                yield file.path, first, f"{name}: {length} lines, at most {FUNCTION_LINES_MAX}"


def python_functions(file: File) -> Iterator[Tuple[str, int, int]]:
    """(name, first line, last line) of each function."""
    try:
        module = ast.parse(file.text)
    except SyntaxError:
        return  # the tests that run it say it better
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def cpp_functions(file: File) -> Iterator[Tuple[str, int, int]]:
    """(name, first line, last line) of what has a body: functions, and lambdas with a name.

    Walks from brace to brace outside of functions. What stands before an opening one, back to the
    last `;`, `{` or `}`, tells what it opens.
    """
    text = file.statements
    at = head_begin = 0
    while True:
        mark = re.compile(r"[;{}]").search(text, at)
        if not mark:
            return
        at = mark.end()
        head = text[head_begin : mark.start()]
        opens = _what_opens(head) if mark[0] == "{" else "scope"
        if opens == "value":  # `= {...}`, or `a_{...}` in a constructor's list: the head goes on
            at = after_closing(text, mark.start())
            continue
        if opens == "function":
            at = after_closing(text, mark.start())
            start = head_begin + len(head) - len(_declaration(head))
            name = re.search(r"([~\w:]+(?:<[^()\s]*>::[~\w]+)?)\s*\(", _declaration(head))
            first, last = (text.count("\n", 0, place) + 1 for place in (start, at - 1))
            yield name[1] if name else "a function", first, last
        head_begin = at


def _declaration(head: str) -> str:
    """A head without the labels before it."""
    return re.sub(r"^\s*(?:(?:public|private|protected)\s*:\s*)*", "", head)


def _what_opens(head: str) -> str:
    words = _declaration(head)
    while words.startswith("template"):
        depth, end = 0, words.find("<")
        for end in range(end, len(words)):
            depth += {"<": 1, ">": -1}.get(words[end], 0)
            if depth == 0:
                break
        words = words[end + 1 :].lstrip()
    if re.match(r"(?:inline\s+|typedef\s+)*(?:class|struct|union|enum|namespace)\b", words):
        return "scope"
    if re.match(r'extern\s*"[^"]*"\s*$', words):
        return "scope"
    in_list = r"\)\s*(?:noexcept\s*)?(?<!:):(?!:)(?:.*[,\s])?\s*[\w:]+(?:<.*>)?\s*$"
    if re.search(r"(?:=|\breturn|,|\()\s*$", words) or re.search(in_list, words, re.DOTALL):
        return "value"
    return "function" if "(" in words else "value"


@rule("class-size")
def class_sizes(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp"):
        if not file.path.startswith("lib/"):
            continue
        for each in classes(file.statements):
            if each.data > DATA_MEMBERS_MAX and not _fits(file.path, PLAIN_VALUES):
                yield file.path, each.line, f"{each.name} has {each.data} data members"
            offers = (file.path, each.name) in OFFERS
            methods = each.private_methods + (0 if offers else each.public_methods)
            if methods > METHODS_MAX:
                yield file.path, each.line, f"{each.name} has {methods} methods"


@rule("file-name")
def file_names(tree: Tree) -> Iterator[Finding]:
    for path in tree.paths:
        for part in Path(path).parts:
            stem = part.split(".")[0].lower()
            if stem in JUNK_DRAWERS or stem.endswith(("_utils", "_helpers", "_misc", "_manager")):
                yield path, 1, f"{part}: a name for anything at all"
            if re.search(r"(?:^|[_\-.])v\d+(?:[_\-.]|$)|\d+\.\d+", part):
                yield path, 1, f"{part}: versions are git's business"
            if re.search(r"[_\-.](?:old|new|orig|bak|copy|final)(?:\.|$)", part):
                yield path, 1, f"{part}: which of several versions is git's business"


@rule("manager")
def no_managers(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp", "python"):
        text = file.code if file.kind == "cpp" else file.text
        for line, match in file.search(r"^[ \t]*(?:class|struct)\s+(\w*Manager)\b", text):
            yield file.path, line, f"{match[1]}: says nothing about what it does"


@rule("postponed")
def nothing_postponed(tree: Tree) -> Iterator[Finding]:
    # The brackets keep this line from finding itself.
    words = r"\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b"
    for file in tree.of("cpp", "python", "shell", "meson", "markdown"):
        for line, match in file.search(words):
            yield file.path, line, f"{match[0]}: do it, or open an issue"


@rule("banned")
def banned_cpp(tree: Tree) -> Iterator[Finding]:
    reasons = {
        "shared_ptr": "one owner, by value or unique_ptr",
        "make_shared": "one owner, by value or unique_ptr",
        "std::endl": "flushes; write '\\n'",
        "using namespace std;": "hides where names come from",
    }
    for file in tree.of("cpp"):
        for line, match in file.search("|".join(rf"\b{word}" for word in reasons), file.code):
            yield file.path, line, f"{match[0]}: {reasons[match[0]]}"


@rule("sleep")
def no_sleep_in_tests_and_examples(tree: Tree) -> Iterator[Finding]:
    calls = {
        "cpp": r"\b(?:u|nano)?sleep\s*\(|\bsleep_(?:for|until)\b",
        "python": r"\bsleep\s*\((?!\s*0\s*\))",
        "shell": r"^[^#\n\"']*\bsleep\s+[\w.$\"]",
    }
    for file in tree.of(*calls):
        if not file.path.startswith(("tests/", "examples/")):
            continue
        text = file.code if file.kind == "cpp" else file.text
        if file.kind == "python":  # not in comments or one-line strings
            text = re.sub(r"#.*|\"[^\"\n]*\"|'[^'\n]*'", lambda m: _blank(m[0]), text)
        for line, _ in file.search(calls[file.kind], text):
            if not any(SLEEP_LEAVE in text for text in file.lines[max(0, line - 2) : line]):
                yield file.path, line, f"wait for a condition (or bound it and say {SLEEP_LEAVE!r})"


@rule("dead-code")
def no_dead_code(tree: Tree) -> Iterator[Finding]:
    """A comment that reads as a statement. Set in by three spaces or more, it is an example."""
    statement = (
        r"^\s*// {0,2}(?:return\b[^.]*|break|continue|\S.*\w\(.*\)|[\w:.\->\[\]]+ [-+*/|&]?= .*"
        r"|[\w:]+[\w:<>,*& ]* = .*|(?:auto|const|int|bool|std::)\S* .*|\+\+\w+|\w+\+\+);\s*$"
        r"|^\s*// {0,2}(?:if|for|while|switch) \(.*\) \{\s*$|^\s*// {0,2}\}\s*;?\s*$"
    )
    for file in tree.of("cpp"):
        for line, match in file.search(statement):
            yield file.path, line, f"{match[0].strip()}: git remembers it"


@rule("build")
def every_source_is_built(tree: Tree) -> Iterator[Finding]:
    named = set()
    pending = ["meson.build"]
    while pending:
        path = pending.pop()
        if path not in tree.files:
            continue
        folder = posixpath.dirname(path)
        text = re.sub(r"#.*", "", tree.files[path].text)
        quoted = re.findall(r"'([^'\n]*)'", text)
        named |= {posixpath.normpath(posixpath.join(folder, name)) for name in quoted}
        if re.search(r"\+\s*'\.cpp'|@\.cpp'", text):  # names in a list, the ending added
            named |= {posixpath.normpath(posixpath.join(folder, f"{n}.cpp")) for n in quoted}
        subfolders = re.findall(r"\bsubdir\(\s*'([^']*)'", text)
        pending += [posixpath.join(folder, sub, "meson.build") for sub in subfolders]
    for path in tree.paths:
        if path.endswith(".cpp") and path not in named:
            yield path, 1, "no meson.build that the build reads names it"


@rule("contract")
def headers_begin_with_a_contract(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp"):
        if file.is_header and not file.text.startswith(("// ", "/* ", "/*\n")):
            yield file.path, 1, "a header begins with a comment that says what it is"


@rule("pragma-once")
def headers_are_read_once(tree: Tree) -> Iterator[Finding]:
    for file in tree.of("cpp"):
        if file.is_header and not re.search(r"^#pragma once$", file.uncommented, re.MULTILINE):
            yield file.path, 1, "#pragma once is missing"


@rule("layout")
def layout(tree: Tree) -> Iterator[Finding]:
    sources = [file.path for file in tree.of("cpp")]
    if not sources or ".clang-format" not in tree.paths:
        tree.notes.append("layout not checked: no sources, or no .clang-format")
        return
    try:
        told = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    except OSError:
        tree.notes.append("layout not checked: clang-format is not here")
        return
    version = re.search(r"version (\d+)", told)
    if not version or int(version[1]) != CLANG_FORMAT_MAJOR:
        tree.notes.append(f"layout not checked: it takes clang-format {CLANG_FORMAT_MAJOR}")
        return
    command = ["clang-format", "--dry-run", "-style=file", *sources]
    told = subprocess.run(command, cwd=tree.root, capture_output=True, text=True).stderr
    places: Dict[str, List[int]] = {}
    for path, line in re.findall(r"^(\S+?):(\d+):\d+: \w+: .*clang-format", told, re.MULTILINE):
        places.setdefault(path, []).append(int(line))
    for path, lines in places.items():
        yield path, lines[0], f"clang-format lays out otherwise what is here ({len(lines)} in all)"


@rule("machine-path")
def no_machine_paths(tree: Tree) -> Iterator[Finding]:
    for file in tree.files.values():
        for line, match in file.search(r"(?<![\w.\-}$)])/(?:work|tmp|root|home/\w+)/"):
            if not re.search(r"mkd?temp", file.lines[line - 1]):
                yield file.path, line, f"{match[0]}: a path of one machine"


@rule("top-level")
def top_level(tree: Tree) -> Iterator[Finding]:
    for name in sorted({path.split("/")[0] for path in tree.paths}):
        if name not in TOP_LEVEL and not name.startswith("."):
            yield name, 1, "does not belong at the top"


@rule("link")
def links_lead_somewhere(tree: Tree) -> Iterator[Finding]:
    known = {str(parent) for path in tree.paths for parent in Path(path).parents} | {*tree.paths}
    for file in tree.of("markdown"):
        # Neither fenced code nor code in a line holds links.
        code = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
        text = code.sub(lambda m: _blank(m[0]), file.text)
        for line, match in file.search(r"\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", text):
            target = (match[1] or match[2]).split("#")[0]
            if not target or re.match(r"[a-z]+:", target):
                continue
            place = posixpath.join(posixpath.dirname(file.path), target)
            if posixpath.normpath(place) not in known:
                yield file.path, line, f"{target} is not in the tree"


# ---- the program ---------------------------------------------------------------------------------


def check(tree: Tree) -> List[str]:
    """A line for each violation, in the order of files and lines."""
    found = [(path, line, name, what) for name in RULES for path, line, what in RULES[name](tree)]
    return [f"{path}:{line}: {name}: {what}" for path, line, name, what in sorted(found)]


def main(arguments: List[str]) -> int:
    if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
        print(__doc__.strip())
        return 0 if arguments in (["-h"], ["--help"]) else 2
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    if not root.is_dir():
        print(f"tidy: {root} is no folder", file=sys.stderr)
        return 2
    tree = Tree(root)
    violations = check(tree)
    for line in violations:
        print(line)
    for note in tree.notes:
        print(f"tidy: {note}")
    print(f"tidy: {len(tree.paths)} files, {len(RULES)} rules, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
