"""Tells whether entries that are no signals were ones, of which a byte was changed on the way.

A stream whose only signals are such ones looks like somebody else's. The record of their run tells: it holds the ids
under which they were added. Taking an entry for ours because it resembles a signal was rejected: anybody's may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import Together
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.ownership import RECORD_FIELDS, is_record
from shared.record import signal_field
from shared.tokens import is_token

MAX_RUNS = 10
MAX_SIGNALS = 1_000  # of a run; those that are looked at are its first and its last
TOKEN_BYTES = 26

Changed = dict[bytes, str]
"""Ids of entries, each with the run whose signal it was."""


@dataclass
class Suspects:
    """Entries that may have been signals: what of them could be a run's id, by entry id; nothing else is kept."""

    found: dict[bytes, list[bytes]] = field(default_factory=dict)

    def noting(self, entries: Iterable[Any]) -> Iterator[Any]:
        """Yield the same entries, and note them."""
        for entry_id, fields in entries:
            values = [value for value in (fields or {}).values() if len(value) == TOKEN_BYTES]
            if values:
                self.found[entry_id] = values
            yield entry_id, fields


def changed_signals(endpoint: Endpoint, keys: Keyspace, suspects: Suspects, *, run_id: str = "") -> Changed:
    """Return those of the suspects that the record of a run names, and that hold its id but for a byte.

    Looked for are the run given, that of segment 1's state, and those that the suspects name themselves.

    Redis: HMGET of the state, then of each record the ids of 1,000 signals; nothing without suspects.
    """
    if not suspects.found:
        return {}
    changed: Changed = {}
    named = dict.fromkeys(value.decode("ascii", "replace") for values in suspects.found.values() for value in values)
    runs = [run_id, _published_run(endpoint, keys), *named]
    runs = list(dict.fromkeys(filter(is_token, runs)))[:MAX_RUNS]
    asked = Together(endpoint)
    fields = (*RECORD_FIELDS, *map(signal_field, range(1, MAX_SIGNALS + 1)))
    for run in runs:
        asked.at(keys.run(run)).hmget(keys.run(run), fields)
    for run, values in zip(runs, asked.send(raise_on_error=False), strict=True):
        if isinstance(values, WrongKeyError):
            continue  # it is somebody else's
        if isinstance(values, Exception):
            raise values
        if is_record(run, values[: len(RECORD_FIELDS)]):
            ids = set(values[len(RECORD_FIELDS) :])
            changed |= {each: run for each in ids & suspects.found.keys() if _names(suspects.found[each], run)}
    return changed


def is_changed_signal(entry: Any, changed: Changed) -> bool:  # noqa: ANN401 - an entry, as XRANGE returns it
    """Tell whether an entry is one that `changed_signals` found, and still what it was."""
    entry_id, fields = entry
    return entry_id in changed and _names((fields or {}).values(), changed[entry_id])


def _names(values: Iterable[bytes], run_id: str) -> bool:
    return any(_is_but_for_a_byte(value, run_id.encode()) for value in values)


def _is_but_for_a_byte(value: bytes, expected: bytes) -> bool:
    return len(value) == len(expected) and sum(a != b for a, b in zip(value, expected, strict=True)) <= 1


def _published_run(endpoint: Endpoint, keys: Keyspace) -> str:
    """Return the run that segment 1's state names, if it is one; empty for anything else."""
    key = keys.state(keys.segment(1))
    try:
        (raw,) = cast("list[bytes | None]", endpoint.at(key).hmget(key, ["run_id"]))
    except WrongKeyError:
        return ""
    return (raw or b"").decode("ascii", "replace")
