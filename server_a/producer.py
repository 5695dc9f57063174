"""The producer's story: shop, segments, signals, audit. Read `Producer.run` first.

Everything that may be repeated goes through `PatientWires`; what may not, an attempt at a segment, is begun anew
(`SegmentProducer`). So a lost connection is an ordinary turn of the story and needs no recovery code of its own.
"""

from __future__ import annotations

import time
from contextlib import suppress

from server_a.audit import PublishedSegment, audit
from server_a.precedence import require_newest, withdraw
from server_a.publisher import retire
from server_a.resumption import is_whole, published_before
from server_a.run_context import RunContext
from server_a.run_journal import RunJournal
from server_a.run_record import states_upward
from server_a.segment_producer import SegmentProducer
from server_a.settings import RunSummary
from server_a.shop_writer import write_shop
from shared.digest import BLOCK_VALUES, run_digest
from shared.errors import HandoverError, NotFinishedError, SupersededError
from shared.run_signal import Signal, chunk_field, signal_field
from shared.segments import safe_chunk_values

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
        self._segments = SegmentProducer(run)
        self._journal = RunJournal(run)
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
            NotFinishedError: A stop was requested, memory is full, or patience ended; the run can be resumed.
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
        require_newest(self._run)
        self._journal.begin()
        self.has_begun = True
        self._write_shop()
        look_at = time.monotonic() + LOOK_EVERY_S
        for number in range(1, self._run.record.segments + 1):
            if time.monotonic() >= look_at:
                require_newest(self._run)
                look_at = time.monotonic() + LOOK_EVERY_S
            if not (self._run.settings.resume and self._keep(number)):
                self._write_segment(number)
            if not self._published[number].signal_id:
                self._signal(number)
        outages_seen = -1
        while self._run.wires.patience.outages != outages_seen:  # a failover may lose what an audit has found in place
            outages_seen = self._run.wires.patience.outages
            self._audit()
            require_newest(self._run)
            self._retire_old_segments()
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
            keep_trying=run.keep_trying,
        )

    def _keep(self, number: int) -> bool:
        """Keep a segment that this run had published before it was stopped; return whether there is one.

        Raises:
            SupersededError: A newer run has published there.
            InvalidInputError: Its digest is not that of the same lines of the file given now.
        """
        run = self._run
        state = published_before(run, number)
        if state is None:
            return False
        self._segments.follow(state.attempt)
        if not is_whole(run, number, state):
            return False
        self._segments.require_replicas(run.segment_key(number), state.attempt)
        self._published[number] = PublishedSegment(state, run.finished_signals.get(number, ""))
        run.progress.add(state.count)
        return True

    def _write_segment(self, number: int) -> None:
        """Write and publish a segment, and note how large a chunk of it a consumer may ask for."""
        run = self._run
        self._published[number] = PublishedSegment(self._segments.write(run.segment_range(number)))
        run.log.debug("segment published", segment=number, attempt=self._published[number].state.attempt)
        if safe_chunk_values(run.record.max_value_bytes, block_values=BLOCK_VALUES) < BLOCK_VALUES:
            chunk_values = safe_chunk_values(self._segments.longest, block_values=BLOCK_VALUES)
            self._journal.note({chunk_field(number): chunk_values})

    def _signal(self, number: int) -> None:
        """Announce a published segment; when the reply is lost, again: B takes a repeated signal for what it is."""
        run, record, state = self._run, self._run.record, self._published[number].state
        signal = Signal(state.run_id, state.attempt, number, record.segments, state.count, state.digest)
        fields = [part for pair in signal.encode().items() for part in pair]
        key = run.keys.signals()
        started = time.monotonic()
        # the server's clock, as for the entry's id: a token may lie ahead of it, by more than the retention
        now_ms = run.wires.patience.keep_trying(lambda: run.endpoint.server_ms(key))
        oldest_ms = max(0, now_ms - record.retain_ms)
        entry_id = run.wires.repeat("XADD", key, "MINID", "=", oldest_ms, "*", *fields).decode()
        self.signal_s += time.monotonic() - started
        self._published[number].signal_id = entry_id
        self._journal.note({"published": len(self._published), signal_field(number): entry_id})

    def _audit(self) -> None:
        """Look for what is gone though it was acknowledged, and write it again, until nothing is missing."""
        run = self._run
        outages_seen = 0
        for audits in range(MAX_AUDITS):
            run.stop.wait(min(LONGEST_PAUSE_S, audits * FIRST_PAUSE_S))
            run.check_stop()
            self._look_again()
            if run.wires.patience.outages > outages_seen:
                outages_seen = run.wires.patience.outages
                self._write_shop()
            findings = run.wires.patience.keep_trying(
                lambda: audit(run.endpoint, run.keys, run.record, self._published)
            )
            if findings.is_clean and run.wires.patience.outages == outages_seen:
                return
            if not findings.is_clean:
                run.log.warning("acknowledged writes lost", segments=findings.segments, signals=findings.signals)
            if findings.is_record_lost:
                self._journal.begin()
            for number in findings.segments:
                self._lost_acknowledged += self._published[number].state.count
                run.progress.add(-self._published[number].state.count)
                self._write_segment(number)
            for number in findings.segments + findings.signals:
                self._signal(number)
        raise NotFinishedError(
            where=run.endpoint.name, expected="a server that keeps what it acknowledged", got=f"{MAX_AUDITS} losses"
        )

    def _look_again(self) -> None:
        """Ask anew which servers hold what: one that has lost its office may still answer on an open connection."""
        run = self._run
        run.wires.close()
        run.wires.patience.keep_trying(run.endpoint.refresh)

    def _retire_old_segments(self) -> None:
        """Remove segments that older runs left, from the top down, so that a stop leaves no gap."""
        run, record = self._run, self._run.record
        states = run.wires.patience.keep_trying(
            lambda: list(states_upward(run.endpoint, run.keys, after=record.segments))
        )
        left = [key for key, state in states if state is not None and state.count]
        attempt = max(segment.state.attempt for segment in self._published.values())
        for key in reversed(left):
            run.wires.patience.keep_trying(
                lambda key=key: retire(  # type: ignore[misc]
                    run.wires.of(key), run.keys, key, run_id=record.run_id, attempt=attempt, retain_ms=record.retain_ms
                )
            )
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
            outage_s=round(self._run.wires.patience.outage_s, 3),
            write_s=round(segments.write_s, 6),
            values_per_s=round(segments.values_written / segments.write_s) if segments.write_s else 0,
            endpoint=self._run.endpoint.name,
        )
