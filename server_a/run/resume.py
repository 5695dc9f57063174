"""Going on with a run that was stopped or killed: what is known of it, and which of its segments are kept.

What a resumed run is to write comes from its record alone; an option that says otherwise is refused rather than
ignored, since half a run of one size and half of another would verify nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server_a.run.settings import DAY_MS, RunSettings
from server_a.run.states import PublishedSegment, read_state
from server_a.run.values import ValueSource
from shared.digest import SegmentDigest
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.retry import Retry
from shared.endpoint.together import Together, ask_each
from shared.errors import InvalidInputError, SupersededError
from shared.keys import Keyspace
from shared.record import SOURCE_NUMBERS, SOURCE_VALUES, RunRecord, attempt_field, decode_points, signal_field
from shared.segments import segment_range
from shared.state import SegmentState
from shared.stopping import StopRequest
from shared.tokens import is_token

_CONTRADICTABLE = ("count", "segment_values", "users", "skus", "carts", "seed")


@dataclass(frozen=True)
class KnownRun:
    """A run that was begun before.

    Attributes:
        finished_signals: If it had finished: stream ids of its signals, by segment.
        under_way: Tokens of attempts that were under way, by segment.
        outages: When A lost the server and had it back, milliseconds of the server's clock.
        samples: Milliseconds of the server's clock, and values written by then.
        server_us: The server's clock now, microseconds since 1970.
    """

    record: RunRecord
    finished_signals: Mapping[int, str]
    under_way: Mapping[int, str]
    outages: list[tuple[int, int]]
    samples: list[tuple[int, int]]
    server_us: int


def read_record(endpoint: Endpoint, keys: Keyspace, settings: RunSettings) -> KnownRun:
    """Return what is known of the run that `--resume` names.

    Raises:
        InvalidInputError: There is no such run here, or an option contradicts it.

    Redis:
        HGETALL, O(segments), and TIME.
    """
    run_id = settings.resume or ""
    key = keys.run(run_id)
    if not is_token(run_id):
        raise InvalidInputError(where="--resume", expected="a run id like 20261122T205801123Z-3f9a1c", got=repr(run_id))
    asked = Together(endpoint)
    asked.at(key).hgetall(key)
    asked.at(keys.signals()).time()
    fields, now = asked.send()
    if b"schema_version" not in fields:
        raise InvalidInputError(
            where=f"--resume {run_id}", expected="a run of this endpoint and namespace", got="an unknown one",
            advice="see server-a status",
        )  # fmt: skip
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
        outages=decode_points(fields.get(b"outages")),
        samples=decode_points(fields.get(b"samples")),
        server_us=microseconds(now),
    )


def _refuse_contradictions(settings: RunSettings, record: RunRecord) -> None:
    pairs = [(name, getattr(settings, name), getattr(record, name)) for name in _CONTRADICTABLE]
    pairs.append(("retain_days", settings.retain_days, record.retain_ms // DAY_MS))
    for name, given, recorded in pairs:
        if given is not None and given != recorded:
            option = "--" + name.replace("_", "-")
            raise InvalidInputError(where=option, expected=f"{recorded}, as the run has it", got=f"{given}")
    if record.source == SOURCE_VALUES and settings.values is None:
        raise InvalidInputError(where="--resume", expected="the run's file again as --values FILE", got="no --values")
    if record.source == SOURCE_NUMBERS and settings.values is not None:
        raise InvalidInputError(where="--values", expected="nothing, for a run of numbers", got=settings.values)


def remove_staging(endpoint: Endpoint, keys: Keyspace, attempts: Mapping[int, str]) -> None:
    """Remove what attempts have written that were under way when the run was stopped: else it takes room for an hour.

    Args:
        endpoint: Where.
        keys: The namespace.
        attempts: Their tokens, by segment.

    Redis:
        UNLINK for each; O(1).
    """
    staging = [keys.staging(keys.segment(number), attempt) for number, attempt in attempts.items()]
    for _ in ask_each(endpoint, staging, lambda pipeline, key: pipeline.unlink(key)):
        pass


class SegmentKeeper:
    """Decides which segments a resumed run keeps.

    Attributes:
        newest_attempt: The newest token that a segment of the run was published under.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        record: RunRecord,
        source: ValueSource,
        known: KnownRun | None,
        *,
        retry: Retry,
        stop: StopRequest,
    ) -> None:
        """Look at the segments of a run; of a new run (`known` is None) none is kept."""
        self._endpoint = endpoint
        self._keys = keys
        self._record = record
        self._source = source
        self._known = known
        self._retry = retry
        self._stop = stop
        self.newest_attempt = ""

    def kept(self, number: int) -> PublishedSegment | None:
        """Return a segment that this run had published before, if its list is as long as its state says.

        Raises:
            SupersededError: A newer run has published there.
            InvalidInputError: Its digest is not that of the same lines of the file given now.

        Redis:
            HMGET and LLEN; O(1).
        """
        if self._known is None:
            return None
        key = self._keys.segment(number)
        state, length = self._retry.keep_trying(self._look, key)
        run_id = self._record.run_id
        if state is not None and state.run_id > run_id:
            raise SupersededError(where=key, expected=f"run {run_id}", got=f"the newer run {state.run_id}")
        if state is None or state.run_id != run_id:
            return None
        self.newest_attempt = max(self.newest_attempt, state.attempt)
        if not state.count or length != state.count:
            return None
        if self._record.source == SOURCE_VALUES and self._digest_of(number) != state.digest:
            raise InvalidInputError(
                where="--values", expected="the file this run began with", got=f"other lines in segment {number}"
            )
        return PublishedSegment(state, self._known.finished_signals.get(number, ""))

    def _look(self, key: str) -> tuple[SegmentState | None, int]:
        return read_state(self._endpoint, self._keys, key), self._endpoint.at(key).llen(key)

    def _digest_of(self, number: int) -> str:
        digest = SegmentDigest()
        part = segment_range(number, count=self._record.count, segment_values=self._record.segment_values)
        for batch in self._source.batches(part):
            self._stop.check(f"run {self._record.run_id}")
            digest.add(batch.joined, batch.values)
        return digest.hexdigest()
