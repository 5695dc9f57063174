"""Looks whether the streams under our names are ours, before anything is written to them; see `shared.ownership`.

The newest entry is read together with whatever else is asked first, so the look costs no round trip of its own: as a
rule it is ours. Only where it is not, more are read, and of large ones one at a time: a hundred of strangers' entries
of 4 MB took 400 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, cast

from shared.endpoint.changed_signals import Suspects, changed_signals
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient, NodePipeline
from shared.endpoint.published import LOOK_BACK
from shared.endpoint.stream_pages import PageSize, stream_pages
from shared.endpoint.together import Together
from shared.endpoint.translation import is_reply
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.ownership import is_letter, is_signal, require_our_letters, require_our_signals

PROOF_ENTRIES = 1  # the newest one tells whose a stream is, as a rule, and it may have any size
Entries = list[Any]
Groups = Sequence[Mapping[str, Any]]


def ask_signals(asked: Together, keys: Keyspace) -> None:
    """Ask for the newest signal, the first argument of `require_signals`. Redis: XREVRANGE; O(1)."""
    asked.at(keys.signals()).xrevrange(keys.signals(), count=PROOF_ENTRIES)


def require_signals(
    endpoint: Endpoint, keys: Keyspace, newest: Entries, groups: Groups | None = None, *, run_id: str = ""
) -> None:
    """Raise WrongKeyError if the stream with these newest entries, and these groups, is somebody else's.

    It is ours, too, where all signals in it were changed on the way; `run_id` is a run whose they may be.

    Redis: nothing where a signal is among them; else XINFO GROUPS of an empty stream, unless the groups are given, or
    `entries_at_ends` of one that is not and, where there is no signal either, what `changed_signals` asks.
    """
    if any(is_signal(fields) for _, fields in newest):
        return
    stream = keys.signals()
    client = endpoint.at(stream)
    if newest:
        require_signals_among(endpoint, keys, entries_at_ends(client, stream), run_id=run_id)
        return
    if groups is None:
        pipeline = client.pipeline(transaction=False)
        pipeline.xinfo_groups(stream)
        groups = without_missing_key(pipeline.execute(raise_on_error=False))[0]
    require_our_signals(stream, [], groups)


def require_signals_among(endpoint: Endpoint, keys: Keyspace, entries: Iterable[Any], *, run_id: str = "") -> None:
    """Raise WrongKeyError if a stream with these entries at its ends is somebody else's.

    Redis: nothing where a signal is among them, else what `changed_signals` asks.
    """
    suspects = Suspects()
    try:
        require_our_signals(keys.signals(), suspects.noting(entries), [])
    except WrongKeyError:
        if not changed_signals(endpoint, keys, suspects, run_id=run_id):
            raise


def entries_at_ends(client: NodeClient | NodePipeline, stream: str) -> Iterator[Any]:
    """Yield a stream's newest hundred entries, then its oldest hundred.

    Redis: XREVRANGE COUNT 1, then more, and XRANGE likewise; of large ones no more than one is held.
    """
    size = PageSize(LOOK_BACK)

    def read(start: str) -> list[Any]:
        return cast("list[Any]", client.xrange(stream, min=start, count=size.count))

    yield from newest_entries(client, stream)
    yield from islice(chain.from_iterable(stream_pages(read, start="-", count=size, where=stream)), LOOK_BACK)


def newest_entries(client: NodeClient | NodePipeline, stream: str) -> Iterator[Any]:
    """Yield a stream's last hundred entries, the newest first.

    Redis: XREVRANGE COUNT 1, then more; of large ones no more than one is held.
    """
    size = PageSize(LOOK_BACK)

    def read(end: str) -> list[Any]:
        return cast("list[Any]", client.xrevrange(stream, max=end, count=size.count))

    yield from islice(chain.from_iterable(stream_pages(read, start="+", count=size, where=stream)), LOOK_BACK)


def are_signals_ours(endpoint: Endpoint, keys: Keyspace, newest: Entries, groups: Groups) -> bool:
    """Tell what `require_signals` raises an error for, at the same cost."""
    try:
        require_signals(endpoint, keys, newest, groups)
    except WrongKeyError:
        return False
    return True


def require_letters(endpoint: Endpoint, keys: Keyspace, newest: Entries) -> None:
    """Raise WrongKeyError if the dead letters' stream with these newest entries is somebody else's.

    Redis: see `are_letters_ours`.
    """
    if not are_letters_ours(endpoint, keys, newest):
        require_our_letters(keys.dead_letters(), newest)


def are_letters_ours(endpoint: Endpoint, keys: Keyspace, newest: Entries) -> bool:
    """Tell whether the dead letters' stream with these newest entries, which may be fewer than it has, is ours.

    Redis: nothing where a dead letter is among them, or no entry at all; else `entries_at_ends`.
    """
    if not newest or any(is_letter(fields) for _, fields in newest):
        return True
    dead = keys.dead_letters()
    return any(is_letter(fields) for _, fields in entries_at_ends(endpoint.at(dead), dead))


def require_streams(endpoint: Endpoint, keys: Keyspace) -> None:
    """Raise WrongKeyError if the signals or the dead letters are somebody else's.

    Redis: XINFO GROUPS, and XREVRANGE of both in one round trip; more where the newest of them is not ours.
    """
    signals, dead = keys.signals(), keys.dead_letters()
    pipeline = endpoint.at(signals).pipeline(transaction=False)
    pipeline.xinfo_groups(signals)
    pipeline.xrevrange(signals, count=PROOF_ENTRIES)
    pipeline.xrevrange(dead, count=PROOF_ENTRIES)
    groups, newest, letters = without_missing_key(pipeline.execute(raise_on_error=False))
    require_signals(endpoint, keys, newest, groups)
    require_letters(endpoint, keys, letters)


def without_missing_key(replies: Sequence[Any]) -> list[Any]:
    """Return replies with nothing in place of XINFO's complaint that there is no key or group; raise other errors."""
    for reply in replies:
        if isinstance(reply, Exception) and not is_reply(reply, "no such key", "NOGROUP"):
            raise reply
    return [[] if isinstance(reply, Exception) else reply for reply in replies]
