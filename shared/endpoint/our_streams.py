"""Looks whether the streams under our names are ours, before anything is written to them; see `shared.ownership`.

The newest entries are read together with whatever else is asked first, so the look costs no round trip of its own. Only
when none of them is ours, the oldest ones are read too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import LOOK_BACK
from shared.endpoint.together import Together
from shared.endpoint.translation import is_reply
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.ownership import is_letter, is_signal, require_our_letters, require_our_signals

PROOF_LETTERS = 1  # the newest one tells whose the stream is, as a rule, and a letter may have any size
Entries = list[Any]
Groups = Sequence[Mapping[str, Any]]


def ask_signals(asked: Together, keys: Keyspace) -> None:
    """Ask for the newest signals, the first argument of `require_signals`. Redis: XREVRANGE; O(1)."""
    asked.at(keys.signals()).xrevrange(keys.signals(), count=LOOK_BACK)


def require_signals(endpoint: Endpoint, keys: Keyspace, newest: Entries, groups: Groups | None = None) -> None:
    """Raise WrongKeyError if the stream with these newest entries, and these groups, is somebody else's.

    Redis: nothing where a signal is among them; else XRANGE, and XINFO GROUPS unless the groups are given.
    """
    if any(is_signal(fields) for _, fields in newest):
        return
    stream = keys.signals()
    client = endpoint.at(stream)
    if groups is None:
        pipeline = client.pipeline(transaction=False)
        pipeline.xinfo_groups(stream)
        groups = without_missing_key(pipeline.execute(raise_on_error=False))[0]
    oldest = cast("Entries", client.xrange(stream, count=LOOK_BACK)) if len(newest) == LOOK_BACK else []
    require_our_signals(stream, [*newest, *oldest], groups)


def are_signals_ours(endpoint: Endpoint, keys: Keyspace, newest: Entries, groups: Groups) -> bool:
    """Tell what `require_signals` raises an error for, at the same cost."""
    try:
        require_signals(endpoint, keys, newest, groups)
    except WrongKeyError:
        return False
    return True


def require_newest_signal(endpoint: Endpoint, keys: Keyspace, newest: Entries, run_id: str) -> None:
    """Raise WrongKeyError if the stream with this newest entry, at most one, has become somebody else's.

    An entry of an id that the run's record names, with the run's id in it but for a byte, is ours, changed on the way.

    Redis: nothing where it is a signal, or where there is none; else HGETALL of the record, XREVRANGE and what
    `require_signals` asks.
    """
    if newest and not is_signal(newest[0][1]):
        stream, record = keys.signals(), keys.run(run_id)
        entry_id, fields = newest[0]
        is_near = any(_is_but_for_a_byte(value, run_id.encode()) for value in fields.values())
        if is_near and entry_id in endpoint.at(record).hgetall(record).values():
            return
        entries = cast("Entries", endpoint.at(stream).xrevrange(stream, count=LOOK_BACK))
        require_signals(endpoint, keys, entries)


def _is_but_for_a_byte(value: bytes, expected: bytes) -> bool:
    return len(value) == len(expected) and sum(a != b for a, b in zip(value, expected, strict=True)) <= 1


def require_letters(endpoint: Endpoint, keys: Keyspace, newest: Entries) -> None:
    """Raise WrongKeyError if the dead letters' stream with these newest entries is somebody else's.

    Redis: see `are_letters_ours`.
    """
    if not are_letters_ours(endpoint, keys, newest):
        require_our_letters(keys.dead_letters(), newest)


def are_letters_ours(endpoint: Endpoint, keys: Keyspace, newest: Entries) -> bool:
    """Tell whether the dead letters' stream with these newest entries, which may be fewer than it has, is ours.

    Redis: nothing where a dead letter is among them, or no entry at all; else XREVRANGE and XRANGE in one round trip.
    """
    if not newest or any(is_letter(fields) for _, fields in newest):
        return True
    dead = keys.dead_letters()
    pipeline = endpoint.at(dead).pipeline(transaction=False)
    pipeline.xrevrange(dead, count=LOOK_BACK)
    pipeline.xrange(dead, count=LOOK_BACK)
    return any(is_letter(fields) for page in pipeline.execute() for _, fields in page)


def require_streams(endpoint: Endpoint, keys: Keyspace) -> None:
    """Raise WrongKeyError if the signals or the dead letters are somebody else's.

    Redis: XINFO GROUPS, and XREVRANGE of both in one round trip; XRANGE where none of them is ours.
    """
    signals, dead = keys.signals(), keys.dead_letters()
    pipeline = endpoint.at(signals).pipeline(transaction=False)
    pipeline.xinfo_groups(signals)
    pipeline.xrevrange(signals, count=LOOK_BACK)
    pipeline.xrevrange(dead, count=PROOF_LETTERS)
    groups, newest, letters = without_missing_key(pipeline.execute(raise_on_error=False))
    require_signals(endpoint, keys, newest, groups)
    require_letters(endpoint, keys, letters)


def without_missing_key(replies: Sequence[Any]) -> list[Any]:
    """Return replies with nothing in place of XINFO's complaint that there is no key or group; raise other errors."""
    for reply in replies:
        if isinstance(reply, Exception) and not is_reply(reply, "no such key", "NOGROUP"):
            raise reply
    return [[] if isinstance(reply, Exception) else reply for reply in replies]
