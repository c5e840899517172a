"""A sidecar that is only configured: --check-config and --print-config, and what they end with.

Nothing is bound, so the addresses need not be free.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional

from loopback import run_sidecar

OK, USAGE = 0, 64
SELF = "127.0.0.1:5001"
# A node alone, by flag.
ALONE = {"--prefill-cache-nodes": SELF, "--local-cache-addr": SELF, "--ipc": "a.sock"}


def flags_of(options: Mapping[str, object]) -> List[str]:
    return [str(part) for pair in options.items() for part in pair]


def variable_of(flag: str) -> str:
    return "RADIXMESH_" + flag[2:].replace("-", "_").upper()


def variables_of(options: Mapping[str, object]) -> Dict[str, str]:
    return {variable_of(flag): str(value) for flag, value in options.items()}


def toml_of(folder: Path, lines: Iterable[str]) -> Path:
    path = folder / "sidecar.toml"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def check(arguments: Iterable[object], env: Optional[Dict[str, str]] = None):
    return run_sidecar([*arguments, "--check-config"], env=env)


def said_of(outcome) -> str:
    """The one line with which a configuration was refused, without the program's name."""
    assert outcome.returncode == USAGE, outcome
    lines = outcome.stderr.splitlines()
    assert len(lines) == 1 and not outcome.stdout, outcome
    name, _, said = lines[0].partition(": ")
    assert name == "radixmesh-sidecar"
    return said


def assert_good(outcome) -> None:
    assert (outcome.returncode, outcome.stderr) == (OK, ""), outcome
