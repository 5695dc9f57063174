"""Reads what `status` shows: runs, segments, the group, dead letters.

Runs are found in the stream. A run without a signal yet is named by the state of its first segment, once that is
published; before, only a scan for its record finds it. A scan reads every key, so only server-a, which resumes runs,
does one, and it ends after two seconds. A key that names the newest run was rejected: people who look through the keys
by hand would meet one more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import read_state, read_states, signals_in
from shared.endpoint.together import Together, ask_each
from shared.errors import InvalidInputError, NotAllowedError, WrongEndpointError, WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.signal import CONSUMER_GROUP
from shared.status.facts import PENDING, UNKNOWN, Facts, GroupStatus, RunStatus, SegmentFacts
from shared.text import stored_text
from shared.tokens import is_token
from shared.verdict import decode_result, is_complete, run_reason, run_verdict

MAX_RUNS = 10
MAX_PAGES = 20
PAGE_ENTRIES = 1_000
SCAN_S = 2.0
MAX_UNKNOWN = 2  # runs that only a state names, with neither record nor signal


def read_facts(endpoint: Endpoint, keys: Keyspace, *, is_scanned: bool) -> Facts:
    """Read everything, one thing after the other; `is_scanned` looks for runs without a signal among all keys.

    Redis: SCAN for at most 2 seconds a server; HMGET of a state; XREVRANGE COUNT 1000, at most 20 times; HGETALL of at
    most 12 runs and results; HMGET and LLEN for each segment of the newest run; XINFO GROUPS and CONSUMERS; XREVRANGE
    COUNT 1 if the lag is unknown; XLEN.
    """
    first_run = _first_run(endpoint, keys)  # before the runs: a run writes its record before its first state
    begun = _begun_runs(endpoint, keys) if is_scanned else []
    runs = _newest_runs(endpoint, keys, found=[first_run, *begun])
    group = _group_status(endpoint, keys)
    dead_letters = int(endpoint.at(keys.dead_letters()).xlen(keys.dead_letters()))
    is_at_rest = bool(runs) and (runs[0].is_finished or not runs[0].has_record)
    segments = _segments(endpoint, keys, runs[0]) if is_at_rest else []
    return Facts(runs, keys.segment(1), first_run, group, segments, dead_letters)


def _first_run(endpoint: Endpoint, keys: Keyspace) -> str:
    """Return the run that segment 1's state names; empty without a state of ours."""
    with suppress(WrongKeyError):
        state = read_state(endpoint, keys, keys.segment(1))
        return state.run_id if state is not None and state.count else ""
    return ""


def _begun_runs(endpoint: Endpoint, keys: Keyspace) -> list[str]:
    """Return the newest ten runs whose records a scan finds."""
    run_ids = set()
    with suppress(NotAllowedError, WrongEndpointError):  # without the permission to scan, show the rest
        for raw in endpoint.scan(keys.run("*"), limit_s=SCAN_S):
            key = stored_text(raw)
            if keys.kind_of(key) == "run":
                run_ids.add(key.removeprefix(keys.run("")))
    return sorted(run_ids, reverse=True)[:MAX_RUNS]


def _newest_runs(endpoint: Endpoint, keys: Keyspace, *, found: Iterable[str]) -> list[RunStatus]:
    """Return the newest runs, newest first: those with a signal, and those found otherwise."""
    segments: dict[str, int] = {}
    end = "+"
    for _ in range(MAX_PAGES):
        page = cast("list[Any]", endpoint.at(keys.signals()).xrevrange(keys.signals(), max=end, count=PAGE_ENTRIES))
        for signal in signals_in(page):
            segments.setdefault(signal.run_id, signal.segments)
        if len(page) < PAGE_ENTRIES or len(segments) > MAX_RUNS:
            break
        end = "(" + page[-1][0].decode()
    for run_id in filter(is_token, found):
        segments.setdefault(run_id, 0)
    newest = sorted(segments, reverse=True)[: MAX_RUNS + MAX_UNKNOWN]
    runs = [_run_status(endpoint, keys, run_id, segments[run_id]) for run_id in newest]
    return [run for run in runs if run.segments][:MAX_RUNS]  # 0: no signal, and no record any more


def _run_status(endpoint: Endpoint, keys: Keyspace, run_id: str, signalled_segments: int) -> RunStatus:
    run_key, result_key = keys.run(run_id), keys.result(run_id)
    asked = Together(endpoint)
    asked.at(run_key).hgetall(run_key)
    asked.at(result_key).hgetall(result_key)
    fields, result = asked.send()
    verdicts = decode_result(result)
    record = None
    with suppress(InvalidInputError):  # it has expired, or was not replicated here yet
        record = RunRecord.decode(run_key, fields)
    segments = record.segments if record is not None else signalled_segments
    ours = {number: verdict for number, verdict in verdicts.items() if verdict.segments == segments}
    is_judged = is_complete(verdicts) and len(ours) == segments
    reason = run_reason(verdicts) if is_judged else ""
    if len(ours) < len(verdicts):
        reason = f"{result_key} holds verdicts on a run of another size, which are somebody else's"
    return RunStatus(
        run_id=run_id,
        has_record=record is not None,
        count=record.count if record is not None else 0,
        segments=segments,
        published=_number(fields.get(b"published")),
        is_finished=record is not None and _number(fields.get(b"finished_ms")) > 0,
        verdicts=len(ours),
        verdict=run_verdict(verdicts) if is_judged else PENDING if record is not None or verdicts else UNKNOWN,
        reason=reason,
    )


def _number(raw: bytes | None) -> int:
    """Return a number of a record; 0 where it is missing or malformed."""
    return int(raw) if raw is not None and re.fullmatch(rb"[0-9]{1,18}", raw) else 0


def _group_status(endpoint: Endpoint, keys: Keyspace) -> GroupStatus:
    """Return the group's figures; without the group every entry of the stream counts as undelivered."""
    stream = keys.signals()
    client = endpoint.at(stream)
    if not client.exists(stream):
        return GroupStatus()
    groups = client.xinfo_groups(stream)
    ours = next((group for group in groups if group["name"] == CONSUMER_GROUP.encode()), None)
    if ours is None:
        entries = int(client.xlen(stream))
        return GroupStatus(lag=entries, has_undelivered=entries > 0)
    lag: int | None = ours.get("lag")
    after = "(" + ours["last-delivered-id"].decode()
    # after an XDEL among the undelivered entries the server does not know the lag
    has_undelivered = bool(client.xrevrange(stream, min=after, count=1) if lag is None else lag)
    consumers = client.xinfo_consumers(stream, CONSUMER_GROUP)
    return GroupStatus(
        is_there=True,
        lag=lag,
        has_undelivered=has_undelivered,
        pending=ours["pending"],
        consumers=[
            {"name": stored_text(consumer["name"]), "pending": consumer["pending"], "idle_ms": consumer["idle"]}
            for consumer in consumers
        ],
    )


def _segments(endpoint: Endpoint, keys: Keyspace, run: RunStatus) -> list[SegmentFacts]:
    names = [keys.segment(number) for number in range(1, run.segments + 1)]
    states = [state for _, state in read_states(endpoint, map(keys.state, names))]
    lengths = [length for _, length in ask_each(endpoint, names, lambda pipeline, name: pipeline.llen(name))]
    return [SegmentFacts(*facts) for facts in zip(names, states, lengths, strict=True)]
