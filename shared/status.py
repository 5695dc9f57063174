"""The state of a hand-over as both `status` commands show it: runs, segments, verdicts, the group, dead letters.

Only the newest run is judged: an older one was replaced, whatever became of it. Runs are found in the stream, newest
first, and the one begun last by a key of its own, since it may have no signal yet. Scanning for the keys of runs was
rejected: it would read every key of a large database.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.endpoint.client import Endpoint
from shared.endpoint.pipelined import Command, run_pipelined
from shared.errors import InvalidInputError, NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.run_signal import CONSUMER_GROUP, RunRecord, SegmentState, Signal
from shared.tokens import is_token
from shared.verdict import FAILED, decode_result, is_complete, run_reason, run_verdict

MAX_RUNS = 10
MAX_PAGES = 20
PAGE_ENTRIES = 1_000


@dataclass(frozen=True)
class RunStatus:
    """One run.

    Attributes:
        published: Segments published so far.
        verdict: Of the whole run; `pending` until every segment has one.
        verdicts: Segments with a verdict.
    """

    run_id: str
    count: int
    segments: int
    published: int
    is_finished: bool
    verdicts: int
    verdict: str
    reason: str


@dataclass(frozen=True)
class GroupStatus:
    """The consumer group.

    Attributes:
        lag: Entries not delivered to any consumer yet; None where the server can't tell.
        pending: Entries delivered and not acknowledged.
        consumers: name, pending and idle_ms of each consumer name.
    """

    lag: int | None = 0
    pending: int = 0
    consumers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Status:
    """Everything that is shown.

    Attributes:
        runs: The newest first, at most 10.
        troubles: What is wrong, as sentences; empty when nothing is.
        exit_code: 0 when nothing is wrong, 65 when data or entries are, 75 when something is not finished.
    """

    endpoint: str
    namespace: str
    runs: list[RunStatus]
    group: GroupStatus
    dead_letters: int
    troubles: list[str]
    exit_code: int

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return asdict(self)


def read_status(endpoint: Endpoint, keys: Keyspace) -> Status:
    """Look at everything, at one moment after the other.

    Redis:
        XREVRANGE COUNT 1000, at most 20 times; HGET of the run begun last; HGETALL of at most 10 runs and results;
        HMGET and LLEN for each segment of the newest run; XINFO GROUPS and CONSUMERS; XLEN.
    """
    runs = _newest_runs(endpoint, keys)
    group = _group_status(endpoint, keys)
    with endpoint.wire(keys.dead_letters()) as wire:
        dead_letters = int(wire.call("XLEN", keys.dead_letters()))
    wrong = _wrong_segments(endpoint, keys, runs[0]) if runs else []
    if runs and runs[0].verdict == FAILED:
        wrong.append(f"run {runs[0].run_id} failed: {runs[0].reason}")
    if dead_letters:
        wrong.append(f"{dead_letters} dead letters; see server-b dead list")
    unfinished = _unfinished(runs, group)
    code = VerificationFailedError.exit_code if wrong else NotFinishedError.exit_code if unfinished else 0
    return Status(endpoint.name, keys.namespace, runs, group, dead_letters, wrong + unfinished, code)


def _newest_runs(endpoint: Endpoint, keys: Keyspace) -> list[RunStatus]:
    """Return the newest runs, the newest first: those that were signalled, and the one begun last."""
    segments = {signal.run_id: signal.segments for signal in _newest_signals(endpoint, keys)}
    with endpoint.wire(keys.newest_run()) as wire:
        begun = (wire.call("HGET", keys.newest_run(), "run_id") or b"").decode("ascii", "backslashreplace")
    if is_token(begun):
        segments.setdefault(begun, 0)
    runs = [_run_status(endpoint, keys, run_id, segments[run_id]) for run_id in sorted(segments, reverse=True)]
    return [run for run in runs if run.segments][:MAX_RUNS]  # without any: not signalled, and its record is gone


def _newest_signals(endpoint: Endpoint, keys: Keyspace) -> list[Signal]:
    """Return one signal of each of the newest runs, the newest run first."""
    found: dict[str, Signal] = {}
    end = "+"
    with endpoint.wire(keys.signals()) as wire:
        for _ in range(MAX_PAGES):
            page = wire.call("XREVRANGE", keys.signals(), end, "-", "COUNT", PAGE_ENTRIES)
            for _entry_id, fields in page:
                try:
                    signal = Signal.decode(dict(zip(fields[::2], fields[1::2], strict=True)))
                except InvalidInputError:
                    continue  # a dead letter says so
                found.setdefault(signal.run_id, signal)
            if len(page) < PAGE_ENTRIES or len(found) > MAX_RUNS:
                break
            end = "(" + page[-1][0].decode()
    return [found[run_id] for run_id in sorted(found, reverse=True)][:MAX_RUNS]


def _run_status(endpoint: Endpoint, keys: Keyspace, run_id: str, signalled_segments: int) -> RunStatus:
    run_key, result_key = keys.run(run_id), keys.result(run_id)
    with endpoint.wire(run_key) as wire:
        fields = _pairs(wire.call("HGETALL", run_key))
    with endpoint.wire(result_key) as wire:
        verdicts = decode_result(_pairs(wire.call("HGETALL", result_key)))
    count, segments = 0, signalled_segments
    with suppress(InvalidInputError):  # its time to live is over, or it has not come here yet
        record = RunRecord.decode(run_key, fields)
        count, segments = record.count, record.segments
    has_verdict = is_complete(verdicts)
    return RunStatus(
        run_id=run_id,
        count=count,
        segments=segments,
        published=int(fields.get(b"published", b"0")),
        is_finished=fields.get(b"finished_ms", b"0") != b"0",
        verdicts=len(verdicts),
        verdict=run_verdict(verdicts) if has_verdict else "pending",
        reason=run_reason(verdicts) if has_verdict else "",
    )


def _group_status(endpoint: Endpoint, keys: Keyspace) -> GroupStatus:
    """Return the group's figures; a stream without the group has all its entries before it."""
    stream = keys.signals()
    with endpoint.wire(stream) as wire:
        if not wire.call("EXISTS", stream):
            return GroupStatus()
        groups = [_pairs(group) for group in wire.call("XINFO", "GROUPS", stream)]
        ours = next((group for group in groups if group[b"name"] == CONSUMER_GROUP.encode()), None)
        if ours is None:
            return GroupStatus(lag=int(wire.call("XLEN", stream)))
        consumers = [_pairs(consumer) for consumer in wire.call("XINFO", "CONSUMERS", stream, CONSUMER_GROUP)]
    return GroupStatus(
        lag=ours.get(b"lag"),
        pending=ours[b"pending"],
        consumers=[
            {
                "name": consumer[b"name"].decode("utf-8", "backslashreplace"),
                "pending": consumer[b"pending"],
                "idle_ms": consumer[b"idle"],
            }
            for consumer in consumers
        ],
    )


def _wrong_segments(endpoint: Endpoint, keys: Keyspace, run: RunStatus) -> list[str]:
    """Return what is wrong with the lists of a run that is finished."""
    if not run.is_finished:
        return []
    names = [keys.segment(number, run.segments) for number in range(1, run.segments + 1)]
    name_of_state = {keys.state(name): name for name in names}
    commands: list[Command] = [("HMGET", state, *SegmentState.FIELDS) for state in name_of_state]
    commands += [("LLEN", name) for name in names]
    states: dict[str, SegmentState | None] = {}
    lengths: dict[str, int] = {}
    for command, reply in run_pipelined(endpoint, commands):
        key = str(command[1])
        if command[0] == "LLEN":
            lengths[key] = reply
        else:
            states[name_of_state[key]] = SegmentState.decode(key, reply)
    wrong = []
    for name in names:
        state = states[name]
        if state is None or state.run_id < run.run_id:
            wrong.append(f"{name} is not that of run {run.run_id}")
        elif lengths[name] != state.count:
            wrong.append(f"{name} has {lengths[name]:,} values where its state says {state.count:,}")
    return wrong


def _unfinished(runs: list[RunStatus], group: GroupStatus) -> list[str]:
    found = []
    if runs and not runs[0].is_finished:
        run = runs[0]
        found.append(
            f"run {run.run_id} has published {run.published} of {run.segments} segments and is not finished; if it was "
            f"stopped, go on with: server-a run --resume {run.run_id}"
        )
    if runs and runs[0].verdict == "pending":
        found.append(f"run {runs[0].run_id} has verdicts on {runs[0].verdicts} of {runs[0].segments} segments")
    if group.lag:
        found.append(f"{group.lag} signals not delivered to a server-b yet")
    if group.pending:
        found.append(f"{group.pending} signals delivered and not acknowledged")
    return found


def _pairs(reply: list[Any]) -> dict[bytes, Any]:
    return dict(zip(reply[::2], reply[1::2], strict=True))
