"""Collects what the report and the page draw, from Redis alone, in few round trips.

A `Collector` keeps the lines of the segments it has seen. The report looks once, at everything. The page looks again
and again, then only at segments without a verdict that have moved, and at signals that are new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, cast

from shared import __version__
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.recorded import all_verdicts
from shared.endpoint.stream_pages import PageSize, stream_pages
from shared.endpoint.together import PORTION_KEYS
from shared.errors import NotAllowedError, WrongKeyError
from shared.keys import Keyspace
from shared.page.endpoint_facts import endpoint_facts
from shared.page.facts import EndpointFacts, Letter, PageFacts
from shared.page.open_segments import OpenSegments
from shared.page.part_sums import PartSums
from shared.page.run_facts import run_facts
from shared.page.run_record import NO_RECORD, RecordFacts, read_record
from shared.page.segment_lines import SegmentLines
from shared.page.under_way import read_notes
from shared.program.verdict_file import LocalVerdicts
from shared.record import decode_entry_id, signal_field
from shared.shop.reader import first_carts
from shared.shop.records import Cart
from shared.status.facts import RunStatus, SegmentFacts, StreamFacts
from shared.status.findings import Findings
from shared.status.reading import facts_of, judged, newest_runs, note_new_signals, signalled_runs, superseded
from shared.status.run_reading import read_older_verdicts, read_runs, read_segments, segment_beyond
from shared.status.status import judge
from shared.status.stream_reading import read_stream
from shared.stopping import StopRequest
from shared.text import cut_text
from shared.tokens import is_too_late
from shared.verdict import FAILED, SUPERSEDED, VERIFIED

MAX_LETTERS = 10
MAX_REASON_BYTES = 400


@dataclass
class Collector:
    """Collects the facts of one run, or of the newest one at each look, over one endpoint."""

    endpoint: Endpoint
    keys: Keyspace
    is_encrypted: bool
    run_id: str = ""  # empty for the newest
    most_open: int = 0  # segments that have moved and that one look reads; 0 for all segments at each look
    peer: EndpointFacts | None = None
    peer_away: str = ""
    stop: StopRequest | None = None
    passed: Callable[[int], None] = lambda _: None  # called with numbers of segments that are read
    _sums: PartSums = field(init=False, default_factory=lambda: PartSums(SegmentLines("")))
    _open: OpenSegments = field(init=False)
    _is_finished: bool = field(init=False, default=False)
    _signalled: dict[str, int] = field(init=False, default_factory=dict)
    _newest_id: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        """Know nothing of any run yet."""
        self._open = OpenSegments(self.endpoint, self.keys, self.most_open)

    @property
    def _lines(self) -> SegmentLines:
        """What is known of each segment."""
        return self._sums.lines

    @property
    def is_behind(self) -> bool:
        """Whether a further look may find something new, even where nothing becomes new in Redis."""
        return self._open.is_behind

    def look(self, local: LocalVerdicts | None = None) -> PageFacts:
        """Return the facts as they are now; `local` are the verdicts of a follower on this host.

        Redis: TIME thrice; what `read_stream`, `signalled_runs` and `newest_runs` ask; HMGET of the record; for each
        thousand segments HMGET of verdicts and signal ids, states and lengths; what `facts_of` asks, and without a
        record a state more; HMGET of the newest run's verdicts where another one is shown; the carts; XREVRANGE of
        dead letters; HMGET of how far readings are, where anything is pending.
        """
        endpoint, keys, verdicts = self.endpoint, self.keys, local or {}
        here = endpoint_facts(endpoint, keys.signals(), is_encrypted=self.is_encrypted)
        stream = read_stream(endpoint, keys)
        signalled = self._signalled_runs(stream)
        runs = newest_runs(endpoint, keys, signalled, [stream.first_run], verdicts)
        shown = self._shown_run(runs, verdicts, stream.server_ms)
        record = read_record(endpoint, keys, shown.run_id) if shown is not None else NO_RECORD
        findings = self._findings(shown, stream, verdicts) if shown is not None else None
        is_newest = shown is not None and bool(runs) and runs[0].run_id == shown.run_id
        if not is_newest:  # `newest_runs` leaves the newest one to whoever reads its segments
            runs[:1] = read_older_verdicts(endpoint, keys, runs[:1], verdicts)
        if findings is not None:
            shown = superseded(judged(findings, keys.result(findings.run.run_id)), stream.first_run)
        runs = [run if shown is None or run.run_id != shown.run_id else shown for run in runs]
        runs = [*runs[:1], *(superseded(run, stream.first_run) for run in runs[1:])]
        facts = facts_of(
            endpoint, keys, stream, runs, findings if is_newest else None, local=verdicts,
            beyond=segment_beyond(endpoint, keys, runs[0]) if is_newest else "",
        )  # fmt: skip
        carts, notes = self._carts(record), read_notes(endpoint, keys, stream.group)
        status = judge(facts, endpoint.name, keys.namespace)
        told = (status.problems, status.under_way) if is_newest or (shown is None and not runs) else ([], [])
        return PageFacts(
            version=__version__,
            namespace=keys.namespace,
            endpoint=here,
            peer=self.peer,
            peer_away=self.peer_away,
            run=run_facts(shown, record, self._sums, carts, now_ms=here.clock_ms, notes=notes) if shown else None,
            runs=tuple(runs),
            group=stream.group,
            is_followed=endpoint.kind.is_replica,
            dead_letters=stream.dead_letters,
            letters=self._letters(stream),
            wrong=tuple(told[0]),
            under_way=tuple(told[1]),
            notes=self._notes(shown),
        )

    def _signalled_runs(self, stream: StreamFacts) -> dict[str, int]:
        """Return the runs that signals name; at a further look only the signals that are new are read."""
        endpoint, keys, known = self.endpoint, self.keys, self._newest_id
        if not known or not note_new_signals(self._signalled, endpoint, keys, stream, known):
            self._signalled = signalled_runs(endpoint, keys, stream)
        self._newest_id = stream.first_page[0][0] if stream.first_page else b""
        return self._signalled

    def _shown_run(self, runs: Sequence[RunStatus], local: LocalVerdicts, server_ms: int) -> RunStatus | None:
        """Return the run to show; None where nothing of it is here, or it is far ahead of the server's clock."""
        if not self.run_id:
            return runs[0] if runs else None
        if is_too_late(self.run_id, server_ms):
            return None
        known = next((run for run in runs if run.run_id == self.run_id), None)
        if known is None:
            (known,) = read_runs(self.endpoint, self.keys, {self.run_id: 0}, local)
            if not known.segments:
                known = replace(known, segments=self._judged_segments(len(local.get(self.run_id, ()))))
        return known if known.segments else None

    def _judged_segments(self, followed: int) -> int:
        """Return how many segments a run without record and signals has, as its first verdict says.

        How many fields its result has says nothing: it may be somebody else's, of any size.
        """
        found = next(all_verdicts(self.endpoint, self.keys, self.run_id), {})
        return max(followed, next((verdict.segments for verdict in found.values()), 0))

    def _findings(self, run: RunStatus, stream: StreamFacts, local: LocalVerdicts) -> Findings:
        """Return what the segments amount to, having read those that may have changed."""
        (run,) = read_runs(self.endpoint, self.keys, {run.run_id: run.segments}, local)
        if run.run_id != self._lines.run_id or not self.most_open or max(self._lines.lines, default=0) > run.segments:
            self._sums = PartSums(SegmentLines(run.run_id))
            self._open = OpenSegments(self.endpoint, self.keys, self.most_open)
        elif run.is_finished and not self._is_finished:
            self._open.stale.update(self._lines.lines)  # its audit may have replaced what was read before
        self._is_finished = run.is_finished
        numbers: Sequence[int] = range(1, run.segments + 1)
        if self.most_open:
            mark = (run.verdicts, run.published, run.is_finished, self._newest_id)
            numbers = self._open.numbers(run, self._lines, local.get(run.run_id, {}), mark)
        findings = Findings(run, stream.group)
        for segments, signal_ids in self._portions(run, numbers, local, stream.server_ms):
            for segment, signal_id in zip(segments, signal_ids, strict=True):
                findings.add(segment)
                self._lines.add(segment, signal_id)
            self._open.note([segment.number for segment in segments], signal_ids)
        self._add_known(findings, frozenset(numbers))
        return findings

    def _portions(
        self, run: RunStatus, numbers: Sequence[int], local: LocalVerdicts, server_ms: int
    ) -> Iterator[tuple[list[SegmentFacts], list[str]]]:
        """Yield segments with the ids of their signals, a thousand at a time."""
        key = self.keys.run(run.run_id)
        for start in range(0, len(numbers), PORTION_KEYS):
            if self.stop is not None:
                self.stop.check("page")
            portion = numbers[start : start + PORTION_KEYS]
            self.passed(len(portion))
            noted: Any = self.endpoint.at(key).hmget(key, list(map(signal_field, portion)))
            segments = read_segments(self.endpoint, self.keys, run, portion, local, server_ms=server_ms)
            yield segments, list(map(decode_entry_id, noted))

    def _add_known(self, findings: Findings, looked_at: frozenset[int]) -> None:
        """Count the verdicts that earlier looks have read."""
        lines = self._lines.lines
        known = self._lines.states - Counter(lines[number].state for number in looked_at if number in lines)
        for state in (VERIFIED, FAILED, SUPERSEDED):
            findings.verdicts.numbers[state] += known[state]
            findings.recorded += known[state]
        for verdict, reason in self._lines.reasons.items():
            findings.verdicts.reasons.setdefault(verdict, reason)

    def _notes(self, run: RunStatus | None) -> tuple[str, ...]:
        """Return what was not looked at yet: a page looks at a large run in several steps."""
        left = max(run.segments - len(self._lines.lines), self._open.left) if run else 0
        return (f"{left:,} of {run.segments:,} segments",) if run and left else ()

    def _carts(self, record: RecordFacts) -> list[Cart]:
        """Return the first carts of the run; none where they are somebody else's, or may not be read."""
        with suppress(WrongKeyError, NotAllowedError):
            return first_carts(self.endpoint, self.keys, record.carts)
        return []

    def _letters(self, stream: StreamFacts) -> tuple[Letter, ...]:
        """Return the last dead letters; none where they may not be read."""
        key, size, letters = self.keys.dead_letters(), PageSize(MAX_LETTERS), list[Letter]()

        def read(end: str) -> list[Any]:
            return cast("list[Any]", self.endpoint.at(key).xrevrange(key, max=end, count=size.count))

        if not stream.dead_letters:
            return ()
        with suppress(WrongKeyError, NotAllowedError):
            entries = chain.from_iterable(stream_pages(read, start="+", count=size, where=key))
            letters += (_letter(fields) for _, fields in islice(entries, MAX_LETTERS))  # large ones are not kept
        return tuple(letters)


def _letter(fields: Mapping[bytes, bytes]) -> Letter:
    return Letter(*(cut_text(fields.get(name, b""), MAX_REASON_BYTES) for name in (b"origin", b"reason", b"consumer")))
