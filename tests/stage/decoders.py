"""Every decoder of what Redis may hold, with the inputs that it is given: anything in its fields.

A field is random bytes, or what we write there with changes: random bytes alone seldom get behind the first check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from server_b.group.dead_letters import DeadLetter
from server_b.segment.look import RECORD_FIELDS, decode_record
from shared.reading import ReadingNote
from shared.record import RunRecord, ShopCount, decode_attempts, decode_entry_id, decode_points
from shared.shop.records import Sku, User, decode_cart_line
from shared.signal import Signal
from shared.state import SegmentState
from shared.verdict import SegmentVerdict, decode_result
from shared.witness import Witness

TOKEN = "20261122T205801123Z-3f9a1c"
DIGEST = "0123456789abcdef0123456789abcdef"
PLAUSIBLE = [
    b"", b"0", b"1", b"-1", b"007", b"1e9", b"100000", b"18446744073709551616", TOKEN.encode(), DIGEST.encode(),
    b"1732658400123-0", b"numbers", b"values", b"verified", b"failed", b"nan", b"1.50", b"[[1,2]]", b"[]", b"{}",
    "\u0661".encode(), b"\xff", b"null",
]  # fmt: skip
FIELD = st.one_of(st.sampled_from(PLAUSIBLE), st.binary(max_size=40), st.integers().map(lambda n: b"%d" % n))
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from([TOKEN, DIGEST])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
RECORD = RunRecord(TOKEN, "numbers", 10, 5, 2, users=1, skus=1, carts=1, seed=0, retain_ms=1_000)
SIGNAL = Signal(TOKEN, TOKEN, 1, 2, 5, DIGEST)
VERDICT = SegmentVerdict("verified", TOKEN, 1, 2, 5, DIGEST, last="1", consumer="b")
WITNESS = ("kind", "segment", "position", "expected", "found", "missing", "doubled", "foreign", "out_of_order", "block",
           "blocks")  # fmt: skip


def hash_of(fields: dict[str, Any]) -> st.SearchStrategy[dict[bytes, bytes]]:
    """Return hashes with these fields as they are, some of them changed, missing or beside others."""
    whole = {name.encode(): str(value).encode() for name, value in fields.items()}
    changed = st.dictionaries(st.one_of(st.sampled_from(sorted(whole)), st.binary(max_size=8)), FIELD, max_size=4)
    left_out = st.sets(st.sampled_from(sorted(whole)), max_size=2)
    return st.builds(
        lambda more, less: {name: value for name, value in (whole | more).items() if name not in less},
        changed,
        left_out,
    )


def json_of(fields: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Return JSON with these fields, some of them changed; now and then any other bytes."""
    changed = st.dictionaries(st.sampled_from(sorted(fields)), JSON, max_size=3)
    return st.one_of(changed.map(lambda more: json.dumps(fields | more).encode()), st.binary(max_size=60))


DECODERS: dict[str, tuple[Callable[[Any], object], st.SearchStrategy[Any]]] = {
    "record": (lambda fields: RunRecord.decode("run:x", fields), hash_of(RECORD.encode())),
    "record for B": (
        lambda values: decode_record("run:x", values, run_id=TOKEN),
        st.lists(st.none() | FIELD, min_size=len(RECORD_FIELDS), max_size=len(RECORD_FIELDS)),
    ),
    "shop count": (lambda fields: ShopCount.decode("run:x", fields), hash_of(ShopCount().encode())),
    "points": (decode_points, st.none() | json_of({"a": 1}) | JSON.map(lambda found: json.dumps(found).encode())),
    "attempts": (decode_attempts, st.none() | FIELD | JSON.map(lambda found: json.dumps(found).encode())),
    "entry id": (decode_entry_id, st.none() | FIELD),
    "state": (lambda values: SegmentState.decode("s", values), st.lists(st.none() | FIELD, min_size=4, max_size=4)),
    "signal": (Signal.decode, hash_of(SIGNAL.encode())),
    "verdict": (SegmentVerdict.decode, json_of(json.loads(VERDICT.encode()))),
    "result": (decode_result, st.dictionaries(FIELD, json_of(json.loads(VERDICT.encode())), max_size=3)),
    "reading": (ReadingNote.decode, st.none() | FIELD | st.lists(FIELD, max_size=5).map(b" ".join)),
    "witness": (lambda raw: Witness.decode(raw, segment=1), JSON | st.fixed_dictionaries(dict.fromkeys(WITNESS, JSON))),
    "user": (lambda fields: User.decode("1", fields), hash_of({"first_name": "Ann", "last_name": "Lee"})),
    "SKU": (lambda fields: Sku.decode("a", fields), hash_of({"name": "Pen", "price": "1.50"})),
    "cart line": (lambda raw: decode_cart_line("a", raw, None), FIELD),
    "dead letter": (
        lambda fields: DeadLetter.decode("1-0", fields),
        hash_of({"origin": "1-0", "reason": "r", "consumer": "b", "field:run_id": TOKEN}),
    ),
}
