"""Is what the verdicts of a run say still what lies there? Looked at before the run is reported.

A verdict is about a list as it was read. Until the run's last verdict is recorded a failover may have lost the list, a
server may have evicted it, or its producer may have written it again: then the next signal brings another verdict, and
a report now would be false.
Verdicts and the record of the run are held against each other too, since each came by a signal that anybody may send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

from server_b.report.judgement import StandingRun, has_all, judged
from server_b.report.kept_verdicts import KeptVerdicts
from server_b.segment.look import RECORD_FIELDS, decode_record
from shared.endpoint.endpoint import Endpoint, milliseconds
from shared.endpoint.many import ask_many
from shared.endpoint.recorded import decode_verdicts, read_verdicts
from shared.endpoint.together import PORTION_KEYS, Together
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.state import SegmentState
from shared.verdict import SegmentVerdict

Passing = Callable[[], None]
_FIRST = 100  # verdicts that are asked for where nothing tells how many there are


def nothing() -> None:
    """Do nothing between two portions."""


def read_standing(
    endpoint: Endpoint, keys: Keyspace, run_id: str, *, segments: int = 0, passing: Passing = nothing
) -> StandingRun:
    """Return a run's verdicts, as recorded, and its record, held against each other and against the states.

    With `segments`, what its signals say, it takes one round trip where they are fewer than a thousand; else two for
    each thousand segments, and no other for a run that is not complete. Of a key of another type nothing is taken.
    A result may be somebody else's, of any size: no more of it is read than is asked for by the segments' numbers.
    `passing` is called between two portions; what it raises ends the look.

    Redis: HLEN of the result and HMGET of its first 100 fields or as many as there are segments, then of 1,000; HMGET
    of the record and of each state, LLEN of each list, TIME.
    """
    result_key, run_key = keys.result(run_id), keys.run(run_id)
    first = range(1, min(max(segments, _FIRST), PORTION_KEYS) + 1)
    asked = Together(endpoint)
    asked.at(result_key).hlen(result_key)
    asked.at(result_key).hmget(result_key, list(map(str, first)))
    asked.at(run_key).hmget(run_key, RECORD_FIELDS)
    ahead = range(1, segments + 2) if 0 < segments < PORTION_KEYS else range(0)
    _ask_states(asked, keys, ahead)
    fields, result, values, *replies = _without_wrong_types(asked.send(raise_on_error=False))
    recorded = int(fields or 0)
    verdicts = decode_verdicts(first, result) if result is not None else {}
    if len(verdicts) == len(first):
        verdicts = _with_further(endpoint, keys, run_id, verdicts, recorded=recorded, passing=passing)
    record = decode_record(run_key, values, run_id=run_id) if values is not None else None
    if not has_all(verdicts):
        return StandingRun(verdicts, record, recorded=recorded)
    if len(ahead) == len(verdicts) + 1:
        return judged(run_id, verdicts, record, *_decoded(keys, ahead, replies))
    return held_against_states(endpoint, keys, run_id, verdicts, record, passing=passing)


def _with_further(
    endpoint: Endpoint,
    keys: Keyspace,
    run_id: str,
    first: dict[int, SegmentVerdict],
    *,
    recorded: int,
    passing: Passing,
) -> dict[int, SegmentVerdict]:
    """Return a run's first verdicts with those behind them, as long as they may be all. Redis: HMGET of 1,000."""
    kept = KeptVerdicts()
    kept.add(first)
    while len(kept.verdicts) < kept.segments <= recorded:
        passing()
        begin = len(kept.verdicts) + 1
        numbers = range(begin, min(kept.segments, begin + PORTION_KEYS - 1) + 1)
        found = read_verdicts(endpoint, keys, run_id, numbers)
        kept.add(found)
        if len(found) < len(numbers):
            break
    return kept.verdicts


def held_against_states(
    endpoint: Endpoint,
    keys: Keyspace,
    run_id: str,
    verdicts: dict[int, SegmentVerdict],
    record: RunRecord | None,
    *,
    passing: Passing = nothing,
) -> StandingRun:
    """Return the run as `judged` does, with what is there now. Redis: HMGET and LLEN of 1,000 a round trip."""
    numbers = range(1, len(verdicts) + 2)
    asked = Together(endpoint)
    _ask_states(asked, keys, numbers[:PORTION_KEYS])
    now, *replies = _without_wrong_types(asked.send(raise_on_error=False))
    states, cut = _decoded(keys, numbers[:PORTION_KEYS], [now, *replies])
    for start in range(PORTION_KEYS, len(numbers), PORTION_KEYS):
        passing()
        portion = numbers[start : start + PORTION_KEYS]
        found, found_cut = _decoded(keys, portion, [now, *_many_states(endpoint, keys, portion)])
        states |= {number: _of_one(state, verdicts.get(number)) for number, state in found.items()}
        cut |= found_cut
    return judged(run_id, verdicts, record, states, cut)


def _many_states(endpoint: Endpoint, keys: Keyspace, numbers: Iterable[int]) -> list[Any]:
    """Return what `_ask_states` asks but for the time, at a third of the cost where no key is of another type."""
    names = [keys.segment(number) for number in numbers]
    looks = [(("HMGET", keys.state(name), *SegmentState.FIELDS), ("LLEN", name)) for name in names]
    try:
        return ask_many(endpoint, list(chain.from_iterable(looks)))
    except WrongKeyError:
        asked = Together(endpoint)
        _ask_states(asked, keys, numbers)
        return _without_wrong_types(asked.send(raise_on_error=False))[1:]


def _of_one(state: SegmentState | None, verdict: SegmentVerdict | None) -> SegmentState | None:
    """Return a state with the verdict's own texts where they are the same: there may be 100,000 of both."""
    if state is None or verdict is None or (state.attempt, state.digest) != (verdict.attempt, verdict.digest):
        return state
    return replace(state, attempt=verdict.attempt, digest=verdict.digest)


def _ask_states(asked: Together, keys: Keyspace, numbers: Iterable[int]) -> None:
    asked.at(keys.signals()).time()
    for number in numbers:
        key = keys.state(keys.segment(number))
        asked.at(key).hmget(key, SegmentState.FIELDS)
        asked.at(key).llen(keys.segment(number))


def _decoded(
    keys: Keyspace, numbers: Iterable[int], replies: list[Any]
) -> tuple[dict[int, SegmentState | None], set[int]]:
    """Return what the replies to `_ask_states` say: states, None for one that is not ours, and whose list is cut."""
    now, *found = replies
    states: dict[int, SegmentState | None] = {}
    cut: set[int] = set()
    for number, values, length in zip(numbers, found[::2], found[1::2], strict=True):
        try:
            key, server_ms = keys.state(keys.segment(number)), milliseconds(now)
            states[number] = SegmentState.decode(key, values, server_ms=server_ms) if values else None
        except WrongKeyError:
            states[number] = None
        state = states[number]
        if state is not None and state.count != length:
            cut.add(number)
    return states, cut


def _without_wrong_types(replies: list[Any]) -> list[Any]:
    """Return the replies, None for a key of another type; raise the first other error among them."""
    for reply in replies:
        if isinstance(reply, Exception) and not isinstance(reply, WrongKeyError):
            raise reply
    return [None if isinstance(reply, WrongKeyError) else reply for reply in replies]
