"""How far a consumer has read its segment, as it says in Redis while it reads; only people who look depend on it.

One field of a hash for each consumer was preferred to a key for each: one name to look at, and to remove. The server
puts its own time behind what the consumer says, so that both hosts' clocks may be wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.tokens import is_token, is_too_late

LASTS_MS = 60_000
_NUMBER = r"([0-9]{1,15})"
_FORM = re.compile(rf"([0-9A-Za-z-]{{22,40}}) {_NUMBER} {_NUMBER} {_NUMBER} {_NUMBER}", re.ASCII)


@dataclass(frozen=True)
class ReadingNote:
    """One field: which segment is read since when, how many of its values are, and when that was said.

    Both moments are milliseconds of the server's clock.
    """

    run_id: str
    segment: int
    values: int
    began_ms: int
    at_ms: int

    @classmethod
    def decode(cls, raw: bytes | None) -> ReadingNote | None:
        """Return what a field says; None where it is missing or not ours."""
        found = _FORM.fullmatch((raw or b"")[:200].decode("ascii", "replace"))
        if found is None or not is_token(found[1]):
            return None
        at_ms = int(found[5])
        note = cls(found[1], int(found[2]), int(found[3]), max(0, at_ms - int(found[4])), at_ms)
        return note if note.segment and not is_too_late(note.run_id, note.at_ms) else None

    def is_fresh(self, server_ms: int) -> bool:
        """Tell whether it is of the last minute; what is older was left by a consumer that has ended."""
        return abs(server_ms - self.at_ms) <= LASTS_MS


def note_text(run_id: str, segment: int, values: int, lasted_ms: int) -> str:
    """Return what a consumer says; the server's time in milliseconds is put behind it."""
    return f"{run_id} {segment} {values} {lasted_ms}"
