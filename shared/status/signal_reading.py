"""Reads the signals of segments that have no verdict which counts: they tell why it lacks."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.many import ask_many
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.record import signal_field
from shared.signal import Signal
from shared.status.facts import RunStatus, SegmentFacts
from shared.status.findings import is_counted


def with_signals(endpoint: Endpoint, keys: Keyspace, run: RunStatus, facts: list[SegmentFacts]) -> list[SegmentFacts]:
    """Return the segments; those without a verdict that counts, with the signal that the record names.

    Redis: HMGET of the record, then XRANGE for each entry; two round trips, none where every verdict is there.
    """
    wanted = [segment.number for segment in facts if not is_counted(segment, run.run_id)]
    if not wanted:
        return facts
    run_key, stream = keys.run(run.run_id), keys.signals()
    noted: Any = endpoint.at(run_key).hmget(run_key, [signal_field(number) for number in wanted])
    ids = {number: _entry_id(raw) for number, raw in zip(wanted, noted, strict=True)}
    known = [(number, entry_id) for number, entry_id in ids.items() if entry_id]
    replies = ask_many(endpoint, [("XRANGE", stream, entry_id, entry_id) for _, entry_id in known])
    entries = {number: found for (number, _), found in zip(known, replies, strict=True)}
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
    for _, flat in entries:
        with suppress(InvalidInputError):
            return Signal.decode(dict(zip(flat[::2], flat[1::2], strict=True)))
    return None
