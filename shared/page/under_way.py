"""Which consumer is reading which segment, and how far it is, as the consumers say themselves.

Only the fields of consumers with something pending are asked for, by name: reading all was rejected, because the key
may be somebody else's, of any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.errors import NotAllowedError, WrongKeyError
from shared.keys import Keyspace
from shared.page.facts import UnderWay
from shared.page.segment_lines import MAX_NAME_BYTES, PUBLISHED, SegmentLines
from shared.reading import ReadingNote
from shared.status.facts import GroupStatus
from shared.text import shortened

MAX_NAMES = 100
Notes = Mapping[str, ReadingNote]
"""What consumers say, by name."""


def working_names(group: GroupStatus) -> list[str]:
    """Return the names of consumers that may be reading something."""
    return [consumer["name"] for consumer in group.consumers if consumer["pending"]][:MAX_NAMES]


def read_notes(endpoint: Endpoint, keys: Keyspace, group: GroupStatus) -> Notes:
    """Return what consumers say; nothing where they need not be asked, or the key may not be read or is another's.

    Redis: HMGET of the consumers that have something pending; none where nobody has.
    """
    names, key = working_names(group), keys.reading()
    if not names:
        return {}
    with suppress(WrongKeyError, NotAllowedError):
        replies: Any = endpoint.at(key).hmget(key, names)
        found = zip(names, map(ReadingNote.decode, replies), strict=True)
        return {name: note for name, note in found if note is not None}
    return {}


def under_way(notes: Notes, found: SegmentLines, now_ms: int) -> tuple[UnderWay, ...]:
    """Return what is being read of a run; of two who say so of one segment, the one that said it last."""
    shown: dict[int, UnderWay] = {}
    for name, note in sorted(notes.items(), key=lambda item: (item[1].at_ms, item[0])):
        line = found.lines.get(note.segment)
        if note.run_id != found.run_id or not note.is_fresh(now_ms) or line is None:
            continue
        if line.state == PUBLISHED and line.count:
            consumer, values = shortened(name, MAX_NAME_BYTES), min(note.values, line.count)
            began_ms = min(max(note.began_ms, line.signalled_ms), note.at_ms)  # nothing is read before it is announced
            shown[note.segment] = UnderWay(consumer, note.segment, values, line.count, began_ms, note.at_ms)
    return tuple(shown[segment] for segment in sorted(shown))
