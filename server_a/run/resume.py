"""Goes on with a run that was stopped or killed: what is known of it, and which of its segments are kept.

What a resumed run writes comes from its record alone. An option that contradicts the record is refused and not ignored,
because a run that is half of one size and half of another could not be verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from server_a.run.settings import DAY_MS, DEFAULTS, RunSettings
from server_a.run.states import PublishedSegment, require_not_newer
from server_a.run.values import ValueSource
from shared.digest import SegmentDigest
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.published import read_states
from shared.endpoint.retry import Retry
from shared.endpoint.together import Together, ask_each, portions
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.record import (
    LOST_ATTEMPTS,
    SOURCE_NUMBERS,
    SOURCE_VALUES,
    RunRecord,
    ShopCount,
    attempt_field,
    decode_attempts,
    decode_points,
    signal_field,
)
from shared.state import SegmentState
from shared.stopping import StopRequest
from shared.tokens import is_token


@dataclass(frozen=True)
class KnownRun:
    """A run that was begun before."""

    record: RunRecord
    finished_signals: Mapping[int, str]  # stream IDs of its signals by segment; empty unless the run had finished
    under_way: Mapping[int, str]  # tokens of attempts that were under way, by segment
    lost: list[tuple[int, str]]  # segment and token of attempts that had failed
    outages: list[tuple[int, int]]  # when A lost the server and when it came back, milliseconds of the server's clock
    samples: list[tuple[int, int]]  # milliseconds of the server's clock, and values written by then
    shop: ShopCount  # what was counted of its shop
    server_us: int  # the server's clock now, microseconds since 1970

    @property
    def abandoned(self) -> list[tuple[int, str]]:
        """Segment and token of all attempts that may have left something."""
        return list(dict.fromkeys([*self.lost, *self.under_way.items()]))


def read_known_run(endpoint: Endpoint, keys: Keyspace, settings: RunSettings) -> KnownRun:
    """Return what is known of the run that `--resume` names; raise InvalidInputError if an option contradicts it.

    Redis: HGETALL, O(segments), and TIME.
    """
    run_id = settings.resume or ""
    key = keys.run(run_id)
    asked = Together(endpoint)
    asked.at(key).hgetall(key)
    asked.at(keys.signals()).time()
    fields, now = asked.send()
    if b"schema_version" not in fields:
        where, expected = f"--resume {run_id}", "a run of this endpoint and namespace"
        raise InvalidInputError(where=where, expected=expected, got="an unknown one", advice="see server-a status")
    record = RunRecord.decode(key, fields)
    _refuse_contradictions(settings, record)
    numbers = range(1, record.segments + 1)
    tokens = {number: fields.get(attempt_field(number).encode(), b"").decode("ascii", "replace") for number in numbers}
    is_finished = fields.get(b"finished_ms", b"0") != b"0"
    signals = {number: fields.get(signal_field(number).encode()) for number in numbers} if is_finished else {}
    return KnownRun(
        record=record,
        finished_signals={number: entry_id.decode() for number, entry_id in signals.items() if entry_id is not None},
        under_way={number: token for number, token in tokens.items() if is_token(token)},
        lost=decode_attempts(fields.get(LOST_ATTEMPTS.encode())),
        outages=decode_points(fields.get(b"outages")),
        samples=decode_points(fields.get(b"samples")),
        shop=ShopCount.decode(key, fields),
        server_us=microseconds(now),
    )


def _refuse_contradictions(settings: RunSettings, record: RunRecord) -> None:
    for name in DEFAULTS:
        given = getattr(settings, name)
        recorded = record.retain_ms // DAY_MS if name == "retain_days" else getattr(record, name)
        if given is not None and given != recorded:
            option = "--" + name.replace("_", "-")
            raise InvalidInputError(where=option, expected=f"{recorded}, as the run has it", got=f"{given}")
    if settings.overwrite and not record.overwrite:
        expected = "nothing, for a run that was begun without it"
        raise InvalidInputError(where="--overwrite", expected=expected, got="--overwrite")
    if record.source == SOURCE_VALUES and settings.values is None:
        raise InvalidInputError(where="--resume", expected="the run's file again as --values FILE", got="no --values")
    if record.source == SOURCE_NUMBERS and settings.values is not None:
        raise InvalidInputError(where="--values", expected="nothing, for a run of numbers", got=settings.values)


def remove_staging(endpoint: Endpoint, keys: Keyspace, attempts: Iterable[tuple[int, str]]) -> None:
    """Remove what attempts, given as segment and token, have written and nobody needs: it takes up memory."""
    staging = [keys.staging(keys.segment(number), attempt) for number, attempt in attempts]
    for _ in ask_each(endpoint, staging, lambda pipeline, key: pipeline.unlink(key)):
        pass


@dataclass
class SegmentKeeper:
    """Finds which segments a resumed run keeps."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    source: ValueSource
    retry: Retry
    stop: StopRequest
    newest_attempt: str = field(init=False, default="")  # newest token of a published segment of the run

    def kept(self, known: KnownRun) -> Iterator[tuple[int, PublishedSegment]]:
        """Yield number and state of the segments that this run had published before, if they are as long as they say.

        Raises:
            InvalidInputError: The same lines of the file given now have another digest.
            SupersededError: A newer run has published one of them.

        Redis: HMGET of 1,000 states a round trip, then LLEN of as many lists.
        """
        numbers = {self.keys.state(self.keys.segment(number)): number for number in range(1, self.record.segments + 1)}
        for portion in portions(numbers):
            ours = {}
            for state_key, state in self.retry.keep_trying(self._states, portion):
                require_not_newer(state_key, state, run_id=self.record.run_id)
                if state is not None and state.run_id == self.record.run_id:
                    self.newest_attempt = max(self.newest_attempt, state.attempt)
                    if state.count:
                        ours[self.keys.segment(numbers[state_key])] = numbers[state_key], state
            # lengths are asked last: a key that a run of ours is to replace may hold another type
            for key, length in self.retry.keep_trying(self._lengths, list(ours)):
                number, state = ours[key]
                if length == state.count:
                    self._require_same_lines(number, state)
                    yield number, PublishedSegment(state, known.finished_signals.get(number, ""))

    def _states(self, state_keys: Sequence[str]) -> list[tuple[str, SegmentState | None]]:
        return list(read_states(self.endpoint, state_keys))

    def _lengths(self, keys: Sequence[str]) -> list[tuple[str, int]]:
        return list(ask_each(self.endpoint, keys, lambda pipeline, key: pipeline.llen(key)))

    def _require_same_lines(self, number: int, state: SegmentState) -> None:
        if self.record.source != SOURCE_VALUES:
            return
        digest = SegmentDigest()
        for batch in self.source.batches(self.record.range_of(number)):
            self.stop.check(f"run {self.record.run_id}")
            digest.add(batch.joined, batch.values)
        if digest.hexdigest() != state.digest:
            expected, got = "the file this run began with", f"other lines in segment {number}"
            raise InvalidInputError(where="--values", expected=expected, got=got)
