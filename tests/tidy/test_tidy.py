"""Each rule of tidy.py fires on a bad example, at the right line, and none on a good tree."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tidy  # noqa: E402

HEADER = "// What this is.\n#pragma once\n"
GOOD = {
    "README.md": "[the ids](lib/base/ids.h), [the tree](lib/tree), [elsewhere](https://a.b)\n",
    "meson.build": "subdir('lib')\n",
    "lib/meson.build": "files('tree/radix_tree.cpp')\n",
    "lib/base/ids.h": HEADER + "#include <cstdint>\n",
    "lib/tree/radix_tree.h": HEADER + '#include <tsl/robin_set.h>\n\n#include "lib/base/ids.h"\n',
    "lib/tree/radix_tree.cpp": '#include "lib/tree/radix_tree.h"\n',
    "lib/oplog/codec.h": HEADER + '#include <msgpack.hpp>\n\n#include "lib/tree/radix_tree.h"\n',
    "lib/replica.h": HEADER + '#include "lib/oplog/codec.h"\n',
    "lib/replica_view.h": HEADER,
    "ipc/client.h": HEADER + '#include "lib/base/ids.h"\n',
    "ipc/server.h": HEADER + '#include <sys/socket.h>\n\n#include "lib/replica_view.h"\n',
    "sidecar/loop.h": HEADER + '#include <zmq.hpp>\n\n#include "lib/replica.h"\n',
    "cli/show.h": HEADER + '#include "ipc/client.h"\n',
    "examples/engine.h": HEADER + '#include "ipc/client.h"\n',
    "tests/unit/all.h": HEADER + '#include "cli/show.h"\n#include "lib/replica.h"\n',
    "tests/run": "#!/usr/bin/env bash\n# no sleep here\n",
    ".clang-format": "BasedOnStyle: Google\nColumnLimit: 100\n",
}


def lines_of(count, text="int x;\n"):
    return text * count


# (rule, file, line, what is written there). Some words stand in two parts, so that the rules do not
# find them in this file.
BAD = [
    ("arrow", "lib/base/a.h", 3, HEADER + '#include "lib/tree/radix_tree.h"\n'),
    ("arrow", "lib/tree/a.h", 3, HEADER + '#include "lib/oplog/codec.h"\n'),
    ("arrow", "lib/oplog/a.h", 3, HEADER + '#include "lib/replica.h"\n'),
    ("arrow", "lib/members/a.h", 3, HEADER + '#include "lib/tree/radix_tree.h"\n'),
    ("arrow", "lib/tree/a_view.h", 3, HEADER + '#include "lib/tree/radix_tree.h"\n'),
    ("arrow", "lib/mesh/a.h", 3, HEADER + '#include "lib/replica.h"\n'),
    ("arrow", "lib/replica_x.h", 3, HEADER + '#include "ipc/client.h"\n'),
    ("arrow", "lib/other/a.h", 1, HEADER),
    ("arrow", "ipc/a.h", 3, HEADER + '#include "lib/replica.h"\n'),
    ("arrow", "ipc/b.h", 3, HEADER + '#include "lib/tree/radix_tree.h"\n'),
    ("arrow", "sidecar/a.h", 3, HEADER + '#include "cli/show.h"\n'),
    ("arrow", "cli/a.h", 3, HEADER + '#include "lib/replica_view.h"\n'),
    ("arrow", "cli/b.h", 3, HEADER + '#include "ipc/server.h"\n'),
    ("arrow", "examples/a.h", 3, HEADER + '#include "lib/base/ids.h"\n'),
    ("outside", "lib/base/a.h", 3, HEADER + "#include <thread>\n"),
    ("outside", "lib/tree/a.h", 3, HEADER + "#include <zmq.hpp>\n"),
    ("outside", "lib/tree/a.h", 3, HEADER + "#include <unistd.h>\n"),
    ("outside", "lib/tree/a.h", 3, HEADER + "#include <sys/types.h>\n"),
    ("outside", "lib/tree/a.h", 3, HEADER + "#include <spdlog/spdlog.h>\n"),
    ("outside", "lib/tree/a.h", 3, HEADER + "#include <msgpack.hpp>\n"),
    ("outside", "ipc/server.h", 3, HEADER + "#include <msgpack.hpp>\n"),
    ("outside", "ipc/codec.h", 3, HEADER + "#include <zmq.hpp>\n"),
    ("outside", "sidecar/a.h", 3, HEADER + "#include <doctest/doctest.h>\n"),
    ("outside", "cli/a.h", 3, HEADER + "#include <zmq.h>\n"),
    ("root-include", "lib/tree/a.h", 3, HEADER + '#include "radix_tree.h"\n'),
    ("root-include", "lib/tree/a.h", 3, HEADER + '#include "lib/base/gone.h"\n'),
    ("clock", "lib/tree/a.h", 3, HEADER + "auto t = SomeClock::now();\n"),
    ("clock", "lib/tree/a.h", 3, HEADER + "using C = std::chrono::steady_clock;\n"),
    ("clock", "lib/tree/a.h", 3, HEADER + "const auto t = std::time(nullptr);\n"),
    ("clock", "lib/tree/a.h", 3, HEADER + "const int n = rand();\n"),
    ("clock", "lib/tree/a.h", 3, HEADER + "std::random_device entropy;\n"),
    ("static", "lib/tree/a.h", 4, HEADER + "inline void f() {\n  static int calls = 0;\n}\n"),
    ("static", "lib/tree/a.h", 3, HEADER + "inline std::map<int, int> table{};\n"),
    ("static", "lib/tree/a.h", 3, HEADER + "thread_local int depth;\n"),
    ("file-length", "lib/tree/a.h", 501, HEADER + lines_of(499)),
    ("file-length", "tests/unit/a.h", 801, HEADER + lines_of(799)),
    ("file-length", "examples/a.py", 501, lines_of(501, "x = 1\n")),
    ("columns", "lib/tree/a.h", 3, HEADER + "// " + "x" * 98 + "\n"),
    ("columns", "examples/a.py", 1, "# " + "x" * 99 + "\n"),
    ("columns", "examples/a", 2, "#!/bin/sh\n# " + "x" * 99 + "\n"),
    ("function-length", "lib/tree/a.h", 3, HEADER + "int f() {\n" + lines_of(69) + "}\n"),
    ("function-length", "examples/a.py", 2, "\ndef f():\n" + lines_of(70, "    x = 1\n")),
    ("class-size", "lib/tree/a.h", 3, HEADER + "struct A {\n" + "int x;\n" * 16 + "};\n"),
    ("class-size", "lib/tree/a.h", 3, HEADER + "struct A {\n" + "int x, y{3};\n" * 8 + "};\n"),
    ("class-size", "lib/tree/a.h", 3, HEADER + "class A {\n" + "void f() {}\n" * 41 + "};\n"),
    ("file-name", "lib/base/utils.h", 1, HEADER),
    ("file-name", "lib/tree/slot_helpers.h", 1, HEADER),
    ("file-name", "examples/common/a.py", 1, "x = 1\n"),
    ("file-name", "lib/oplog/codec_v2.h", 1, HEADER),
    ("file-name", "lib/oplog/wire-1.2.md", 1, "x\n"),
    ("file-name", "lib/tree/tree_old.h", 1, HEADER),
    ("manager", "lib/tree/a.h", 3, HEADER + "class PageManager;\n"),
    ("manager", "examples/a.py", 1, "class PageManager:\n    x = 1\n"),
    ("postponed", "lib/tree/a.h", 3, HEADER + "// TO" "DO: later\n"),
    ("postponed", "README.md", 1, "FIX" "ME\n"),
    ("banned", "lib/tree/a.h", 3, HEADER + "void f(std::shared_ptr<int> p);\n"),
    ("banned", "cli/a.h", 3, HEADER + "inline void f() { std::cout << std::endl; }\n"),
    ("banned", "cli/a.h", 3, HEADER + "using namespace std;\n"),
    ("sleep", "tests/unit/a.h", 3, HEADER + "inline void f() { sleep_for(x); }\n"),
    ("sleep", "examples/a.py", 2, "import time\ntime.sleep(1)\n"),
    ("sleep", "tests/a.sh", 2, "true\nwhile true; do sleep 1; done\n"),
    ("dead-code", "lib/tree/a.h", 3, HEADER + "// count += 1;\n"),
    ("dead-code", "lib/tree/a.h", 3, HEADER + "// tree.insert(tokens, slots);\n"),
    ("dead-code", "lib/tree/a.h", 3, HEADER + "// return 0;\n"),
    ("dead-code", "lib/tree/a.h", 3, HEADER + "// if (a < b) {\n"),
    ("build", "lib/tree/forgotten.cpp", 1, "int x;\n"),
    ("build", "tests/unit/forgotten.cpp", 1, "int x;\n"),
    ("contract", "lib/tree/a.h", 1, "#pragma once\n// What this is.\n"),
    ("pragma-once", "lib/tree/a.h", 1, "// What this is.\n// #pragma once\n"),
    ("machine-path", "lib/oplog/WIRE.md", 1, "see /" "work/x\n"),
    ("machine-path", "examples/a.py", 1, 'PATH = "/' 'tmp/x"\n'),
    ("machine-path", "tests/a", 1, "file:///" "root/x\n"),
    ("top-level", "notes.md", 1, "x\n"),
    ("top-level", "src", 1, None),
    ("link", "lib/oplog/WIRE.md", 2, "\n[the codec](oplog/codec.h)\n"),
    ("link", "README.md", 1, "[gone]: lib/gone.h\n"),
]
FINE = [
    ("lib/tree/a.h", HEADER + "// See release(), which frees;\n//   tree.insert(a, b);\n"),
    ("lib/tree/a.h", HEADER + 'inline const char* f() { return "std::endl; time(0)"; }\n'),
    ("lib/tree/a.h", HEADER + "struct A {\n  static A f();\n  A& operator=(A&) = delete;\n};\n"),
    ("lib/tree/a.h", HEADER + "inline constexpr int kMax = 1'000'000;  // it's a bound\n"),
    ("lib/tree/a.h", HEADER + "static int f() {\n" + lines_of(68) + "}\n"),
    ("sidecar/a.h", HEADER + "class A {\n" + lines_of(300) + "};\n"),
    ("tests/unit/a.h", HEADER + "// tidy: backoff\ninline void f() { sleep_for(x); }\n"),
    ("examples/a.py", 'import time\n\ntime.sleep(0.01)  # tidy: backoff\n"""time.sleep"""\n'),
    ("lib/oplog/WIRE.md", "`[a](b)` [here](#part) [up](../base/ids.h#L3)\n```\n[x](y)\n```\n"),
    ("tests/a", "#!/bin/sh\nlog=$(mktemp -d /" "tmp/x.XXXXXX) /run/radixmesh/a\n"),
]


def write(root, files):
    for path, text in files.items():
        if text is None:
            path, text = f"{path}/a.txt", ""
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def no_clang_format(monkeypatch):
    """Examples are about one rule each; layout has tests of its own."""
    monkeypatch.setitem(tidy.RULES, "layout", lambda tree: iter(()))


def test_a_good_tree_is_silent(tmp_path):
    write(tmp_path, GOOD)
    assert tidy.check(tidy.Tree(tmp_path)) == []


@pytest.mark.parametrize("rule, path, line, text", BAD)
def test_fires(tmp_path, rule, path, line, text):
    write(tmp_path, {**GOOD, path: text})
    (told,) = tidy.check(tidy.Tree(tmp_path))
    assert told.startswith(f"{path}:{line}: {rule}: ")


@pytest.mark.parametrize("path, text", FINE)
def test_does_not_fire(tmp_path, path, text):
    write(tmp_path, {**GOOD, path: text})
    assert tidy.check(tidy.Tree(tmp_path)) == []


def test_every_rule_has_a_bad_example():
    assert {rule for rule, *_ in BAD} | {"layout"} == set(tidy.RULES)


def test_finds_functions_of_every_shape():
    text = """
namespace a {
template <class T, class U = std::map<T, int>>
class Table : public Base {
 public:
  explicit Table(int size)
      : size_{size}, rows_(size), name_{"{"} {
    if (size) { grow(); }
  }
  int size() const noexcept { return size_; }

 private:
  int size_ = 0, other_{1};
};
const std::map<int, int> kTable = {{1, 2}, {3, 4}};
template <class T>
typename Table<T>::Row Table<T>::row(int at) const {
  return {at};
}
enum class E { one, two };
}  // namespace a
TEST_CASE("it { works") {
  CHECK(true);
}
"""
    assert list(tidy.cpp_functions(tidy.File("a.cpp", text))) == [
        ("Table", 6, 9),
        ("size", 10, 10),
        ("Table<T>::row", 16, 19),
        ("TEST_CASE", 22, 24),
    ]


def test_the_program_says_what_it_did(tmp_path, capsys):
    write(tmp_path, {**GOOD, "src": None})
    assert tidy.main([str(tmp_path)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "src:1: top-level: does not belong at the top"
    assert told[-1] == f"tidy: {len(GOOD) + 1} files, {len(tidy.RULES)} rules, 1 violations"
    (tmp_path / "src" / "a.txt").unlink()
    assert tidy.main([str(tmp_path)]) == 0


def test_with_git_what_git_ignores_is_left_out(tmp_path):
    write(tmp_path, {**GOOD, ".gitignore": "/scratch/\n", "scratch/utils.h": "x"})
    assert tidy.check(tidy.Tree(tmp_path))
    if shutil.which("git") is None:
        pytest.skip("git is not here")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert tidy.check(tidy.Tree(tmp_path)) == []


class TestLayout:
    @pytest.fixture
    def tree(self, tmp_path):
        write(tmp_path, {**GOOD, "lib/tree/a.h": HEADER + "int  f( );\n"})
        return tidy.Tree(tmp_path)

    def test_fires(self, tree):
        told = list(tidy.layout(tree))
        if tree.notes:
            pytest.skip(tree.notes[0])
        assert [(path, line) for path, line, _ in told] == [("lib/tree/a.h", 3)]

    def test_says_that_clang_format_is_missing(self, tree, monkeypatch):
        monkeypatch.setenv("PATH", "")
        assert list(tidy.layout(tree)) == []
        assert tree.notes == ["layout not checked: clang-format is not here"]
