"""What a run notes of itself in `run:<run_id>`, so that it can be resumed.

Each note writes the whole record, because a failover may lose the key: a note alone would then create a record that
nobody can resume and that never expires.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server_a.run.resume import KnownRun
from shared.digest import BLOCK_VALUES
from shared.endpoint.endpoint import Endpoint, ServerClock
from shared.endpoint.retry import Retry
from shared.keys import Keyspace
from shared.program.progress import Progress
from shared.record import (
    LOST_ATTEMPTS,
    RunRecord,
    ShopCount,
    attempt_field,
    chunk_field,
    encode_attempts,
    signal_field,
)
from shared.segments import safe_chunk_values
from shared.tokens import MOST_AHEAD_OF_ATTEMPT_MS, make_token

HISTORY_EVERY_S = 0.5
MAX_OUTAGES = 100
MAX_SAMPLES = 600
FIRST_STEP_MS = 20


class Samples:
    """Moments in milliseconds (`kept`) and the values written by then: at most 600, however long a run lasts.

    A resumed run starts with the samples from before it was stopped.
    """

    def __init__(self, kept: Iterable[tuple[int, int]] = ()) -> None:
        self.kept = list(kept)
        self._values = 0
        self._step_ms = FIRST_STEP_MS

    def add(self, values: int, *, now_ms: int) -> None:
        """Count values that were written by now; negative when they are to be written again."""
        self._values += values
        if self.kept:
            now_ms = max(now_ms, self.kept[-1][0])  # after a failover the clock is another server's
        if len(self.kept) > 1 and now_ms - self.kept[-2][0] < self._step_ms:
            self.kept.pop()
        self.kept.append((now_ms, self._values))
        if len(self.kept) > MAX_SAMPLES:  # keep every second one, and double the distance of those to come
            self.kept = self.kept[::2] if len(self.kept) % 2 else [*self.kept[::2], self.kept[-1]]
            self._step_ms *= 2


@dataclass
class RunJournal:
    """Writes the record of a run and how far it is, and shows that."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    progress: Progress
    known: KnownRun | None  # what is known of a run that is resumed; None for a new one
    retry: Retry
    clock: ServerClock
    samples: Samples = field(init=False)
    shop: ShopCount = field(init=False)
    history_at: float = field(init=False, default=0.0)
    prepared: dict[int, str] = field(init=False, default_factory=dict)  # tokens noted and not taken, by segment
    noted: dict[int, str] = field(init=False, default_factory=dict)  # tokens that the record has as under way
    lost: list[tuple[int, str]] = field(init=False)  # segment and token of attempts that failed
    newest: str = field(init=False)  # the newest token that was made or seen
    published: int = field(init=False, default=0)  # segments

    def __post_init__(self) -> None:
        self.samples = Samples(self.known.samples if self.known else ())
        self.shop = self.known.shop if self.known else ShopCount()
        # those of a killed process too: what it had sent may arrive after its staging key was removed
        self.lost = self.known.abandoned if self.known else []
        self.newest = self.record.run_id
        self._show(published=0)

    def begin(self, numbers: Sequence[int] = ()) -> None:
        """Write the record, with a token for an attempt at each of these segments; other notes stay."""
        self._make_tokens(numbers)
        self._write({}, is_start=True)

    def note_shop(self, shop: ShopCount) -> None:
        """Note what was counted of the shop, before the records that were looked for are written."""
        self.shop = shop
        self._write({})

    def prepare(self, numbers: Sequence[int]) -> None:
        """Note tokens for attempts at these segments, before they are used.

        A resumed run can then remove what the attempts wrote. Tokens sort after all that were made or seen before.
        """
        self._make_tokens(numbers)
        self._write({})

    def take(self, number: int) -> str:
        """Return the token that was prepared for an attempt at a segment."""
        return self.prepared.pop(number)

    def lose(self, number: int, attempt: str) -> None:
        """Note, with the next note, that an attempt failed: only then may another token take its place in the record.

        Its staging key is gone, but late bytes may create it again, and a resumed run must find it then.
        """
        self.lost.append((number, attempt))

    def follow(self, attempt: str) -> None:
        """Make every further token sort after one that was seen, whatever the server's clock says."""
        self.newest = max(self.newest, attempt)

    def note_chunks(self, longest: Mapping[int, int]) -> None:
        """Note, before segments are signalled, how many of their values fit into one chunk, if less than a block.

        `longest` is the bytes of the longest value by segment; 0 where the chunk is noted already.
        """
        if safe_chunk_values(self.record.max_value_bytes, block_values=BLOCK_VALUES) < BLOCK_VALUES:
            chunks = {
                chunk_field(number): safe_chunk_values(size, block_values=BLOCK_VALUES)
                for number, size in longest.items()
                if size
            }
            if chunks:
                self._write(chunks)

    def note_signals(self, ids: Mapping[int, str], *, published: int, prepare: Sequence[int] = ()) -> None:
        """Note the signals of published segments, by number, and what `prepare` notes."""
        for number in ids:
            self.noted.pop(number, None)
        self._show(published=published)
        self._make_tokens(prepare)
        fields = {signal_field(number): signal_id for number, signal_id in ids.items()}
        self._write({"published": published, **fields}, gone=[attempt_field(number) for number in ids])

    def finish(self, published: int) -> None:
        """Note that the audit is done, and how many segments are published."""
        self.history_at = 0.0
        self._write({"published": published, "finished_ms": self.clock.now_ms()})

    def count(self, values: int) -> None:
        """Count values sent; negative when they are to be sent again."""
        self.progress.add(values)
        self.samples.add(values, now_ms=self.clock.now_ms())

    def count_kept(self, values: int) -> None:
        """Count the values of a segment that the run had published before it was resumed."""
        self._show(published=self.published + 1)
        self.progress.count(values)
        self.samples.add(values, now_ms=self.clock.now_ms())

    def _show(self, *, published: int) -> None:
        self.published, segments, number = published, self.record.segments, published + 1
        if number <= segments > 1:
            wordy = f"segment {number:,} of {segments:,}"
            self.progress.segments = wordy, wordy, f"seg {number}/{segments}"

    def _make_tokens(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            now_ms, most_ms = self.clock.now_ms(), MOST_AHEAD_OF_ATTEMPT_MS
            self.newest = make_token(now_ms, after=self.newest, most_ahead_ms=most_ms)
            self.noted[number] = self.prepared[number] = self.newest

    def _attempts(self) -> dict[str, str]:
        """Return the fields that name every attempt that may have left something, or may still."""
        lost = {LOST_ATTEMPTS: encode_attempts(self.lost)} if self.lost else {}
        return {attempt_field(number): token for number, token in self.noted.items()} | lost

    def _write(self, fields: Mapping[str, str | int], *, is_start: bool = False, gone: Sequence[str] = ()) -> None:
        """Write the record and these fields, and repeat that after a fault.

        Redis: MULTI HSET, two HSETNX at the start, HDEL, PEXPIRE EXEC; O(fields).
        """
        key = self.keys.run(self.record.run_id)
        notes = {**fields, **self._attempts(), **self._history()}
        mapping: dict[Any, Any] = {**self.record.encode(), **self.shop.encode(), **notes}

        def write() -> None:
            pipeline = self.endpoint.at(key).pipeline()
            pipeline.hset(key, mapping=mapping)
            if is_start:
                pipeline.hsetnx(key, "published", 0)
                pipeline.hsetnx(key, "finished_ms", 0)
            if gone:
                pipeline.hdel(key, *gone)
            pipeline.pexpire(key, self.record.retain_ms)
            pipeline.execute()

        self.retry.keep_trying(write)

    def _history(self) -> dict[str, str]:
        """Return outages and samples, at most every half second."""
        now = time.monotonic()
        if now - self.history_at < HISTORY_EVERY_S:
            return {}
        self.history_at = now
        before, clock = self.known.outages if self.known else [], self.clock
        outages = [
            (clock.ms_at(outage.began_s), clock.ms_at(outage.ended_s)) for outage in self.retry.outages[-MAX_OUTAGES:]
        ]
        kept = {"outages": [*before, *outages][-MAX_OUTAGES:], "samples": self.samples.kept}
        return {name: json.dumps(numbers, separators=(",", ":")) for name, numbers in kept.items()}
