"""The state of a segment: which attempt of which run is published under its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidInputError, WrongKeyError
from shared.fields import check_bounds, decode_digest, decode_number, decode_token
from shared.segments import MAX_SEGMENT_VALUES
from shared.tokens import MOST_AHEAD_OF_ATTEMPT_MS, require_not_too_late


@dataclass(frozen=True, slots=True)
class SegmentState:
    """What is published under the name of a segment; count 0 when nothing is any more."""

    run_id: str
    attempt: str
    count: int
    digest: str

    FIELDS = ("run_id", "attempt", "count", "digest")

    def encode(self) -> dict[str, str]:
        """Return the fields of the hash."""
        return {name: str(getattr(self, name)) for name in self.FIELDS}

    @classmethod
    def decode(cls, key: str, values: Sequence[Any], *, server_ms: int | None = None) -> SegmentState | None:
        """Return the state from HMGET's reply, None when there is none; WrongKeyError if we did not write it.

        Where the server's clock is given, neither did we one of a run that is far ahead of it, or of an attempt after
        which none could come.
        """
        if all(value is None for value in values):
            return None
        run_id, attempt, count, digest = (value if value is not None else b"" for value in values)
        try:
            number = decode_number(key, "count", count, least=0)
            check_bounds(key, "count", number, MAX_SEGMENT_VALUES, least=0)
            text = decode_digest(key, digest) if number else ""
            run = decode_token(key, "run_id", run_id)
            state = cls(run, decode_token(key, "attempt", attempt), number, text)
        except InvalidInputError as error:
            parts = {"where": error.where, "expected": error.expected, "got": error.got}
            raise WrongKeyError(**parts, advice="use --namespace") from error
        if server_ms is not None:
            require_not_too_late(f"{key} run {run}", run, server_ms)
            where = f"{key} attempt {state.attempt}"
            require_not_too_late(where, state.attempt, server_ms, most_ahead_ms=MOST_AHEAD_OF_ATTEMPT_MS)
        return state
