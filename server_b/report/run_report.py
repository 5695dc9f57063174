"""The report of a run: what is printed once all its segments have their verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.digest import run_digest
from shared.endpoint.endpoint import Endpoint
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.shop.cart_text import cart_json, cart_text
from shared.shop.reader import read_carts
from shared.shop.records import Cart
from shared.verdict import VERIFIED, SegmentVerdict, run_reason, run_verdict

MODE_GROUP = "group"
MODE_FOLLOW = "follow"
MAX_CARTS = 10
JSON_VALUES = 10


@dataclass(frozen=True)
class RunReport:
    """What is known of a complete run; `as_json` has the fields of `server-b run --json`.

    Attributes:
        first: The run's first values in reverse, as text.
        lag_ms: The longest that a signal of the run took to be taken.
        read_s: First LRANGE to last verdict, over all segments.
    """

    run_id: str
    verdict: str
    reason: str
    count: int
    segments: int
    digest: str
    first: list[str]
    last: str
    carts: list[Cart]
    lag_ms: int
    read_s: float
    consumer: str
    mode: str
    endpoint: str

    @property
    def values_per_s(self) -> int:
        """Values read and verified a second; 0 when none were read."""
        return round(self.count / self.read_s) if self.read_s else 0

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "run_id": self.run_id,
            "verdict": self.verdict,
            "reason": self.reason,
            "count": self.count,
            "segments": self.segments,
            "digest": self.digest,
            "first": self.first[:JSON_VALUES],
            "last": self.last,
            "carts": [cart_json(cart) for cart in self.carts],
            "lag_ms": self.lag_ms,
            "read_s": self.read_s,
            "values_per_s": self.values_per_s,
            "consumer": self.consumer,
            "mode": self.mode,
            "endpoint": self.endpoint,
        }

    def as_text(self, *, print_values: int) -> str:
        """Return the lines that people read."""
        lines = [cart_text(cart) for cart in self.carts]
        shown = self.first[:print_values]
        if shown:
            noun = "value" if len(shown) == 1 else "values"
            lines += [f"First {len(shown)} {noun} in reverse order:", str(shown)]
        segments = f"{self.segments:,} segment{'' if self.segments == 1 else 's'}"
        if self.verdict == VERIFIED:
            lines.append(
                f"Run {self.run_id} verified: {self.count:,} values in {segments}, complete, in order and once, "
                f"digest {self.digest}."
            )
        else:
            lines.append(f"Run {self.run_id} {self.verdict}: {self.reason} ({self.count:,} values in {segments}).")
        lines.append(
            f"The signal took {self.lag_ms:,} ms, reading and verifying {self.read_s:.3f} s "
            f"({self.values_per_s:,} values/s)."
        )
        return "\n".join(lines)


def make_report(
    endpoint: Endpoint,
    keys: Keyspace,
    run_id: str,
    verdicts: Mapping[int, SegmentVerdict],
    *,
    consumer: str,
    mode: str,
    record: RunRecord | None = None,
) -> RunReport:
    """Return the report of a complete run.

    Args:
        endpoint: Where its carts are.
        keys: The namespace.
        run_id: The run.
        verdicts: Of all its segments.
        consumer: Our name.
        mode: `group` or `follow`.
        record: The run's; None where it is not here, and with it no carts.

    Redis:
        HGETALL of at most 10 carts and their SKUs, pipelined.
    """
    in_order = [verdicts[number] for number in sorted(verdicts)]
    read = [verdict for verdict in in_order if verdict.started_us]
    read_us = max(v.ended_us for v in read) - min(v.started_us for v in read) if read else 0
    first = [value for verdict in reversed(in_order) for value in verdict.first]
    return RunReport(
        run_id=run_id,
        verdict=run_verdict(verdicts),
        reason=run_reason(verdicts),
        count=sum(verdict.count for verdict in in_order),
        segments=in_order[0].segments,
        digest=run_digest(verdict.digest for verdict in in_order),
        first=first,
        last=in_order[0].last or "",
        carts=_carts(endpoint, keys, record) if record is not None else [],
        lag_ms=max(verdict.lag_ms for verdict in in_order),
        read_s=read_us / 1_000_000,
        consumer=consumer,
        mode=mode,
        endpoint=endpoint.name,
    )


def _carts(endpoint: Endpoint, keys: Keyspace, record: RunRecord) -> list[Cart]:
    """Return the first carts that the run names: those of users 1 upward."""
    user_ids = [str(number) for number in range(1, min(record.carts, MAX_CARTS) + 1)]
    try:
        return read_carts(endpoint, keys, user_ids) if user_ids else []
    except WrongKeyError:
        return []  # somebody else's keys: the verdict on the list is to be had all the same
