"""The dead-letter stream: entries that could not be processed, with the reason, for people to look at.

`settling` adds a letter in one transaction with the acknowledgement, unless the last hundred hold one for the entry.

A letter holds the beginning of its entry: the first 200 bytes of the names and values of its first 32 fields. An entry
may have any size, also one that the server would not take from us again; a valid signal is far smaller than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient, NodePipeline
from shared.endpoint.optimistic import Step, execute_all, optimistic
from shared.endpoint.our_streams import entries_at_ends, require_streams
from shared.endpoint.published import signals_in
from shared.endpoint.stream_pages import PageSize, stream_pages
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.ownership import is_letter, is_signal
from shared.text import cut_text, stored_text
from shared.verdict import SegmentVerdict

MAX_LETTERS = 10_000
MAX_FIELDS = 32
MAX_FIELD_BYTES = 200  # of a name, and of a value
_MAX_REASON_BYTES = 1_000
_PAGE = 100  # at most, of those that are small: letters that were made before they were cut may have any size
_MOST_PAGES = 2 * MAX_LETTERS // _PAGE
_FIELD_PREFIX = b"field:"


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter; `origin` is its entry's id in the signals stream, `fields` are the entry's own, cut."""

    letter_id: str
    origin: str
    reason: str
    consumer: str
    fields: dict[bytes, bytes]

    @classmethod
    def decode(cls, letter_id: str, fields: dict[bytes, bytes]) -> DeadLetter:
        """Return the letter that an entry of the dead-letter stream holds; what is missing is empty."""
        names = (b"origin", b"reason", b"consumer")
        origin, reason, consumer = (cut_text(fields.get(name, b""), _MAX_REASON_BYTES) for name in names)
        own = {name.removeprefix(_FIELD_PREFIX): fields[name] for name in fields if name.startswith(_FIELD_PREFIX)}
        return cls(letter_id, origin or letter_id, reason, consumer, _beginning(own))

    def as_json(self) -> dict[str, Any]:
        """Return the object that `server-b dead list --json` prints."""
        fields = {stored_text(name): stored_text(value) for name, value in self.fields.items()}
        return {"origin": self.origin, "reason": self.reason, "consumer": self.consumer, "fields": fields}


def letter_fields(*, origin: str, reason: str, consumer: str, fields: dict[bytes, bytes]) -> dict[Any, Any]:
    """Return the fields of a dead letter; see `DeadLetter.decode`. Where they are cut, the reason says of what."""
    kept = _beginning(fields)
    if kept != fields:
        size = sum(map(len, fields)) + sum(map(len, fields.values()))
        reason += f" (the beginning of {len(fields):,} fields of {size:,} bytes is kept)"
    letter: dict[Any, Any] = {b"origin": origin, b"reason": reason, b"consumer": consumer}
    return letter | {_FIELD_PREFIX + name: value for name, value in kept.items()}


def _beginning(fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    first = islice(fields.items(), MAX_FIELDS)
    return {name[:MAX_FIELD_BYTES]: value[:MAX_FIELD_BYTES] for name, value in first}


def _is_own(fields: Mapping[bytes, bytes]) -> bool:
    """Tell whether an entry between our letters is one too, by its origin and reason."""
    return is_letter({b"consumer": b"", **fields})


def replaced_letters(pipeline: NodePipeline, stream: str, run_id: str, verdict: SegmentVerdict) -> list[bytes]:
    """Return the ids of the letters about older attempts at a segment than a verdict is on.

    Redis: XRANGE COUNT 1, then more, until the end; O(letters).
    """
    found: list[bytes] = []

    for page in _pages(lambda: pipeline, stream):
        for letter_id, fields in page:
            own = DeadLetter.decode(letter_id.decode(), fields).fields
            signal = next(signals_in([(letter_id, own)]), None) if _is_own(fields) else None
            if signal is not None and (signal.run_id, signal.segment) == (run_id, verdict.segment):
                found += [letter_id] if signal.attempt < verdict.attempt else []
    return found


def _pages(at: Callable[[], NodeClient | NodePipeline], stream: str) -> Iterator[list[Any]]:
    """Yield all letters, oldest first, by pages of about 1 MiB at most, or of one letter."""
    size = PageSize(_PAGE)

    def read(start: str) -> list[Any]:
        return cast("list[Any]", at().xrange(stream, min=start, count=size.count))

    return stream_pages(read, start="-", count=size, where=stream, most_pages=_MOST_PAGES)


@dataclass
class DeadLetters:
    """Lists, retries and drops dead letters; entries of others between them are left.

    Attributes:
        others: How many such entries `list_letters` found.
    """

    endpoint: Endpoint
    keys: Keyspace
    others: int = field(init=False, default=0)

    def require_ours(self) -> None:
        """Raise WrongKeyError if the signals or the dead letters are somebody else's. Redis: see `require_streams`."""
        require_streams(self.endpoint, self.keys)

    def list_letters(self) -> list[DeadLetter]:
        """Return all dead letters, oldest first. Redis: XRANGE COUNT 1, then more, until the end; O(letters)."""
        stream = self.keys.dead_letters()
        letters: list[DeadLetter] = []
        self.others = 0
        for letter_id, fields in chain.from_iterable(_pages(lambda: self.endpoint.at(stream), stream)):
            if _is_own(fields):
                letters.append(DeadLetter.decode(letter_id.decode(), fields))
            else:
                self.others += 1
        return letters

    def choose(self, origins: tuple[str, ...]) -> list[DeadLetter]:
        """Return the letters of these origins; all letters when no origin is given."""
        letters = self.list_letters()
        unknown = sorted(set(origins) - {letter.origin for letter in letters})
        if unknown:
            raise InvalidInputError(
                where=unknown[0], expected="the origin of a dead letter", got="none of that id",
                advice="see server-b dead list",
            )  # fmt: skip
        return [letter for letter in letters if not origins or letter.origin in origins]

    def retry(self, letter: DeadLetter) -> bool:
        """Signal the entry again, drop the letter and remove its verdict; return False if the letter is gone.

        What is no signal of any version stays a letter where the stream holds no signal: it would make both programs
        take that for somebody else's.

        Raises InvalidInputError for such a letter, and OutcomeUnknownError if the connection was lost; if the letter is
        still there, nothing was done.

        Redis: WATCH, XRANGE, HGET (for what is no signal XREVRANGE and XRANGE), then MULTI HDEL XADD XDEL EXEC; O(1).
        """
        signals, dead = self.keys.signals(), self.keys.dead_letters()
        signal = next(signals_in([(letter.letter_id, letter.fields)]), None)  # None: perhaps a newer version's
        result = self.keys.result(signal.run_id) if signal is not None else ""
        client = self.endpoint.at(dead)

        def attempt(pipeline: NodePipeline) -> bool:
            if not pipeline.xrange(dead, min=letter.letter_id, max=letter.letter_id):
                return False
            if not is_signal(letter.fields):
                self._require_signals_beside(letter, pipeline)
            steps: list[Step] = []
            if signal is not None:
                raw = cast("bytes | None", pipeline.hget(result, str(signal.segment)))
                found = SegmentVerdict.decode(raw) if raw is not None else None
                if found is not None and found.attempt == signal.attempt:
                    steps.append(lambda pipeline: pipeline.hdel(result, str(found.segment)))
            if letter.fields:
                steps.append(lambda pipeline: pipeline.xadd(signals, cast("dict[Any, Any]", letter.fields)))
            steps.append(lambda pipeline: pipeline.xdel(dead, letter.letter_id))
            execute_all(client, pipeline, [[step] for step in steps])
            return True

        return optimistic(client, [dead, result] if result else [dead], attempt)

    def _require_signals_beside(self, letter: DeadLetter, pipeline: NodePipeline) -> None:
        signals = self.keys.signals()
        if not any(is_signal(fields) for _, fields in entries_at_ends(pipeline, signals)):
            raise InvalidInputError(
                where=f"dead letter {letter.origin}", expected="a signal, since there is none beside it",
                got="something else", advice=f"remove it with server-b dead drop {letter.origin}",
            )  # fmt: skip

    def drop(self, letter: DeadLetter) -> None:
        """Remove a letter. Redis: XDEL; O(1)."""
        stream = self.keys.dead_letters()
        self.endpoint.at(stream).xdel(stream, letter.letter_id)
