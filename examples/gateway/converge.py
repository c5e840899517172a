"""Whether all replicas hold the same picture, and how long they need to get there."""

from __future__ import annotations

import time
from typing import Any, Dict, NamedTuple, Optional

CONVERGE_S_MAX = 30.0
POLL_S = 0.001


class Agreement(NamedTuple):
    """`statuses` are the last that were seen, by address; `difference` is nil where all agree."""

    seconds: float
    statuses: Dict[str, dict]
    difference: Optional[str]

    @property
    def agreed(self) -> bool:
        return self.difference is None


def wait_for_agreement(
    clients: Dict[str, Any], converge_s_max: float = CONVERGE_S_MAX
) -> Agreement:
    """Asks every node until all agree or the time is up."""
    began = time.monotonic()
    while True:
        statuses = {addr: client.status() for addr, client in clients.items()}
        seconds = time.monotonic() - began
        difference = first_difference(statuses)
        if difference is None or seconds > converge_s_max:
            return Agreement(seconds, statuses, difference)
        time.sleep(POLL_S)  # tidy: backoff


def first_difference(statuses: Dict[str, dict]) -> Optional[str]:
    """The first point in which two replicas differ, in words, or nil.

    Each must know every node that was asked: two that know nothing would agree on that, too.
    """
    addrs = list(statuses)
    for what in ("version_vector", "digests"):
        first = _facts(statuses[addrs[0]], what)
        for addr in addrs:
            facts = _facts(statuses[addr], what)
            unknown = [member for member in addrs if member not in facts]
            if unknown:
                return f"{addr} has no {what} of {unknown[0]}"
            for member in sorted(first.keys() | facts.keys()):
                if first.get(member) != facts.get(member):
                    return (
                        f"{addrs[0]} and {addr} differ in the {what} of {member}: "
                        f"{first.get(member)} and {facts.get(member)}"
                    )
    return None


def _facts(status: dict, what: str) -> dict:
    # Pairs may come as lists or tuples, as the codec likes.
    return {
        addr: tuple(fact) if isinstance(fact, list) else fact
        for addr, fact in status[what].items()
    }
