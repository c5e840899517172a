"""A DNS server with moods, as a program: name_server.py ZONE_FILE

The zone is a JSON file, read anew for every question:

    {"p0.mesh": {"a": ["127.0.0.2"], "aaaa": ["::1"]},     answered at once
     "p1.mesh": {"a": ["127.0.0.3"], "slow_s": 3},          ... after so long
     "p2.mesh": {"silent": true}}                           never
    "*" stands for all names that are not in it; without it, they do not exist.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Dict, List, Tuple

TYPE_A, TYPE_AAAA = 1, 28
NAME_ERROR = 3


def _question(packet: bytes) -> Tuple[str, int, int]:
    """The name, its type, and where the question ends."""
    labels, at = [], 12
    while packet[at] != 0:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    (kind,) = struct.unpack(">H", packet[at + 1 : at + 3])
    return ".".join(labels).lower(), kind, at + 5


def _answer(packet: bytes, end: int, kind: int, entry: Dict[str, object]) -> bytes:
    numbers: List[str] = entry.get({TYPE_A: "a", TYPE_AAAA: "aaaa"}.get(kind, ""), [])
    code = 0 if "a" in entry or "aaaa" in entry else NAME_ERROR
    head = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(numbers), 0, 0)
    records = b"".join(
        struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(ipaddress.ip_address(number).packed))
        + ipaddress.ip_address(number).packed
        for number in numbers
    )
    return head + packet[12:end] + records


def main(zone_file: str) -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    print("listens", flush=True)
    while True:
        packet, asker = server.recvfrom(4096)
        name, kind, end = _question(packet)
        zone = json.loads(Path(zone_file).read_text())
        entry = zone.get(name, zone.get("*", {}))
        if entry.get("silent"):
            continue

        def send(packet=packet, asker=asker, end=end, kind=kind, entry=entry) -> None:
            time.sleep(entry.get("slow_s", 0))  # tidy: backoff
            server.sendto(_answer(packet, end, kind, entry), asker)

        threading.Thread(target=send, daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
