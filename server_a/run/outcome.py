"""What a finished run did, and, once server-b has read it, the verdict on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from server_a.run.segment import SegmentProducer
from server_a.run.states import PublishedSegment
from shared.advice import CHECK_BOTH_ENDS
from shared.digest import run_digest
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.recorded import read_verdicts
from shared.endpoint.retry import Retry
from shared.endpoint.together import Together, portions
from shared.errors import HandoverError, NotFinishedError, TransientError, VerificationFailedError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.state import SegmentState
from shared.stopping import StopRequest
from shared.verdict import (
    FAILED,
    SUPERSEDED,
    VERIFIED,
    SegmentVerdict,
    is_complete,
    run_reason,
    run_verdict,
)

POLL_S = 0.1


@dataclass(frozen=True)
class RunSummary:
    """What a run did; its fields are those of `server-a run --json`."""

    run_id: str
    count: int
    segments: int
    digest: str
    users: int
    skus: int
    carts: int
    shop_kept: int  # users, SKUs and carts among these that were there already and were left as they are
    attempts: int  # attempts at segments; one a segment when nothing went wrong
    writers: int  # threads or processes that write segments
    lost_acknowledged: int  # values of published segments that the audit found missing and wrote again
    segments_rewritten: int  # the segments of these values, and those that a wrong signal kept from a verdict
    outages: int
    outage_s: float  # seconds without an answer, added up over all outages
    write_s: float  # from the first LPUSH sent to the last publication
    values_per_s: int
    reply_ms: Mapping[str, float] | None  # p50, p95, p99 and max of a batch's reply time; None when none was sent
    endpoint: str


def summarize(
    record: RunRecord,
    published: Mapping[int, PublishedSegment],
    segments: SegmentProducer,
    retry: Retry,
    *,
    shop_kept: int,
    lost: int,
    rewritten: int,
) -> RunSummary:
    """Return the summary of a run whose segments are all published."""
    write_s = segments.write_s
    return RunSummary(
        run_id=record.run_id,
        count=record.count,
        segments=record.segments,
        digest=run_digest([published[number].state.digest for number in range(1, record.segments + 1)]),
        users=record.users,
        skus=record.skus,
        carts=record.carts,
        shop_kept=shop_kept,
        attempts=segments.attempts,
        writers=segments.writers.count,
        lost_acknowledged=lost,
        segments_rewritten=rewritten,
        outages=retry.outage_count,
        outage_s=round(retry.outage_s, 3),
        write_s=round(write_s, 6),
        values_per_s=round(segments.values_written / write_s) if write_s else 0,
        reply_ms=segments.times.as_json(),
        endpoint=segments.endpoint.name,
    )


def await_verdict(
    endpoint: Endpoint,
    keys: Keyspace,
    record: RunRecord,
    published: Mapping[int, PublishedSegment],
    *,
    limit_s: float,
    stop: StopRequest,
) -> str:
    """Return once the run is verified; raise VerificationFailedError for `failed`, NotFinishedError for anything else.

    Redis: see `await_verdicts`.
    """
    verdicts = await_verdicts(endpoint, keys, record, published, limit_s=limit_s, stop=stop)
    verdict = run_verdict(verdicts)
    if verdict != VERIFIED:
        kind = VerificationFailedError if verdict == FAILED else NotFinishedError
        got = f"{verdict}: {run_reason(verdicts)}"
        raise kind(where=f"run {record.run_id}", expected=VERIFIED, got=got)
    return verdict


def await_verdicts(
    endpoint: Endpoint,
    keys: Keyspace,
    record: RunRecord,
    published: Mapping[int, PublishedSegment],
    *,
    limit_s: float,
    stop: StopRequest,
) -> Mapping[int, SegmentVerdict]:
    """Return the verdicts on all segments, once they are there and what they are about still is.

    A verdict counts if it is about what was published, or about the same values under a later attempt (of another
    resume), and if that still is what is published when all segments have theirs. A fault that may pass is met again
    or not at the next look, before which is asked where the slots are: one that moved alone nobody else may meet.

    Raises:
        NotFinishedError: They did not come in time, or a stop was requested.
        WrongKeyError: A state or the result holds somebody else's data.

    Redis: ten times a second HMGET of all verdicts, 1,000 a round trip; when every segment has its verdict, HMGET of
    1,000 states and LLEN of their lists a round trip.
    """
    deadline = time.monotonic() + limit_s
    while True:
        try:
            verdicts = _verdicts(endpoint, keys, record, published)
            lost = ""
            if len(verdicts) == record.segments and is_complete(verdicts):
                lost = _replaced(endpoint, keys, record, verdicts)
                if not lost:
                    return verdicts
            got, advice = f"verdicts on {len(verdicts)} segments", f"is a server-b running? {CHECK_BOTH_ENDS}"
            if lost:
                got, advice = lost, f"server-a run --resume {record.run_id} writes it again"
        except TransientError as error:
            got, advice = str(error), ""
            with suppress(HandoverError):  # the next look meets the same fault
                endpoint.refresh()
        if time.monotonic() >= deadline or stop.wait(POLL_S):
            stop.check(f"the verdict on run {record.run_id}")
            where, expected = f"run {record.run_id}", f"a verdict within {limit_s:g} s"
            raise NotFinishedError(where=where, expected=expected, got=got, advice=advice)


def _counts(verdict: SegmentVerdict, segment: PublishedSegment) -> bool:
    """Tell whether a verdict is about the values that were published, under the same attempt or a later one."""
    state = segment.state
    return verdict.attempt >= state.attempt and (verdict.count, verdict.digest) == (state.count, state.digest)


def _replaced(endpoint: Endpoint, keys: Keyspace, record: RunRecord, verdicts: Mapping[int, SegmentVerdict]) -> str:
    """Return which segment is no longer what its verdict is about, as after a failover; an empty text for none.

    A segment that a newer run has replaced is what a verdict of superseded says.
    """
    numbers = {keys.segment(n): n for n, verdict in verdicts.items() if verdict.verdict != SUPERSEDED}
    for portion in portions(numbers):
        asked = Together(endpoint)
        for name in portion:
            asked.at(name).hmget(keys.state(name), SegmentState.FIELDS)
            asked.at(name).llen(name)
        replies = asked.send()
        for name, values, length in zip(portion, replies[::2], replies[1::2], strict=True):
            verdict, state = verdicts[numbers[name]], SegmentState.decode(keys.state(name), values)
            is_cut = verdict.verdict == VERIFIED and length != verdict.count  # a failed one may say just that
            if is_cut or state != SegmentState(record.run_id, verdict.attempt, verdict.count, verdict.digest):
                return f"segment {verdict.segment} lost or replaced after its verdict"
    return ""


def _verdicts(
    endpoint: Endpoint, keys: Keyspace, record: RunRecord, published: Mapping[int, PublishedSegment]
) -> dict[int, SegmentVerdict]:
    """Return the verdicts so far that are about what was published."""
    found: dict[int, SegmentVerdict] = {}
    for numbers in portions(range(1, record.segments + 1)):
        found |= read_verdicts(endpoint, keys, record.run_id, numbers)
    return {n: verdict for n, verdict in found.items() if n in published and _counts(verdict, published[n])}
