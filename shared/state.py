"""The state of a segment: which attempt of which run is published under its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidInputError, WrongKeyError
from shared.fields import decode_digest, decode_number, decode_token


@dataclass(frozen=True)
class SegmentState:
    """What the state key of a segment says is published under its name; count 0 means nothing any more."""

    run_id: str
    attempt: str
    count: int
    digest: str

    FIELDS = ("run_id", "attempt", "count", "digest")

    def encode(self) -> dict[str, str]:
        """Return the fields of the hash."""
        return {"run_id": self.run_id, "attempt": self.attempt, "count": str(self.count), "digest": self.digest}

    @classmethod
    def decode(cls, key: str, values: Sequence[Any]) -> SegmentState | None:
        """Return the state from the reply of `HMGET key run_id attempt count digest`; None when there is none.

        Raises:
            WrongKeyError: The hash is there but was not written by this product.
        """
        if all(value is None for value in values):
            return None
        run_id, attempt, count, digest = (value if value is not None else b"" for value in values)
        try:
            number = decode_number(key, "count", count, least=0)
            text = decode_digest(key, digest) if number else ""
            return cls(decode_token(key, "run_id", run_id), decode_token(key, "attempt", attempt), number, text)
        except InvalidInputError as error:
            raise WrongKeyError(
                where=error.where, expected=error.expected, got=error.got, advice="use --namespace"
            ) from error
