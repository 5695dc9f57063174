"""Reads runs for `status`, by portions: a run may have 100,000 segments, and each verdict may be some kilobytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.many import ask_many
from shared.endpoint.published import read_state
from shared.endpoint.recorded import read_verdicts
from shared.endpoint.together import PORTION_KEYS, Together
from shared.errors import InvalidInputError, WrongKeyError
from shared.keys import Keyspace
from shared.ownership import require_our_record
from shared.program.verdict_file import LocalVerdicts
from shared.record import RunRecord
from shared.state import SegmentState
from shared.status.facts import PENDING, UNKNOWN, RunStatus, SegmentFacts
from shared.status.findings import Verdicts
from shared.status.signal_reading import with_signals
from shared.verdict import SegmentVerdict

MAX_OLDER_VERDICTS = 10_000  # of all runs but the newest together
_FIELDS = (*RunRecord.FIELDS, "published", "finished_ms")


def read_runs(
    endpoint: Endpoint, keys: Keyspace, signalled: Mapping[str, int], local: LocalVerdicts
) -> list[RunStatus]:
    """Return what records say of these runs, given with the segments that signals name; verdicts are not read yet.

    Where a follower on this host has verdicts that are not recorded, its own count.

    Redis: HMGET of each record and HLEN of each result, in one round trip.
    """
    asked = Together(endpoint)
    for run_id in signalled:
        asked.at(keys.run(run_id)).hmget(keys.run(run_id), _FIELDS)
        asked.at(keys.result(run_id)).hlen(keys.result(run_id))
    replies = asked.send()
    return [
        _run_status(
            keys, run_id, segments, dict(zip(_FIELDS, values, strict=True)), max(verdicts, len(local.get(run_id, ())))
        )
        for (run_id, segments), values, verdicts in zip(signalled.items(), replies[::2], replies[1::2], strict=True)
    ]


def _run_status(
    keys: Keyspace, run_id: str, segments: int, values: dict[str, bytes | None], verdicts: int
) -> RunStatus:
    fields = {name.encode(): value for name, value in values.items() if value is not None}
    record = None
    with suppress(InvalidInputError):  # it has expired, was not replicated here yet, or is another run's
        found = RunRecord.decode(keys.run(run_id), fields)
        require_our_record(keys.run(run_id), run_id, found.run_id)
        record = found
    return RunStatus(
        run_id=run_id,
        has_record=record is not None,
        count=record.count if record is not None else 0,
        segments=record.segments if record is not None else segments,
        published=min(_number(fields.get(b"published")), record.segments if record is not None else 0),
        is_finished=record is not None and _number(fields.get(b"finished_ms")) > 0,
        verdicts=verdicts,
        verdict=PENDING if record is not None or verdicts else UNKNOWN,
        reason="",
    )


def _number(raw: bytes | None) -> int:
    """Return a number of a record; 0 where it is missing or malformed."""
    return int(raw) if raw is not None and re.fullmatch(rb"[0-9]{1,18}", raw) else 0


def read_older_verdicts(
    endpoint: Endpoint, keys: Keyspace, runs: Iterable[RunStatus], local: LocalVerdicts
) -> Iterator[RunStatus]:
    """Yield runs with the verdicts that are recorded; where those are too many for a list of runs, they are not read.

    Redis: HMGET of 1,000 verdicts a round trip, 10,000 in all.
    """
    left = MAX_OLDER_VERDICTS
    for run in runs:
        if not run.verdicts:
            yield run
        elif run.segments > left:
            yield replace(run, verdict=UNKNOWN, reason=f"its {run.verdicts:,} verdicts were not read")
        else:
            left -= run.segments
            verdicts, number = Verdicts(), 0
            for portion in _portions(run):
                for found in _verdicts(endpoint, keys, run, portion, local).values():
                    verdicts.add(found)
                    number += 1
            verdict, reason = verdicts.judged(run.segments)
            if number < run.verdicts:
                verdict, reason = PENDING, foreign_verdicts(keys.result(run.run_id))
            yield replace(run, verdicts=number, verdict=verdict, reason=reason)


def foreign_verdicts(result_key: str) -> str:
    """Return the reason of a run whose result has more fields than verdicts of ours."""
    return f"{result_key} holds what is no verdict on a run of this size, so it is somebody else's"


def segments_of_newest(
    endpoint: Endpoint,
    keys: Keyspace,
    run: RunStatus,
    local: LocalVerdicts,
    *,
    server_ms: int,
    passed: Callable[[int], None],
) -> Iterator[SegmentFacts]:
    """Yield the segments of the newest run; see `read_segments`. `passed` is called with how many are read."""
    for portion in _portions(run):
        passed(len(portion))
        yield from read_segments(endpoint, keys, run, portion, local, server_ms=server_ms)


def segment_beyond(endpoint: Endpoint, keys: Keyspace, run: RunStatus) -> str:
    """Return the segment after a run's last that its signals speak of and that is its too; empty where there is none.

    Only of a run without a record, which would say how many segments it has. Redis: HMGET.
    """
    if run.has_record:
        return ""
    name = keys.segment(run.segments + 1)
    with suppress(WrongKeyError):  # it is somebody else's
        state = read_state(endpoint, keys, name)
        return name if state is not None and state.count and state.run_id == run.run_id else ""
    return ""


def read_segments(
    endpoint: Endpoint,
    keys: Keyspace,
    run: RunStatus,
    numbers: Sequence[int],
    local: LocalVerdicts,
    *,
    server_ms: int,
) -> list[SegmentFacts]:
    """Return these segments of a run, a thousand at most; `server_ms` is the server's clock.

    Verdicts are read before states: a segment that is written again in between has no verdict that counts, as is true.

    Redis: HMGET of the verdicts; then HMGET of each state and LLEN of each list in one round trip, and for a finished
    run what `with_signals` asks.
    """
    verdicts = _verdicts(endpoint, keys, run, numbers, local) if run.verdicts else {}
    names = list(map(keys.segment, numbers))
    replies = ask_many(endpoint, [command for name in names for command in _looks(keys, name)])
    facts = []
    for number, name, values, length in zip(numbers, names, replies[::2], replies[1::2], strict=True):
        state = SegmentState.decode(keys.state(name), values, server_ms=server_ms)
        facts.append(SegmentFacts(number, name, state, length, verdicts.get(number)))
    facts = _looked_again(endpoint, keys, facts, server_ms)
    return with_signals(endpoint, keys, run, facts) if run.is_finished else facts


def _looked_again(endpoint: Endpoint, keys: Keyspace, facts: list[SegmentFacts], server_ms: int) -> list[SegmentFacts]:
    """Return the segments; those whose list has another length than its state says, as a second look finds them.

    State and list are not read in one transaction: a segment that is published between the two is no damaged one.

    Redis: HMGET and LLEN of each of those, in one round trip; nothing where there is none.
    """
    odd = [each for each in facts if each.state is not None and each.length != each.state.count]
    replies = ask_many(endpoint, [command for each in odd for command in _looks(keys, each.name)])
    again = {
        each.number: replace(
            each, state=SegmentState.decode(keys.state(each.name), values, server_ms=server_ms), length=length
        )
        for each, values, length in zip(odd, replies[::2], replies[1::2], strict=True)
    }
    return [again.get(each.number, each) for each in facts]


def _looks(keys: Keyspace, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    state_key = keys.state(name)
    return ("HMGET", state_key, *SegmentState.FIELDS), ("LLEN", name)


def _portions(run: RunStatus) -> Iterator[range]:
    for first in range(1, run.segments + 1, PORTION_KEYS):
        yield range(first, min(first + PORTION_KEYS, run.segments + 1))


def _verdicts(
    endpoint: Endpoint, keys: Keyspace, run: RunStatus, numbers: Sequence[int], local: LocalVerdicts
) -> dict[int, SegmentVerdict]:
    """Return the verdicts on these segments; none that were made on a run of another size. Redis: HMGET."""
    verdicts = read_verdicts(endpoint, keys, run.run_id, numbers)
    ours = local.get(run.run_id, {})
    for number in numbers if ours else ():
        found = ours.get(number)
        if found is not None and (number not in verdicts or verdicts[number].attempt < found.attempt):
            verdicts[number] = found
    return {number: found for number, found in verdicts.items() if found.segments == run.segments}
