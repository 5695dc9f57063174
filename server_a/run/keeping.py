"""Which segments a resumed run keeps, and which of them are signalled again.

Everything that names the run is read before: what is published, what the signals say, and the verdicts. A run that was
killed at any moment, or whose data was lost in part, is thus brought to its end by a resume.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from server_a.run.claims import is_about, misleads, signals_of_run
from server_a.run.publish import signal_of
from server_a.run.resume import KnownRun
from server_a.run.states import PublishedSegment, require_not_newer
from server_a.run.values import ValueSource
from shared.digest import SegmentDigest
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.together import PORTION_KEYS, Together, ask_each
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.record import SOURCE_VALUES, RunRecord
from shared.state import SegmentState
from shared.stopping import StopRequest
from shared.verdict import FAILED, SegmentVerdict


@dataclass
class SegmentKeeper:
    """Finds which segments a resumed run keeps."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    source: ValueSource
    retry: Retry
    stop: StopRequest
    is_repair: bool  # whether a list is written again whose verdict failed
    newest_attempt: str = field(init=False, default="")  # newest token that anything names as an attempt of the run
    _failed: dict[int, SegmentState] = field(init=False, default_factory=dict)  # of segments that are to be repaired
    _verdicts: int = field(init=False, default=0)

    def kept(self, known: KnownRun) -> Iterator[tuple[int, PublishedSegment]]:
        """Yield number and state of the segments that this run had published before.

        Left out are lists that are not as long as they should be, and those that something said of the run keeps from
        a verdict. A segment that the run had signalled keeps its signal only if its verdict is there.

        Raises:
            InvalidInputError: The same lines of the file given now have another digest, or there is no verdict to
                repair after.
            SupersededError: A newer run has published one of them.

        Redis: HMGET of 1,000 states and of as many verdicts a round trip, then LLEN of as many lists; XRANGE of the
        whole stream, 1,000 entries a round trip.
        """
        self._note(*(attempt for _, attempt in known.abandoned))
        found: dict[int, PublishedSegment] = {}
        for first in range(1, self.record.segments + 1, PORTION_KEYS):
            numbers = range(first, min(first + PORTION_KEYS, self.record.segments + 1))
            found.update(self.retry.keep_trying(self._look, numbers, known))
        if self.is_repair:
            self._require_repairable()
        for signal in signals_of_run(self.endpoint, self.keys, self.record.run_id, self.retry):
            self._note(signal.attempt)
            segment = found.get(signal.segment)
            if segment is not None and misleads(signal, signal_of(self.record, signal.segment, segment.state)):
                del found[signal.segment]
        for number, segment in found.items():
            self._require_same_lines(number, segment.state)
            self.retry.worked_here()
            yield number, segment

    def _note(self, *attempts: str) -> None:
        self.newest_attempt = max(self.newest_attempt, *attempts, "")

    def _look(self, numbers: range, known: KnownRun) -> dict[int, PublishedSegment]:
        keys, result_key = self.keys, self.keys.result(self.record.run_id)
        names = {number: keys.segment(number) for number in numbers}
        asked = Together(self.endpoint)
        asked.at(result_key).hmget(result_key, list(map(str, numbers)))
        for key in names.values():
            asked.at(key).hmget(keys.state(key), SegmentState.FIELDS)
        values, *replies = asked.send()
        verdicts = {n: SegmentVerdict.decode(raw) for n, raw in zip(numbers, values, strict=True) if raw is not None}
        self._note(*(verdict.attempt for verdict in verdicts.values() if verdict is not None))
        self._verdicts += sum(verdict is not None for verdict in verdicts.values())
        ours: dict[int, SegmentState] = {}
        for (number, key), fields in zip(names.items(), replies, strict=True):
            state = SegmentState.decode(keys.state(key), fields)
            require_not_newer(keys.state(key), state, run_id=self.record.run_id)
            if state is not None and state.run_id == self.record.run_id:
                self._note(state.attempt)
                if state.count:
                    ours[number] = state
        # lengths are asked last: a key that a run of ours is to replace may hold another type
        lengths = ask_each(self.endpoint, [names[number] for number in ours], lambda pipeline, key: pipeline.llen(key))
        kept = [
            (number, state) for (number, state), (_, n) in zip(ours.items(), lengths, strict=True) if n == state.count
        ]
        return {n: segment for n, state in kept if (segment := self._segment(state, verdicts.get(n), known, n))}

    def _segment(
        self, state: SegmentState, verdict: SegmentVerdict | None, known: KnownRun, number: int
    ) -> PublishedSegment | None:
        """Return what is kept of a segment; None where it must be written again to get its verdict.

        Whether the signal of one without a verdict is still to be read is not asked: B takes a repeated one for what it
        is. Where B follows a replica no verdict is ever here, so each resume of a finished run signals all of it again;
        that does no harm either, and brings a follower that lost its checkpoint its signals.
        """
        published = signal_of(self.record, number, state)
        if self.is_repair and verdict is not None and verdict.verdict == FAILED and verdict.attempt >= state.attempt:
            self._failed[number] = state
            return None
        if verdict is not None and misleads(verdict, published):
            return None
        is_judged = verdict is not None and is_about(verdict, published)
        return PublishedSegment(state, known.finished_signals.get(number, "") if is_judged else "")

    def _require_repairable(self) -> None:
        """Require verdicts, and for what is written again the lines that it was to have."""
        if not self._verdicts:
            expected, advice = "verdicts of server-b at this URL", "one that follows a replica keeps them on its host"
            raise InvalidInputError(where="--repair", expected=expected, got="none", advice=advice)
        for number, state in self._failed.items():
            self._require_same_lines(number, state)

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
