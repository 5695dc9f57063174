"""Run ids and attempt tokens: the server's TIME in milliseconds and a random part, so they sort by time.

A token is always greater than the one it follows: after a failover the new server's clock may be behind.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from shared.errors import WrongKeyError
from shared.keys import TOKEN_PATTERN

MOST_AHEAD_MS = 24 * 60 * 60 * 1000
MOST_AHEAD_OF_ATTEMPT_MS = 1_000 * 365 * MOST_AHEAD_MS  # whatever a clock said, and far from the last year
_TOKEN = re.compile(TOKEN_PATTERN)
_MOST_CHARACTERS = 64  # a token has 26; the pattern says which
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15))


def make_token(server_ms: int, *, after: str = "", most_ahead_ms: int = MOST_AHEAD_MS) -> str:
    """Return a token such as `20261122T205801123Z-3f9a1c` that sorts after another one, if there is one.

    Raises WrongKeyError if that is too far ahead of the server: no run of ours made it, and none could follow. A run id
    may be a day ahead, an attempt of a run that is known a thousand years, since clocks may have been set back.
    """
    if is_token(after):
        require_not_too_late(f"run or attempt {after}", after, server_ms, most_ahead_ms=most_ahead_ms)
        server_ms = max(server_ms, token_ms(after) + 1)
    moment = _EPOCH + timedelta(milliseconds=server_ms)
    return f"{moment:%Y%m%dT%H%M%S}{server_ms % 1000:03d}Z-{os.urandom(3).hex()}"


def is_token(text: str) -> bool:
    """Tell whether a text has the form of a run id or an attempt token and names a real moment."""
    # not a text of any length: what is remembered is held in memory
    return len(text) <= _MOST_CHARACTERS and _is_token(text)


@lru_cache(maxsize=4_096)
def _is_token(text: str) -> bool:
    # 9999 is Python's last year: a token of it might have no successor
    if not _TOKEN.fullmatch(text) or text.startswith("9999"):
        return False
    try:
        token_ms(text)
    except ValueError:
        return False
    return True


def require_not_too_late(where: str, token: str, server_ms: int, *, most_ahead_ms: int = MOST_AHEAD_MS) -> None:
    """Raise WrongKeyError if a token is too far ahead of the server's clock: no run of ours made it.

    `where` is what is looked at, with the token in it; `most_ahead_ms` that of a run id, or MOST_AHEAD_OF_ATTEMPT_MS.
    """
    if is_too_late(token, server_ms, most_ahead_ms=most_ahead_ms):
        what, ahead = ("a run id", "a day") if most_ahead_ms == MOST_AHEAD_MS else ("an attempt", "a thousand years")
        expected, got = f"{what} of the server's time", f"one more than {ahead} ahead of it"
        advice = "set the server's clock right, or use --namespace"
        raise WrongKeyError(where=where, expected=expected, got=got, advice=advice)


def is_too_late(token: str, server_ms: int, *, most_ahead_ms: int = MOST_AHEAD_MS) -> bool:
    """Tell whether a token is further ahead of the server's clock than any of ours: a run id by more than a day."""
    return token_ms(token) > server_ms + most_ahead_ms


def token_ms(token: str) -> int:
    """Return the milliseconds since 1970 that a token starts with; ValueError if it names no real moment."""
    return _token_ms(token[:_MOST_CHARACTERS])


@lru_cache(maxsize=4_096)  # states, verdicts and signals of a thousand segments name the same ones again and again
def _token_ms(token: str) -> int:
    # not strptime(), whose first call imports and compiles what it needs
    year, month, day, hour, minute, second = (int(token[start:end]) for start, end in _PARTS)
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1) + int(token[15:18])
