"""Reads what `status` shows: runs, segments, the group, dead letters.

Runs are found in the stream, newest first. One without a signal yet is named by the state of its first segment, once
it has published that; before, only a scan for its record finds it. That reads every key, so it is for server-a alone,
which resumes runs, and it ends after two seconds. A key that names the run begun last was rejected: it would be one
more among those that people look through by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import Together, ask_each
from shared.errors import InvalidInputError, NotAllowedError, WrongEndpointError, WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.signal import CONSUMER_GROUP, Signal
from shared.state import SegmentState
from shared.status.facts import PENDING, UNKNOWN, Facts, GroupStatus, RunStatus, SegmentSight
from shared.tokens import is_token
from shared.verdict import decode_result, is_complete, run_reason, run_verdict

MAX_RUNS = 10
MAX_PAGES = 20
PAGE_ENTRIES = 1_000
SCAN_S = 2.0
MAX_UNKNOWN = 2  # named by a first state, with neither record nor signal


def read_facts(endpoint: Endpoint, keys: Keyspace, *, is_scanned: bool) -> Facts:
    """Look at everything, at one moment after the other.

    Args:
        endpoint: Where.
        keys: The namespace.
        is_scanned: Whether runs without a signal are looked for among all keys.

    Redis:
        SCAN for at most 2 seconds a server; HMGET of a state; XREVRANGE COUNT 1000, at most 20 times; HGETALL of at
        most 12 runs and results; HMGET and LLEN for each segment of the newest run; XINFO GROUPS and CONSUMERS;
        XREVRANGE COUNT 1 if the lag is unknown; XLEN.
    """
    first_runs = _first_runs(endpoint, keys)  # before the runs: a run's record is there before its first state
    begun = _begun_runs(endpoint, keys) if is_scanned else []
    runs = _newest_runs(endpoint, keys, found=[*first_runs.values(), *begun])
    group = _group_status(endpoint, keys)
    dead_letters = int(endpoint.at(keys.dead_letters()).xlen(keys.dead_letters()))
    is_at_rest = bool(runs) and (runs[0].is_finished or not runs[0].has_record)
    segments = _segments(endpoint, keys, runs[0]) if is_at_rest else []
    return Facts(runs, first_runs, group, segments, dead_letters)


def _first_runs(endpoint: Endpoint, keys: Keyspace) -> dict[str, str]:
    """Return which run the segment is of that every run publishes first, without a state that is not ours."""
    names = [keys.segment(1)]
    found = {}
    for name, reply in _raw_states(endpoint, keys, names, skip_wrong_type=True):
        with suppress(WrongKeyError):
            state = SegmentState.decode(name, reply)
            if state is not None and state.count:
                found[name] = state.run_id
    return found


def _begun_runs(endpoint: Endpoint, keys: Keyspace) -> list[str]:
    """Return the runs whose records a scan comes upon, the newest ten."""
    run_ids = set()
    with suppress(NotAllowedError, WrongEndpointError):  # without the right to scan the rest is shown all the same
        for raw in endpoint.scan(keys.runs_pattern(), limit_s=SCAN_S):
            key = raw.decode("utf-8", "backslashreplace")
            if keys.kind_of(key) == "run":
                run_ids.add(key.removeprefix(keys.run("")))
    return sorted(run_ids, reverse=True)[:MAX_RUNS]


def _newest_runs(endpoint: Endpoint, keys: Keyspace, *, found: Iterable[str]) -> list[RunStatus]:
    """Return the newest runs, the newest first: those that were signalled, and those found otherwise."""
    segments = {signal.run_id: signal.segments for signal in _newest_signals(endpoint, keys)}
    for run_id in filter(is_token, found):
        segments.setdefault(run_id, 0)
    newest = sorted(segments, reverse=True)[: MAX_RUNS + MAX_UNKNOWN]
    runs = [_run_status(endpoint, keys, run_id, segments[run_id]) for run_id in newest]
    return [run for run in runs if run.segments][:MAX_RUNS]  # without any: not signalled, and its record is gone


def _newest_signals(endpoint: Endpoint, keys: Keyspace) -> list[Signal]:
    """Return one signal of each of the newest runs, the newest run first."""
    found: dict[str, Signal] = {}
    end = "+"
    for _ in range(MAX_PAGES):
        page = cast("list[Any]", endpoint.at(keys.signals()).xrevrange(keys.signals(), max=end, count=PAGE_ENTRIES))
        for _entry_id, fields in page:
            with suppress(InvalidInputError):  # a dead letter says so
                signal = Signal.decode(fields)
                found.setdefault(signal.run_id, signal)
        if len(page) < PAGE_ENTRIES or len(found) > MAX_RUNS:
            break
        end = "(" + page[-1][0].decode()
    return [found[run_id] for run_id in sorted(found, reverse=True)][:MAX_RUNS]


def _run_status(endpoint: Endpoint, keys: Keyspace, run_id: str, signalled_segments: int) -> RunStatus:
    run_key, result_key = keys.run(run_id), keys.result(run_id)
    asked = Together(endpoint)
    asked.at(run_key).hgetall(run_key)
    asked.at(result_key).hgetall(result_key)
    fields, result = asked.send()
    verdicts = decode_result(result)
    record = None
    with suppress(InvalidInputError):  # its time to live is over, or it has not come here yet
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
    """Return a number of a record; 0 where it is missing or somebody else's."""
    return int(raw) if raw is not None and re.fullmatch(rb"[0-9]{1,18}", raw) else 0


def _group_status(endpoint: Endpoint, keys: Keyspace) -> GroupStatus:
    """Return the group's figures; a stream without the group has all its entries before it.

    A server that has seen an XDEL in the part not delivered yet does not know the lag; any entry behind the last
    delivered one is asked for then.
    """
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
    has_undelivered = bool(client.xrevrange(stream, min=after, count=1) if lag is None else lag)
    consumers = client.xinfo_consumers(stream, CONSUMER_GROUP)
    return GroupStatus(
        is_there=True,
        lag=lag,
        has_undelivered=has_undelivered,
        pending=ours["pending"],
        consumers=[
            {
                "name": consumer["name"].decode("utf-8", "backslashreplace"),
                "pending": consumer["pending"],
                "idle_ms": consumer["idle"],
            }
            for consumer in consumers
        ],
    )


def _segments(endpoint: Endpoint, keys: Keyspace, run: RunStatus) -> list[SegmentSight]:
    """Return each segment of a run as it is now."""
    names = [keys.segment(number) for number in range(1, run.segments + 1)]
    states = {name: SegmentState.decode(keys.state(name), reply) for name, reply in _raw_states(endpoint, keys, names)}
    lengths = dict(ask_each(endpoint, names, lambda pipeline, name: pipeline.llen(name)))
    return [SegmentSight(name, states[name], lengths[name]) for name in names]


def _raw_states(
    endpoint: Endpoint, keys: Keyspace, names: list[str], *, skip_wrong_type: bool = False
) -> Iterator[tuple[str, list[bytes | None]]]:
    """Yield these segments' names and what the server has of their states."""
    name_of_state = {keys.state(name): name for name in names}
    fields = list(SegmentState.FIELDS)
    states = ask_each(
        endpoint, name_of_state, lambda pipeline, key: pipeline.hmget(key, fields), skip_wrong_type=skip_wrong_type
    )
    for key, reply in states:
        yield name_of_state[key], reply
