"""What came of a run: a table for people, a JSON object for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

from gateway.failure import Failure
from gateway.run import Totals

LABEL_COLUMNS = 20


@dataclass(frozen=True)
class Report:
    """`wire_bytes` is the growth of `bytes_sent`, as each sidecar counts it in its `status`, summed
    over all nodes, the router included: all that they sent each other (ops once for every
    subscriber, heartbeats, repair) from the time the mesh was ready until it agreed at the end.
    Traffic with the engines on the Unix sockets is not in it.
    """

    totals: Totals
    best_hit_tokens: int
    tokens_per_node: Sequence[Tuple[str, str, int]]
    wire_bytes: int
    converge_seconds: float
    policy: str
    difference: str = ""

    @property
    def converged(self) -> bool:
        return not self.difference

    def failures(self) -> List[str]:
        """Why the run does not count as a success; empty if it does."""
        reasons = []
        if not self.converged:
            reasons.append(
                f"the replicas do not agree after {self.converge_seconds:.1f} s: {self.difference}"
            )
        if self.totals.violations:
            reasons.append(
                f"{self.totals.violations} violations, the first: {self.totals.first_violation}"
            )
        return reasons

    def to_json(self) -> dict:
        totals = self.totals
        return {
            "requests": totals.requests,
            "input_tokens": totals.input_tokens,
            "hit_tokens": totals.hit_tokens,
            "best_hit_tokens": self.best_hit_tokens,
            "converged": self.converged,
            "wire_bytes": self.wire_bytes,
            "new_tokens": totals.new_tokens,
            "seconds": round(totals.seconds, 3),
            "converge_seconds": round(self.converge_seconds, 4),
            "violations": totals.violations,
            "policy": self.policy,
            "reasons": dict(totals.reasons),
            "tokens_per_node": {addr: tokens for addr, _, tokens in self.tokens_per_node},
        }

    def lines(self) -> List[str]:
        totals = self.totals
        rows = [
            ("requests", f"{totals.requests:,}"),
            ("policy", f"{self.policy}: {self._reasons()}"),
            ("input tokens", f"{totals.input_tokens:,}"),
            (
                "hit rate",
                f"{_percent(totals.hit_tokens, totals.input_tokens)}"
                f"   (best possible {_percent(self.best_hit_tokens, totals.input_tokens)},"
                " by one cache without bound)",
            ),
        ]
        labels = ["tokens per node"] + [""] * len(self.tokens_per_node)
        for label, (addr, role, tokens) in zip(labels, self.tokens_per_node):
            rows.append((label, f"{addr:21} {role:8} {tokens:>12,}"))
        rows += [
            ("new tokens", f"{totals.new_tokens:,}, over all engines"),
            ("bytes on the wire", f"{self._bytes_per_token()}   ({self.wire_bytes:,} in all)"),
            ("time to converge", f"{1000 * self.converge_seconds:,.1f} ms after the last request"),
            ("all replicas agree", "yes" if self.converged else "NO"),
            ("violations", f"{totals.violations:,}"),
            ("seconds", f"{totals.seconds:,.1f}   ({self._rate()} requests/s)"),
        ]
        return [f"{label:{LABEL_COLUMNS}} {value}" for label, value in rows]

    def _reasons(self) -> str:
        counts = self.totals.reasons.most_common()
        return ", ".join(f"{reason} {count:,}" for reason, count in counts) or "-"

    def _bytes_per_token(self) -> str:
        if not self.totals.new_tokens:
            return "no new token"
        return f"{self.wire_bytes / self.totals.new_tokens:.2f} per new token"

    def _rate(self) -> str:
        if not self.totals.seconds:
            return "-"
        return f"{self.totals.requests / self.totals.seconds:,.1f}"


def write_json(path: str, report: Report) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(report.to_json(), file, indent=2)
            file.write("\n")
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from error


def tokens_per_node(statuses: Dict[str, dict]) -> List[Tuple[str, str, int]]:
    """(addr, role, local_tokens) of each node, in the order given."""
    return [(addr, s["role"], s["local_tokens"]) for addr, s in statuses.items()]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
