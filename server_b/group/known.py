"""Entries that stay pending with us although their verdicts stand: a byte of their acknowledgement was damaged.

Looked for when a consumer leaves and its name can't be removed. While it serves, its own pending entries come again by
themselves. Believing the reply of XACK was rejected: one that names another pending entry is told as done.
"""

from __future__ import annotations

from collections.abc import Sequence

from server_b.group.entry import Entry, entry_of
from server_b.group.signal_group import SignalGroup
from shared.errors import InvalidInputError
from shared.signal import CONSUMER_GROUP, Signal
from shared.verdict import SegmentVerdict

MAX_ENTRIES = 100


def acknowledge_known(group: SignalGroup) -> int:
    """Acknowledge those of our pending entries whose verdicts stand, and return how many; the others stay as they are.

    Redis: XPENDING; for a hundred entries at most XRANGE, HGET of the verdict, XACK: three round trips, if any.
    """
    client = group.endpoint.at(group.stream)
    ids = list(group.own_pending(count=MAX_ENTRIES))
    if not ids:
        return 0
    pipeline = client.pipeline(transaction=False)
    for entry_id in ids:
        pipeline.xrange(group.stream, min=entry_id, max=entry_id)
    signals = _signals([entry_of(found[0], is_redelivered=True) for found in pipeline.execute() if found])
    if not signals:
        return 0
    pipeline = client.pipeline(transaction=False)
    for _, signal in signals:
        pipeline.hget(group.keys.result(signal.run_id), str(signal.segment))
    known = [
        entry_id
        for (entry_id, signal), raw in zip(signals, pipeline.execute(), strict=True)
        if raw is not None and (verdict := SegmentVerdict.decode(raw)) is not None and verdict.settles(signal)
    ]
    if known:
        client.xack(group.stream, CONSUMER_GROUP, *known)
    return len(known)


def _signals(entries: Sequence[Entry]) -> list[tuple[str, Signal]]:
    found = []
    for entry in entries:
        try:
            found.append((entry.entry_id, Signal.decode(entry.fields or {})))
        except InvalidInputError:
            continue
    return found
