"""Bytes that the nodes sent each other, summed over all lives of all nodes."""

from __future__ import annotations

from typing import Dict


class WireMeter:
    """Counts from the time it was made; a restarted node's counter begins at 0."""

    def __init__(self, statuses: Dict[str, dict]):
        self._since = {addr: status["bytes_sent"] for addr, status in statuses.items()}
        self._former_lives = 0

    def end_life(self, addr: str, status: dict) -> None:
        """`status` is the last before the node was killed."""
        self._former_lives += status["bytes_sent"] - self._since[addr]
        self._since[addr] = 0

    def total(self, statuses: Dict[str, dict]) -> int:
        grown = (status["bytes_sent"] - self._since[addr] for addr, status in statuses.items())
        return self._former_lives + sum(grown)
