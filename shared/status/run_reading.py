"""Reads runs for `status`, by portions: a run may have 100,000 segments, and each verdict may be some kilobytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import PORTION_KEYS, Together
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.program.verdict_file import LocalVerdicts
from shared.record import RunRecord, signal_field
from shared.signal import Signal
from shared.state import SegmentState
from shared.status.facts import PENDING, UNKNOWN, RunStatus, SegmentFacts
from shared.status.findings import Verdicts, is_counted
from shared.verdict import SegmentVerdict, decode_result

MAX_OLDER_VERDICTS = 10_000  # of all runs but the newest together
_FIELDS = ("schema_version", "run_id", "source", *RunRecord.NUMBERS, "published", "finished_ms")


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


def _run_status(keys: Keyspace, run_id: str, segments: int, found: dict[str, bytes | None], verdicts: int) -> RunStatus:
    fields = {name.encode(): value for name, value in found.items() if value is not None}
    record = None
    with suppress(InvalidInputError):  # it has expired, or was not replicated here yet
        record = RunRecord.decode(keys.run(run_id), fields)
    return RunStatus(
        run_id=run_id,
        has_record=record is not None,
        count=record.count if record is not None else 0,
        segments=record.segments if record is not None else segments,
        published=_number(fields.get(b"published")),
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
    return f"{result_key} holds verdicts on a run of another size, which are somebody else's"


def segments_of_newest(
    endpoint: Endpoint, keys: Keyspace, run: RunStatus, local: LocalVerdicts, *, server_ms: int
) -> Iterator[SegmentFacts]:
    """Yield the segments of the newest run; see `read_segments`."""
    for portion in _portions(run):
        yield from read_segments(endpoint, keys, run, portion, local, server_ms=server_ms)


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
    run what `_with_signals` asks.
    """
    verdicts = _verdicts(endpoint, keys, run, numbers, local) if run.verdicts else {}
    asked = Together(endpoint)
    for name in map(keys.segment, numbers):
        asked.at(keys.state(name)).hmget(keys.state(name), SegmentState.FIELDS)
        asked.at(name).llen(name)
    replies = asked.send()
    facts = []
    for number, values, length in zip(numbers, replies[::2], replies[1::2], strict=True):
        name = keys.segment(number)
        state = SegmentState.decode(keys.state(name), values, server_ms=server_ms)
        facts.append(SegmentFacts(number, name, state, length, verdicts.get(number)))
    return _with_signals(endpoint, keys, run, facts) if run.is_finished else facts


def _with_signals(endpoint: Endpoint, keys: Keyspace, run: RunStatus, facts: list[SegmentFacts]) -> list[SegmentFacts]:
    """Return the segments; those without a verdict that counts, with the signal that the record names.

    Redis: HMGET of the record, then XRANGE for each entry; two round trips, none where every verdict is there.
    """
    wanted = [segment.number for segment in facts if not is_counted(segment, run.run_id)]
    if not wanted:
        return facts
    run_key, stream = keys.run(run.run_id), keys.signals()
    noted: Any = endpoint.at(run_key).hmget(run_key, [signal_field(number) for number in wanted])
    ids = {number: _entry_id(raw) for number, raw in zip(wanted, noted, strict=True)}
    asked = Together(endpoint)
    known = [(number, entry_id) for number, entry_id in ids.items() if entry_id]
    for _, entry_id in known:
        asked.at(stream).xrange(stream, min=entry_id, max=entry_id)
    entries = {number: found for (number, _), found in zip(known, asked.send(), strict=True)}
    return [
        replace(
            segment,
            signal_id=ids.get(segment.number, ""),
            has_entry=bool(entries.get(segment.number)),
            signal=_signal(entries.get(segment.number, [])),
        )
        for segment in facts
    ]


def _entry_id(raw: bytes | None) -> str:
    return raw.decode() if raw is not None and re.fullmatch(rb"[0-9]{1,18}-[0-9]{1,18}", raw) else ""


def _signal(entries: list[Any]) -> Signal | None:
    for _, fields in entries:
        with suppress(InvalidInputError):
            return Signal.decode(fields)
    return None


def _portions(run: RunStatus) -> Iterator[range]:
    for first in range(1, run.segments + 1, PORTION_KEYS):
        yield range(first, min(first + PORTION_KEYS, run.segments + 1))


def _verdicts(
    endpoint: Endpoint, keys: Keyspace, run: RunStatus, numbers: Sequence[int], local: LocalVerdicts
) -> dict[int, SegmentVerdict]:
    """Return the verdicts on these segments; none that were made on a run of another size. Redis: HMGET."""
    key = keys.result(run.run_id)
    raw: Any = endpoint.at(key).hmget(key, [str(number) for number in numbers])
    fields = {b"%d" % number: value for number, value in zip(numbers, raw, strict=True) if value is not None}
    verdicts = decode_result(fields)
    ours = local.get(run.run_id, {})
    for number in numbers if ours else ():
        found = ours.get(number)
        if found is not None and (number not in verdicts or verdicts[number].attempt < found.attempt):
            verdicts[number] = found
    return {number: found for number, found in verdicts.items() if found.segments == run.segments}
