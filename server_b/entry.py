"""A stream entry as the group delivers it."""

from __future__ import annotations

from dataclasses import dataclass

LOOK_BACK = 100  # how many of a stream's newest entries are read to find its newest signal or a dead letter


@dataclass(frozen=True)
class Entry:
    """A stream entry as the group delivered it.

    Attributes:
        fields: None when the stream was trimmed past it.
        is_redelivered: Whether it may have been delivered before, to us or to another consumer.
        claimed_from: The consumer it was pending with before we claimed it; empty when we did not claim it.
        taken_s: When we first received it, on this host's monotonic clock.
    """

    entry_id: str
    fields: dict[bytes, bytes] | None
    is_redelivered: bool = False
    claimed_from: str = ""
    taken_s: float = 0.0
