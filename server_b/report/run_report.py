"""The report of a run: what is printed once all its segments have their verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from server_b.settings import JSON_VALUES
from shared.digest import run_digest
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.reply_times import ReplyTimes, times_text
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.shop.cart_text import cart_json, cart_text
from shared.shop.reader import first_carts
from shared.shop.records import Cart
from shared.text import joined_lines
from shared.verdict import VERIFIED, SegmentVerdict, run_reason, run_verdict, run_witness
from shared.witness import Witness

MODE_GROUP = "group"
MODE_FOLLOW = "follow"


@dataclass(frozen=True)
class RunReport:
    """What is known of a complete run; the names and order of the fields are those of `server-b run --json`."""

    run_id: str
    verdict: str
    reason: str
    witness: Witness | None  # what exactly is wrong with the first segment that failed
    count: int
    segments: int
    digest: str
    first: list[str]  # the run's first values in reverse, as text
    last: str
    carts: list[Cart]
    lag_ms: int  # the longest time that a signal of the run took to reach its consumer
    read_s: float  # from the first LRANGE to the last verdict, over all segments
    values_per_s: int  # values read and verified a second; 0 when none were read
    reply_ms: Mapping[str, float] | None  # of a chunk transaction: p50, p95, p99, max; None when we read none
    outages: int  # how often we lost the server since our last report, or since our start
    outage_s: float  # seconds without an answer, added up over all of them
    consumer: str
    mode: str
    endpoint: str

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        witness = self.witness.as_json() if self.witness is not None else None
        carts = [cart_json(cart) for cart in self.carts]
        return vars(self) | {"witness": witness, "first": self.first[:JSON_VALUES], "carts": carts}

    @property
    def verdict_line(self) -> str:
        """The line of the text that tells the verdict."""
        segments = f"{self.segments:,} segment{'' if self.segments == 1 else 's'}"
        if self.verdict == VERIFIED:
            what = f"{self.count:,} values in {segments}, complete, in order and once, digest {self.digest}."
        else:
            what = f"{self.reason} ({self.count:,} values in {segments})."
        return f"Run {self.run_id} {self.verdict}: {what}"

    def as_text(self, *, print_values: int) -> str:
        """Return the report as text for a terminal."""
        lines = [line for cart in self.carts for line in cart_text(cart).split("\n")]
        shown = self.first[:print_values]
        if shown:
            noun = "value" if len(shown) == 1 else "values"
            lines += [f"First {len(shown)} {noun} in reverse order:", str(shown)]
        lines.append(self.verdict_line)
        if self.witness is not None:
            advice = f"server-b explain {self.run_id} says all of it"
            lines.append(f"What is wrong: {self.witness.as_text()}; {advice}.")
        took = f"reading and verifying {self.read_s:.3f} s ({self.values_per_s:,} values/s)"
        lines.append(f"The signal took {self.lag_ms:,} ms, {took}.")
        if self.reply_ms:
            lines.append(times_text(self.reply_ms))
        if self.outages:
            times = "once" if self.outages == 1 else f"{self.outages:,} times"
            lines.append(f"The server was lost {times}, {self.outage_s:.1f} s in all.")
        return joined_lines(lines)


def make_report(
    endpoint: Endpoint,
    keys: Keyspace,
    run_id: str,
    verdicts: Mapping[int, SegmentVerdict],
    *,
    consumer: str,
    mode: str,
    record: RunRecord | None = None,
    times: ReplyTimes | None = None,
    outages: tuple[int, float] = (0, 0.0),
) -> RunReport:
    """Return the report of a complete run; it has no carts where the run's record is not here.

    Of outages it is given how many there were since our last report, and their seconds.

    Redis: HLEN and HSCAN of at most 10 carts, then HMGET of at most 10 SKUs in each, both pipelined.
    """
    carts: list[Cart] = []
    with suppress(WrongKeyError):  # the keys are not ours; the verdict on the list is reported all the same
        carts = first_carts(endpoint, keys, record.carts if record else 0)
    in_order = [verdicts[number] for number in sorted(verdicts)]
    count = sum(verdict.count for verdict in in_order)
    read = [verdict for verdict in in_order if verdict.started_us]
    read_us = max(verdict.ended_us for verdict in read) - min(verdict.started_us for verdict in read) if read else 0
    read_s = read_us / 1_000_000
    return RunReport(
        run_id=run_id,
        verdict=run_verdict(verdicts),
        reason=run_reason(verdicts),
        witness=run_witness(verdicts),
        count=count,
        segments=in_order[0].segments,
        digest=run_digest(verdict.digest for verdict in in_order),
        first=[value for verdict in reversed(in_order) for value in verdict.first],
        last=in_order[0].last or "",
        carts=carts,
        lag_ms=max(verdict.lag_ms for verdict in in_order),
        read_s=read_s,
        values_per_s=round(count / read_s) if read_s else 0,
        reply_ms=times.as_json() if times is not None else None,
        outages=outages[0],
        outage_s=round(outages[1], 3),
        consumer=consumer,
        mode=mode,
        endpoint=endpoint.name,
    )
