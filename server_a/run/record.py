"""What a run notes of itself in `run:<run_id>`, so that it can go on after a kill, and be drawn.

Each note carries the whole record: a failover may lose the key, and a note alone would make one that nobody can resume
and that stays for ever.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from server_a.run.resume import KnownRun
from server_a.run.samples import Samples
from shared.digest import BLOCK_VALUES
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_clock import ServerClock
from shared.keys import Keyspace
from shared.record import RunRecord, attempt_field, chunk_field, signal_field
from shared.segments import safe_chunk_values
from shared.tokens import make_token

HISTORY_EVERY_S = 0.5
MAX_OUTAGES = 100


class RunJournal:
    """Writes the record of a run and how far it is."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        record: RunRecord,
        *,
        known: KnownRun | None,
        retry: Retry,
        clock: ServerClock,
    ) -> None:
        """Write nothing yet.

        Args:
            endpoint: Where.
            keys: The namespace.
            record: What the run is to write.
            known: What is known of a run that is resumed; None for a new one.
            retry: Writes again after a fault, and tells the outages.
            clock: The clock of the server that holds the stream.
        """
        self._endpoint = endpoint
        self._key = keys.run(record.run_id)
        self._record = record
        self._is_new = known is None
        self._retry = retry
        self._clock = clock
        self._samples = Samples(known.samples if known else ())
        self._outages_before = known.outages if known else []
        self._history_at = 0.0
        self._begun = ""  # the token of an attempt that is noted already, and has not begun
        self._newest = record.run_id

    def begin(self) -> None:
        """Write the record and, of a new run, the attempt that begins at its first segment; other notes stay."""
        fields = self._next_attempt(1) if self._is_new and self._newest == self._record.run_id else {}
        self._write(fields, is_start=True)

    def begin_attempt(self, number: int, *, after: str) -> str:
        """Return the token of a new attempt at a segment, which the record knows of: a resumed run clears it away.

        Args:
            number: The segment.
            after: A token that it has to sort after.
        """
        self._newest = max(self._newest, after)
        if self._begun <= after:
            self._write(self._next_attempt(number))
        token, self._begun = self._begun, ""
        return token

    def note_chunk(self, number: int, longest: int) -> None:
        """Note how large a chunk of a segment with large values a consumer may ask for, before it is signalled.

        Args:
            number: The segment.
            longest: Bytes of its longest value; 0 where that is noted already.
        """
        if longest and safe_chunk_values(self._record.max_value_bytes, block_values=BLOCK_VALUES) < BLOCK_VALUES:
            self._write({chunk_field(number): safe_chunk_values(longest, block_values=BLOCK_VALUES)})

    def note_signal(self, number: int, signal_id: str, *, published: int) -> None:
        """Note the signal of a published segment and, of a new run, the attempt that begins at the next one."""
        fields: dict[str, str | int] = {"published": published, signal_field(number): signal_id}
        if self._is_new and number == published < self._record.segments:
            fields |= self._next_attempt(number + 1)
        self._write(fields, gone=[attempt_field(number)])

    def finish(self, published: int) -> None:
        """Note that the audit is done, and how many segments are published."""
        self._history_at = 0.0
        self._write({"published": published, "finished_ms": self._clock.now_ms()})

    def count(self, values: int) -> None:
        """Count values sent; negative when they are to be sent again."""
        self._samples.add(values, now_ms=self._clock.now_ms())

    def _next_attempt(self, number: int) -> dict[str, str | int]:
        self._begun = self._newest = make_token(self._clock.now_ms(), after=self._newest)
        return {attempt_field(number): self._begun}

    def _write(self, fields: Mapping[str, str | int], *, is_start: bool = False, gone: Sequence[str] = ()) -> None:
        """Write the record and these fields, again after each fault."""
        self._retry.keep_trying(self._write_once, {**fields, **self._history()}, is_start=is_start, gone=gone)

    def _write_once(self, fields: Mapping[str, str | int], *, is_start: bool, gone: Sequence[str]) -> None:
        """Write the record and these fields.

        Redis:
            MULTI HSET, two HSETNX at the start, HDEL, PEXPIRE EXEC; O(fields).
        """
        mapping: dict[Any, Any] = {**self._record.encode(), **fields}
        pipeline = self._endpoint.at(self._key).pipeline()
        pipeline.hset(self._key, mapping=mapping)
        if is_start:
            pipeline.hsetnx(self._key, "published", 0)
            pipeline.hsetnx(self._key, "finished_ms", 0)
        if gone:
            pipeline.hdel(self._key, *gone)
        pipeline.pexpire(self._key, self._record.retain_ms)
        pipeline.execute()

    def _history(self) -> dict[str, str]:
        """Return outages and samples, when it is time to write them again."""
        now = time.monotonic()
        if now - self._history_at < HISTORY_EVERY_S:
            return {}
        self._history_at = now
        clock = self._clock
        outages = [(clock.ms_at(outage.began_s), clock.ms_at(outage.ended_s)) for outage in self._retry.outages]
        kept = {"outages": [*self._outages_before, *outages][-MAX_OUTAGES:], "samples": self._samples.kept}
        return {name: json.dumps(numbers, separators=(",", ":")) for name, numbers in kept.items()}
