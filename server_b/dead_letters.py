"""The dead-letter stream: entries that could not be processed, with the reason, for people to look at.

A dead letter is added before its entry is acknowledged; they may lie on two servers of a cluster, so a kill in between
makes a second copy. `list_letters` therefore shows each origin once. Losing the entry instead was not an option.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from server_b.results import Results
from shared.endpoint.client import Endpoint
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.run_signal import Signal

MAX_LETTERS = 10_000
_PAGE = 1_000
_FIELD_PREFIX = b"field:"


@dataclass(frozen=True)
class DeadLetter:
    """An entry that was given up.

    Attributes:
        letter_ids: Its ids in the dead-letter stream, more than one after a kill at the wrong moment.
        origin: Its id in the signals stream.
        fields: The entry's own fields.
    """

    letter_ids: tuple[str, ...]
    origin: str
    reason: str
    consumer: str
    fields: dict[bytes, bytes]


class DeadLetters:
    """Writes, lists, retries and drops dead letters."""

    def __init__(self, endpoint: Endpoint, keys: Keyspace) -> None:
        """Use an endpoint and a namespace."""
        self._endpoint = endpoint
        self._keys = keys
        self._client = endpoint.client
        self._stream = keys.dead_letters()

    def add(self, *, origin: str, reason: str, consumer: str, fields: dict[bytes, bytes]) -> None:
        """Add a dead letter; the caller acknowledges the entry afterwards.

        Redis:
            XADD MAXLEN ~ 10000; O(1).
        """
        letter: dict[Any, Any] = {b"origin": origin, b"reason": reason, b"consumer": consumer}
        letter |= {_FIELD_PREFIX + name: value for name, value in fields.items()}
        with self._endpoint.translated(self._stream):
            self._client.xadd(self._stream, letter, maxlen=MAX_LETTERS, approximate=True)

    def list_letters(self) -> list[DeadLetter]:
        """Return all dead letters, oldest first, each origin once.

        Redis:
            XRANGE COUNT 1000 until the end; O(letters).
        """
        by_origin: dict[str, DeadLetter] = {}
        after = "-"
        while True:
            with self._endpoint.translated(self._stream):
                page = cast("list[Any]", self._client.xrange(self._stream, min=after, count=_PAGE))
            for letter_id, fields in page:
                letter = _decode(letter_id.decode(), fields)
                known = by_origin.get(letter.origin)
                ids = (*known.letter_ids, *letter.letter_ids) if known else letter.letter_ids
                by_origin[letter.origin] = DeadLetter(ids, letter.origin, letter.reason, letter.consumer, letter.fields)
            if len(page) < _PAGE:
                return list(by_origin.values())
            after = f"({page[-1][0].decode()}"

    def choose(self, origins: tuple[str, ...]) -> list[DeadLetter]:
        """Return the letters of the origins named, or all when none is named.

        Raises:
            InvalidInputError: An origin has no dead letter.
        """
        letters = self.list_letters()
        unknown = sorted(set(origins) - {letter.origin for letter in letters})
        if unknown:
            raise InvalidInputError(
                where=unknown[0], expected="the origin of a dead letter", got="none of that id",
                advice="see server-b dead list",
            )  # fmt: skip
        return [letter for letter in letters if not origins or letter.origin in origins]

    def count(self) -> int:
        """Return how many dead letters there are, copies included.

        Redis:
            XLEN; O(1).
        """
        with self._endpoint.translated(self._stream):
            return self._client.xlen(self._stream)

    def retry(self, letter: DeadLetter, results: Results) -> None:
        """Signal the entry again and drop the letter; a verdict it was given is forgotten, so that it is taken anew.

        Redis:
            HDEL of the verdict, XADD to signals, XDEL; O(1).
        """
        try:
            signal = Signal.decode(letter.fields)
            results.forget(signal.run_id, signal.segment, signal.attempt)
        except InvalidInputError:
            pass  # not a signal: it is sent again as it was, for a server-b that can read it
        if letter.fields:
            with self._endpoint.translated(self._keys.signals()):
                self._client.xadd(self._keys.signals(), cast("dict[Any, Any]", letter.fields))
        self.drop(letter)

    def drop(self, letter: DeadLetter) -> None:
        """Remove a letter with all its copies.

        Redis:
            XDEL; O(1).
        """
        with self._endpoint.translated(self._stream):
            self._client.xdel(self._stream, *letter.letter_ids)


def _decode(letter_id: str, fields: dict[bytes, bytes]) -> DeadLetter:
    texts = {
        name: fields.get(name, b"").decode("utf-8", "backslashreplace") for name in (b"origin", b"reason", b"consumer")
    }
    own = {name.removeprefix(_FIELD_PREFIX): value for name, value in fields.items() if name.startswith(_FIELD_PREFIX)}
    return DeadLetter((letter_id,), texts[b"origin"] or letter_id, texts[b"reason"], texts[b"consumer"], own)
