"""What came from the sidecar and was not taken yet, as a value: taking makes another one.

So whoever is interrupted amid taking has taken nothing, and whoever takes again finds the same.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

from .protocol import Message, Notification, frame_end, payload_of, read_message

__all__ = ["Inbox"]


class Inbox(NamedTuple):
    """`chunks` are bytes as they came, of which the first `begin` are taken; the list only grows,
    by what the socket gives. `notes` are notifications that were taken on the way to an answer."""

    chunks: List[bytes]
    begin: int = 0
    notes: Tuple[Notification, ...] = ()

    def take(self) -> Optional[Tuple[Message, Inbox]]:
        """The first message, and the rest; None where it is not complete. Raises ReportBug for what
        breaks the protocol."""
        chunks, begin, notes = self
        if not chunks:
            return None
        data = chunks[0]
        end = frame_end(data, begin)
        if end is None and len(chunks) > 1:
            data = b"".join(chunks)
            end = frame_end(data, begin)
        size = len(data) if data is not chunks[0] else sum(map(len, chunks))
        if end is None or size < end:
            return None
        if len(data) < end:
            # Once for a frame, and not for each of the many chunks that a large one comes in.
            data = b"".join(chunks)
        message = read_message(payload_of(data, begin, end))
        if end == size:
            return message, Inbox([], 0, notes)
        return message, Inbox(chunks if data is chunks[0] else [data], end, notes)
