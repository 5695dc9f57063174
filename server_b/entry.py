"""A stream entry as it was delivered to us."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A stream entry as it was delivered.

    Attributes:
        entry_id: Such as `1763844000000-0`.
        fields: None when the stream was trimmed past it.
        is_redelivered: Whether it may have been delivered before, to us or to another consumer.
        claimed_from: The consumer it was pending with before it was claimed; empty where it was not.
        taken_s: When we were first given it, on this host's monotonic clock.
    """

    entry_id: str
    fields: dict[bytes, bytes] | None
    is_redelivered: bool = False
    claimed_from: str = ""
    taken_s: float = 0.0

    @property
    def sent_ms(self) -> int:
        """The server's clock when the entry was added, milliseconds since 1970."""
        return int(self.entry_id.partition("-")[0])
