"""Waiting, on A's side, for what B found out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from shared.endpoint.endpoint import Endpoint
from shared.errors import HandoverError, NotFinishedError, TransientError, VerificationFailedError
from shared.keys import Keyspace
from shared.stopping import StopRequest
from shared.verdict import FAILED, VERIFIED, SegmentVerdict, decode_result, is_complete, run_reason, run_verdict

POLL_S = 0.1


def await_verdict(
    endpoint: Endpoint,
    keys: Keyspace,
    run_id: str,
    *,
    attempts: Mapping[int, str],
    limit_s: float,
    stop: StopRequest,
) -> str:
    """Return once the run is verified.

    Args:
        endpoint: Where the run was written.
        keys: Its namespace.
        run_id: The run.
        attempts: The attempt published of each segment; a verdict on an earlier one says nothing of what is there now.
        limit_s: Seconds to wait.
        stop: Ends the wait.

    Raises:
        VerificationFailedError: The verdict is failed.
        NotFinishedError: It is superseded, none came in time, or a stop was requested.

    Redis:
        HGETALL ten times a second; O(segments).
    """
    deadline = time.monotonic() + limit_s
    key = keys.result(run_id)
    while True:
        found = _verdicts(endpoint, key)
        verdicts = {n: verdict for n, verdict in found.items() if verdict.attempt >= attempts.get(n, "")}
        if is_complete(verdicts):
            break
        if time.monotonic() >= deadline or stop.wait(POLL_S):
            raise NotFinishedError(
                where=f"run {run_id}",
                expected=f"a verdict within {limit_s:g} s",
                got=f"verdicts on {len(verdicts)} segments",
                advice="is a server-b running at a connected endpoint?",
            )
    verdict = run_verdict(verdicts)
    if verdict == FAILED:
        raise VerificationFailedError(where=f"run {run_id}", expected=VERIFIED, got=f"{FAILED}: {run_reason(verdicts)}")
    if verdict != VERIFIED:
        raise NotFinishedError(where=f"run {run_id}", expected=VERIFIED, got=f"{verdict}: {run_reason(verdicts)}")
    return verdict


def _verdicts(endpoint: Endpoint, key: str) -> dict[int, SegmentVerdict]:
    """Return the verdicts so far; none while the endpoint is away, which is waited out like their absence."""
    try:
        return decode_result(cast("dict[bytes, bytes]", endpoint.at(key).hgetall(key)))
    except TransientError:
        with suppress(HandoverError):  # what it would say, the next poll says too
            endpoint.refresh()
        return {}
