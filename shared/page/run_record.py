"""What the record of a run says: its command, its sizes, when it finished, outages, and how many values when."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError
from shared.fields import decode_number
from shared.keys import Keyspace
from shared.page.segment_lines import moment
from shared.record import RunRecord, ShopCount, decode_points

_RECORD = (*RunRecord.FIELDS, "overwrite", "command")
_PROGRESS = ("published", "finished_ms", *ShopCount().encode(), "outages", "samples")


@dataclass(frozen=True)
class RecordFacts:
    """One run's record."""

    record: RunRecord | None = None  # None where it is not here, or not ours
    finished_ms: int = 0
    shop_kept: int = 0
    outages: tuple[tuple[int, int], ...] = ()
    samples: tuple[tuple[int, int], ...] = ()

    @property
    def carts(self) -> int:
        """How many carts the run was to write."""
        return self.record.carts if self.record is not None else 0


NO_RECORD = RecordFacts()


def read_record(endpoint: Endpoint, keys: Keyspace, run_id: str) -> RecordFacts:
    """Return what the record says; nothing of one that is malformed. Redis: HMGET; O(1)."""
    key, names = keys.run(run_id), [*_RECORD, *_PROGRESS]
    values: Any = endpoint.at(key).hmget(key, names)
    fields = {name.encode(): value for name, value in zip(names, values, strict=True) if value is not None}
    with suppress(InvalidInputError):
        record = RunRecord.decode(key, fields)
        return RecordFacts(
            record,
            moment(decode_number(key, "finished_ms", fields.get(b"finished_ms", b"0"), least=0)),
            ShopCount.decode(key, fields).kept,
            tuple((moment(lost), moment(max(lost, back))) for lost, back in decode_points(fields.get(b"outages"))),
            tuple((moment(at), values) for at, values in decode_points(fields.get(b"samples"))),
        )
    return NO_RECORD
