"""What a finished run did, and, once server-b has read it, the verdict on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from server_a.run.segment import SegmentProducer
from server_a.run.states import PublishedSegment
from shared.advice import CHECK_BOTH_ENDS
from shared.digest import run_digest
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import HandoverError, NotFinishedError, TransientError, VerificationFailedError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.stopping import StopRequest
from shared.verdict import FAILED, VERIFIED, SegmentVerdict, decode_result, is_complete, run_reason, run_verdict

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
    segments_rewritten: int  # segments they were in
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
    endpoint: Endpoint, keys: Keyspace, run_id: str, *, attempts: Mapping[int, str], limit_s: float, stop: StopRequest
) -> str:
    """Return once the run is verified; raise VerificationFailedError for `failed`, NotFinishedError for anything else.

    `attempts` has the published attempt of each segment; a verdict on an earlier attempt does not count.

    Redis: HGETALL ten times a second; O(segments).
    """
    deadline = time.monotonic() + limit_s
    where, key = f"run {run_id}", keys.result(run_id)
    while True:
        found = _verdicts(endpoint, key)
        verdicts = {n: verdict for n, verdict in found.items() if verdict.attempt >= attempts.get(n, "")}
        if is_complete(verdicts):
            break
        if time.monotonic() >= deadline or stop.wait(POLL_S):
            expected, got = f"a verdict within {limit_s:g} s", f"verdicts on {len(verdicts)} segments"
            advice = f"is a server-b running? {CHECK_BOTH_ENDS}"
            raise NotFinishedError(where=where, expected=expected, got=got, advice=advice)
    verdict = run_verdict(verdicts)
    if verdict != VERIFIED:
        kind = VerificationFailedError if verdict == FAILED else NotFinishedError
        raise kind(where=where, expected=VERIFIED, got=f"{verdict}: {run_reason(verdicts)}")
    return verdict


def _verdicts(endpoint: Endpoint, key: str) -> dict[int, SegmentVerdict]:
    """Return the verdicts so far; none while the endpoint does not answer."""
    try:
        return decode_result(cast("dict[bytes, bytes]", endpoint.at(key).hgetall(key)))
    except TransientError:
        with suppress(HandoverError):  # the next poll meets the same fault
            endpoint.refresh()
        return {}
