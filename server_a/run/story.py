"""The producer's story: shop, segments, signals, audit. Read `Producer.run` first.

Everything that may be repeated goes through `Retry`; what may not, an attempt at a segment, is begun anew
(`SegmentProducer`). So a lost connection is an ordinary turn of the story and needs no recovery code of its own.
"""

from __future__ import annotations

import time
from contextlib import suppress

from server_a.run.audit import AuditFindings, PublishedSegment, audit
from server_a.run.context import RunContext
from server_a.run.publish import retire
from server_a.run.record import RunJournal
from server_a.run.resume import is_whole, published_before
from server_a.run.segment import SegmentProducer
from server_a.run.settings import RunSummary
from server_a.run.supersession import require_newest, withdraw
from server_a.shop.sample_writer import write_shop
from shared.digest import BLOCK_VALUES, run_digest
from shared.errors import HandoverError, NotFinishedError, SupersededError
from shared.record import chunk_field
from shared.segments import safe_chunk_values
from shared.signal import Signal

MAX_AUDITS = 100
LOOK_EVERY_S = 1.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


class Producer:
    """Carries out one run, new or resumed.

    Attributes:
        has_begun: Whether the run's record is written, so that the run can be resumed.
        signal_s: Seconds spent on signalling.
    """

    def __init__(self, run: RunContext) -> None:
        """Start with nothing published."""
        self.has_begun = run.settings.resume is not None
        self._run = run
        self._journal = RunJournal(run)
        self._segments = SegmentProducer(run, self._journal)
        self._published: dict[int, PublishedSegment] = {}
        self._lost_acknowledged = 0
        self.signal_s = 0.0

    @property
    def attempts(self) -> dict[int, str]:
        """The attempt that was published of each segment."""
        return {number: segment.state.attempt for number, segment in self._published.items()}

    def run(self) -> RunSummary:
        """Write the shop, write and signal every segment, audit what the server still has, and remove old segments.

        Raises:
            SupersededError: A newer run has published one of the segments.
            NotFinishedError: A stop was requested, memory is full, or no server answered for too long; the run can be
                resumed.
            InvalidInputError: The file is not the one the run began with.
            HandoverError: The endpoint is lost for good, or refuses a command.
        """
        try:
            return self._carry_out()
        except SupersededError:
            with suppress(HandoverError):  # the newer run's own way of removing it comes next time
                withdraw(self._run)
            raise

    def _carry_out(self) -> RunSummary:
        run = self._run
        if run.settings.resume:
            require_newest(run)
            self._journal.begin(None)
        else:
            self._journal.begin(1)  # a new run has just looked
        self.has_begun = True
        self._write_shop()
        look_at = time.monotonic() + LOOK_EVERY_S
        for number in range(1, run.record.segments + 1):
            if time.monotonic() >= look_at:
                require_newest(run)
                look_at = time.monotonic() + LOOK_EVERY_S
            if not (run.settings.resume and self._keep(number)):
                self._write_segment(number)
            if not self._published[number].signal_id:
                self._signal(number)
        outages_seen = -1
        while run.retry.outage_count != outages_seen:  # a failover may lose what an audit has found in place
            outages_seen = run.retry.outage_count
            self._retire(self._audit().older)
            self._segments.remove_lost()
            self._journal.finish(len(self._published))
        return self._summary()

    def _write_shop(self) -> None:
        run, record = self._run, self._run.record
        write_shop(
            run.endpoint,
            run.keys,
            users=record.users,
            skus=record.skus,
            carts=record.carts,
            seed=record.seed,
            retry=run.retry,
            check_stop=run.check_stop,
        )

    def _keep(self, number: int) -> bool:
        """Keep a segment that this run had published before it was stopped; return whether there is one.

        Raises:
            SupersededError: A newer run has published there.
            InvalidInputError: Its digest is not that of the same lines of the file given now.
        """
        run = self._run
        known = run.known
        state = published_before(run, number)
        if state is None:
            return False
        self._segments.follow(state.attempt)
        if not is_whole(run, number, state):
            return False
        self._segments.require_replicas(number, state.attempt)
        self._published[number] = PublishedSegment(state, known.finished_signals.get(number, "") if known else "")
        run.progress.add(state.count)
        self._journal.count(state.count)
        return True

    def _write_segment(self, number: int) -> None:
        """Write and publish a segment."""
        run = self._run
        self._published[number] = PublishedSegment(self._segments.write(run.segment_range(number)))
        self._published[number].longest = self._segments.longest
        run.log.debug("segment published", segment=number, attempt=self._published[number].state.attempt)

    def _signal(self, number: int) -> None:
        """Announce a published segment; when the reply is lost, again: B takes a repeated signal for what it is."""
        run, record, segment = self._run, self._run.record, self._published[number]
        state = segment.state
        signal = Signal(state.run_id, state.attempt, number, record.segments, state.count, state.digest)
        key = run.keys.signals()

        def send() -> str:
            # the server's clock, as for the entry's id: a token may lie ahead of it, by more than the retention
            oldest_ms = max(0, run.clock.now_ms() - record.retain_ms)
            fields = dict(signal.encode())
            entry_id: bytes = run.endpoint.at(key).xadd(key, fields, minid=oldest_ms, approximate=False)  # type: ignore[arg-type, assignment]
            return entry_id.decode()

        self._note_chunk(number)
        started = time.monotonic()
        segment.signal_id = run.retry.keep_trying(send)
        self.signal_s += time.monotonic() - started
        self._journal.note_signal(
            number,
            segment.signal_id,
            published=len(self._published),
            next_segment=self._next_new(number),
            attempt=max(state.attempt, self._segments.last_token),
        )

    def _note_chunk(self, number: int) -> None:
        """Note how large a chunk of a segment with large values a consumer may ask for, before it is signalled."""
        longest = self._published[number].longest
        values = self._run.record.max_value_bytes
        if longest and safe_chunk_values(values, block_values=BLOCK_VALUES) < BLOCK_VALUES:
            chunk_values = safe_chunk_values(longest, block_values=BLOCK_VALUES)
            self._journal.note({chunk_field(number): chunk_values})

    def _next_new(self, number: int) -> int | None:
        """Return the segment that will be written next; None where that is not known, or none is left."""
        is_new = not self._run.settings.resume and number == len(self._published) < self._run.record.segments
        return number + 1 if is_new else None

    def _audit(self) -> AuditFindings:
        """Look for what is gone though it was acknowledged, and write it again, until nothing is missing."""
        run = self._run
        outages_seen = 0
        for audits in range(MAX_AUDITS):
            run.stop.wait(min(LONGEST_PAUSE_S, audits * FIRST_PAUSE_S))
            run.check_stop()
            run.retry.keep_trying(run.endpoint.refresh)  # on fresh connections, to whoever is primary now
            if run.retry.outage_count > outages_seen:
                outages_seen = run.retry.outage_count
                self._write_shop()
            findings = run.retry.keep_trying(audit, run.endpoint, run.keys, run.record, self._published)
            run.clock.set(findings.server_us)
            if findings.is_clean and run.retry.outage_count == outages_seen:
                return findings
            if not findings.is_clean:
                run.log.warning("acknowledged writes lost", segments=findings.segments, signals=findings.signals)
            if findings.is_record_lost:
                self._journal.begin(None)
            for number in findings.segments:
                self._lost_acknowledged += self._published[number].state.count
                run.progress.add(-self._published[number].state.count)
                self._journal.count(-self._published[number].state.count)
                self._write_segment(number)
            for number in findings.segments + findings.signals:
                self._signal(number)
        raise NotFinishedError(
            where=run.endpoint.name, expected="a server that keeps what it acknowledged", got=f"{MAX_AUDITS} losses"
        )

    def _retire(self, older: list[int]) -> None:
        """Remove segments that older runs left, from the top down, so that a stop leaves no gap."""
        run = self._run
        newest = max((segment.state for segment in self._published.values()), key=lambda state: state.attempt)
        for number in reversed(older):
            key = run.keys.segment(number)
            run.retry.keep_trying(retire, run.endpoint, run.keys, key, by=newest, retain_ms=run.record.retain_ms)
            run.log.debug("old segment removed", key=key)

    def _summary(self) -> RunSummary:
        record, segments = self._run.record, self._segments
        in_order = [self._published[number].state.digest for number in range(1, record.segments + 1)]
        return RunSummary(
            run_id=record.run_id,
            count=record.count,
            segments=record.segments,
            digest=run_digest(in_order),
            users=record.users,
            skus=record.skus,
            carts=record.carts,
            attempts=segments.attempts,
            lost_acknowledged=self._lost_acknowledged,
            outage_s=round(self._run.retry.outage_s, 3),
            write_s=round(segments.write_s, 6),
            values_per_s=round(segments.values_written / segments.write_s) if segments.write_s else 0,
            endpoint=self._run.endpoint.name,
        )
