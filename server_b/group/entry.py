"""A stream entry as the group delivers it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.text import stored_text


@dataclass(frozen=True)
class Entry:
    """A stream entry as the group delivered it."""

    entry_id: str
    fields: dict[bytes, bytes] | None  # None when the stream was trimmed past it
    is_redelivered: bool = False  # whether it may have been delivered before, to us or to another consumer
    claimed_from: str = ""  # the consumer it was pending with before we claimed it; empty when we did not claim it
    taken_s: float = 0.0  # when we first received it, on this host's monotonic clock
    delivered_s: float = 0.0  # when this delivery of it came; as `taken_s`


def entry_of(raw: tuple[bytes, dict[bytes, bytes] | None], *, is_redelivered: bool, claimed_from: str = "") -> Entry:
    """Return an entry from its id and fields, as redis-py gives them."""
    return Entry(stored_text(raw[0]), raw[1] or None, is_redelivered, claimed_from)
