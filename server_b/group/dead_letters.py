"""The dead-letter stream: entries that could not be processed, with the reason, for people to look at.

Letters are added where entries are settled (`settling`), in one transaction with the acknowledgement, so there is never
a second letter for one entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import Step, execute_all, optimistic
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SegmentVerdict

MAX_LETTERS = 10_000
LOOK_BACK = 100
_PAGE = 1_000
_FIELD_PREFIX = b"field:"


@dataclass(frozen=True)
class DeadLetter:
    """An entry that was given up.

    Attributes:
        letter_id: Its id in the dead-letter stream.
        origin: Its id in the signals stream.
        fields: The entry's own fields.
    """

    letter_id: str
    origin: str
    reason: str
    consumer: str
    fields: dict[bytes, bytes]


def letter_fields(*, origin: str, reason: str, consumer: str, fields: dict[bytes, bytes]) -> dict[Any, Any]:
    """Return the fields of a dead letter."""
    letter: dict[Any, Any] = {b"origin": origin, b"reason": reason, b"consumer": consumer}
    return letter | {_FIELD_PREFIX + name: value for name, value in fields.items()}


class DeadLetters:
    """Lists, retries and drops dead letters."""

    def __init__(self, endpoint: Endpoint, keys: Keyspace) -> None:
        """Use an endpoint and a namespace."""
        self._endpoint = endpoint
        self._keys = keys
        self._stream = keys.dead_letters()

    def list_letters(self) -> list[DeadLetter]:
        """Return all dead letters, oldest first.

        Redis:
            XRANGE COUNT 1000 until the end; O(letters).
        """
        letters: list[DeadLetter] = []
        after = "-"
        while True:
            page = cast("list[Any]", self._endpoint.at(self._stream).xrange(self._stream, min=after, count=_PAGE))
            letters += [_decode(letter_id.decode(), fields) for letter_id, fields in page]
            if len(page) < _PAGE:
                return letters
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

    def retry(self, letter: DeadLetter) -> bool:
        """Signal the entry again and drop the letter; a verdict it was given is forgotten, so that it is taken anew.

        Returns:
            Whether it was; somebody else may have taken the letter meanwhile.

        Raises:
            OutcomeUnknownError: The connection was lost; the letter is there only if nothing was done.

        Redis:
            WATCH, XRANGE, HGET, then MULTI HDEL XADD XDEL EXEC; O(1).
        """
        signals = self._keys.signals()
        signal = _signal_of(letter)
        result = self._keys.result(signal.run_id) if signal is not None else ""
        client = self._endpoint.at(self._stream)

        def attempt(pipeline: NodePipeline) -> bool:
            if not pipeline.xrange(self._stream, min=letter.letter_id, max=letter.letter_id):
                return False
            steps: list[Step] = []
            if signal is not None:
                raw = cast("bytes | None", pipeline.hget(result, str(signal.segment)))
                found = SegmentVerdict.decode(raw) if raw is not None else None
                if found is not None and found.attempt == signal.attempt:
                    steps.append(lambda pipeline: pipeline.hdel(result, str(found.segment)))
            if letter.fields:
                steps.append(lambda pipeline: pipeline.xadd(signals, cast("dict[Any, Any]", letter.fields)))
            steps.append(lambda pipeline: pipeline.xdel(self._stream, letter.letter_id))
            execute_all(client, pipeline, [[step] for step in steps])
            return True

        return optimistic(client, [self._stream, result] if result else [self._stream], attempt)

    def drop(self, letter: DeadLetter) -> None:
        """Remove a letter.

        Redis:
            XDEL; O(1).
        """
        self._endpoint.at(self._stream).xdel(self._stream, letter.letter_id)


def _signal_of(letter: DeadLetter) -> Signal | None:
    """Return the signal that a letter holds; None for what a newer server-b may be able to read."""
    try:
        return Signal.decode(letter.fields)
    except InvalidInputError:
        return None


def _decode(letter_id: str, fields: dict[bytes, bytes]) -> DeadLetter:
    texts = {
        name: fields.get(name, b"").decode("utf-8", "backslashreplace") for name in (b"origin", b"reason", b"consumer")
    }
    own = {name.removeprefix(_FIELD_PREFIX): value for name, value in fields.items() if name.startswith(_FIELD_PREFIX)}
    return DeadLetter(letter_id, texts[b"origin"] or letter_id, texts[b"reason"], texts[b"consumer"], own)
