"""The product's own paths, called in this process: what the programs do between their first and last command.

The classes are the programs' own; only what surrounds them (signals, audit, verdicts) is left out, which the programs
themselves, run as processes beside this, include.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import structlog

from server_a.run.lines import LineSource
from server_a.run.publish import Publication, publish
from server_a.run.settings import DEFAULT_SEGMENT_VALUES
from server_a.run.values import NumberSource, ValueSource
from server_a.run.writer import SegmentWriter
from server_a.shop.sample import Sample
from server_a.shop.sample_writer import SampleWriter
from server_b.lease import Lease
from server_b.segment.examiner import SegmentExaminer
from server_b.segment.look import SegmentLook
from server_b.segment.progress import RunProgress
from server_b.settings import ConsumerSettings
from shared.endpoint.opening import open_endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import TransientError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.segments import segment_range, segments_of
from shared.signal import Signal
from shared.state import SegmentState
from shared.stopping import StopRequest
from shared.tokens import make_token
from shared.verdict import VERIFIED

KEYS = Keyspace()


def segment_keys(count: int) -> dict[str, tuple[int, int]]:
    """Return the list of each segment of the numbers 1 to count, with its first number and the one after its last."""
    segments = segments_of(count, DEFAULT_SEGMENT_VALUES)
    ranges = [segment_range(n, count=count, segment_values=DEFAULT_SEGMENT_VALUES) for n in range(1, segments + 1)]
    return {KEYS.segment(r.number): (r.first + 1, r.first + r.count + 1) for r in ranges}


def _refuse(error: TransientError) -> None:
    """End the measurement at a fault: its time would mean nothing."""
    raise error


class Product:
    """Both programs' work on one endpoint."""

    def __init__(self, url: str) -> None:
        """Connect."""
        self._endpoint = open_endpoint(EndpointSettings(url=parse_url(url)))
        self._signals: list[Signal] = []
        self.version = f"{self._endpoint.kind.server.capitalize()} {self._endpoint.kind.version}"

    def write(self, count: int) -> float:
        """Write and publish the numbers 1 to count as server-a does, and return the seconds that took."""
        started = time.perf_counter()
        self._write(NumberSource(count))
        return time.perf_counter() - started

    def write_lines(self, path: str) -> float:
        """Scan a file, write and publish its lines as server-a does, and return the seconds that took."""
        started = time.perf_counter()
        with (
            closing(StopRequest()) as stop,
            closing(LineSource(path, segment_values=DEFAULT_SEGMENT_VALUES, stop=stop)) as source,
        ):
            self._write(source)
        return time.perf_counter() - started

    def _write(self, source: ValueSource) -> None:
        segments = segments_of(source.count, DEFAULT_SEGMENT_VALUES)
        run_id = attempt = make_token(self._endpoint.server_us("") // 1_000)
        self._write_record(run_id, source)
        self._signals = []
        for number in range(1, segments + 1):
            segment = segment_range(number, count=source.count, segment_values=DEFAULT_SEGMENT_VALUES)
            key = KEYS.segment(number)
            attempt = make_token(self._endpoint.server_us(key) // 1_000, after=attempt)
            staging_key = KEYS.staging(key, attempt)
            with closing(self._endpoint.batch(key)) as connection:
                written = SegmentWriter(connection, staging_key).write(source.batches(segment))
            state = SegmentState(run_id, attempt, written.count, written.digest)
            publication = Publication(number, key, staging_key, state, written.blocks)
            publish(self._endpoint, KEYS, publication, overwrite=False)
            self._signals.append(Signal(run_id, attempt, number, segments, written.count, written.digest))

    def _write_record(self, run_id: str, source: ValueSource) -> None:
        """Write the run's record, from which the consumer takes how large a chunk may be."""
        record = RunRecord(
            run_id=run_id,
            source=source.source,
            count=source.count,
            segment_values=DEFAULT_SEGMENT_VALUES,
            max_value_bytes=source.max_value_bytes,
            users=0,
            skus=0,
            carts=0,
            seed=1,
            retain_ms=86_400_000,
        )
        key = KEYS.run(run_id)
        fields: dict[Any, Any] = {**record.encode()}
        self._endpoint.at(key).hset(key, mapping=fields)

    def read(self) -> float:
        """Read and verify what `write` wrote as server-b does, and return the seconds that took.

        Raises:
            RuntimeError: A segment was not verified: its time would mean nothing.
        """
        settings = ConsumerSettings(consumer="bench", settle_s=0)
        with closing(StopRequest()) as stop:
            examiner = SegmentExaminer(
                self._endpoint,
                KEYS,
                settings,
                lease=Lease(settings, stop, structlog.get_logger(), endpoint=self._endpoint.name),
                retry=Retry(0.0, stop, on_outage=_refuse, refresh=self._endpoint.refresh),
                progress=RunProgress(),
                log=structlog.get_logger(),
            )
            started = time.perf_counter()
            for signal in self._signals:
                verdict = examiner.examine(signal, SegmentLook.read(self._endpoint, KEYS, signal, "0-0"))
                if verdict is None or verdict.verdict != VERIFIED:
                    raise RuntimeError(f"segment {signal.segment}: expected verified, got {verdict}")
            return time.perf_counter() - started

    def write_users(self, users: int) -> float:
        """Look which of so many users are there and write the others as server-a does; return the seconds that took."""
        sample = Sample(users=users, skus=0, carts=0, seed=1)
        with closing(StopRequest()) as stop:
            retry = Retry(0.0, stop, on_outage=_refuse, refresh=self._endpoint.refresh)
            started = time.perf_counter()
            SampleWriter(self._endpoint, KEYS, sample, overwrite=False, retry=retry, stop=stop).write()
            return time.perf_counter() - started

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()
