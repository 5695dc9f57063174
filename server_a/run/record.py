"""What a run notes of itself in `run:<run_id>`, so that it can go on after a kill, and be drawn.

Each note carries the whole record: a failover may lose the key, and a note alone would make one that nobody can resume
and that stays for ever.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from server_a.run.context import RunContext
from server_a.run.samples import Samples
from shared.endpoint.node_client import NodePipeline
from shared.record import attempt_field, signal_field
from shared.tokens import make_token

SAMPLES_EVERY_S = 0.5
MAX_OUTAGES = 100


class RunJournal:
    """Writes the record of a run and how far it is."""

    def __init__(self, run: RunContext) -> None:
        """Write nothing yet."""
        self._run = run
        self._key = run.keys.run(run.record.run_id)
        self._samples = Samples(run.known.samples if run.known else ())
        self._outages_before = run.known.outages if run.known else []
        self._samples_at = 0.0
        self._begun = ""  # an attempt that is noted already, and has not begun

    def begin(self, first_segment: int | None) -> None:
        """Write the record; how far a resumed run had come stays.

        Args:
            first_segment: The one that will be written first, whose attempt is noted too; None for none.
        """
        fields = {} if first_segment is None else self._next_attempt(first_segment, after=self._run.record.run_id)
        self._write(fields, starts=True)

    def begin_attempt(self, number: int, *, after: str) -> str:
        """Return the token of a new attempt at a segment, which the record knows of: a resumed run clears it away.

        Args:
            number: The segment.
            after: The token of the attempt before.
        """
        if self._begun <= after:
            self._write(self._next_attempt(number, after=after))
        token, self._begun = self._begun, ""
        return token

    def note(self, fields: Mapping[str, str | int]) -> None:
        """Write fields beside the record."""
        self._write(fields)

    def note_signal(
        self, number: int, entry_id: str, *, published: int, next_segment: int | None, attempt: str
    ) -> None:
        """Note the signal of a published segment, and the attempt that will be begun at the next one.

        Args:
            number: The segment.
            entry_id: Of its signal.
            published: How many segments are.
            next_segment: The one that will be written next; None where that is not known.
            attempt: The token that its attempt has to sort after.
        """
        fields: dict[str, str | int] = {"published": published, signal_field(number): entry_id}
        if next_segment is not None:
            fields |= self._next_attempt(next_segment, after=attempt)
        self._write(fields, gone=[attempt_field(number)])

    def finish(self, published: int) -> None:
        """Note that the audit is done, and how many segments are published."""
        self._samples_at = 0.0
        self._write({"published": published, "finished_ms": self._run.clock.now_ms()})

    def count(self, values: int) -> None:
        """Count values sent; negative when they are to be sent again."""
        self._samples.add(values, now_ms=self._run.clock.now_ms())

    def _next_attempt(self, number: int, *, after: str) -> dict[str, str | int]:
        self._begun = make_token(self._run.clock.now_ms(), after=after)
        return {attempt_field(number): self._begun}

    def _write(self, fields: Mapping[str, str | int], *, starts: bool = False, gone: Sequence[str] = ()) -> None:
        """Write the record and these fields, again after each fault.

        Redis:
            MULTI HSET, two HSETNX at the start, HDEL, PEXPIRE EXEC; O(fields).
        """
        run = self._run
        mapping: dict[Any, Any] = {**run.record.encode(), **fields, **self._history()}

        def write() -> None:
            pipeline: NodePipeline = run.endpoint.at(self._key).pipeline()
            pipeline.hset(self._key, mapping=mapping)
            if starts:
                pipeline.hsetnx(self._key, "published", 0)
                pipeline.hsetnx(self._key, "finished_ms", 0)
            if gone:
                pipeline.hdel(self._key, *gone)
            pipeline.pexpire(self._key, run.record.retain_ms)
            pipeline.execute()

        run.retry.keep_trying(write)

    def _history(self) -> dict[str, str]:
        """Return outages and samples, when it is time to write them again."""
        run, now = self._run, time.monotonic()
        if now - self._samples_at < SAMPLES_EVERY_S:
            return {}
        self._samples_at = now
        clock = run.clock
        outages = [(clock.ms_at(outage.began_s), clock.ms_at(outage.ended_s)) for outage in run.retry.outages]
        kept = {"outages": [*self._outages_before, *outages][-MAX_OUTAGES:], "samples": self._samples.kept}
        return {name: json.dumps(numbers, separators=(",", ":")) for name, numbers in kept.items()}
