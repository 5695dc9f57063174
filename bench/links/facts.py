"""What else was seen while the contests over links were held, as JSON and as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from bench.account import Account


@dataclass(frozen=True)
class WritersCpu:
    """Processor seconds of one run on two primaries; `write_s` is the wall time they belong to."""

    write_s: float
    parent_s: float
    writers_s: list[float]
    servers_s: list[float]

    @classmethod
    def of(cls, account: Account, servers_s: list[float]) -> WritersCpu:
        """Return it from A's account and what the servers used."""
        parent_s = max(0.0, account.cpu_s - sum(account.children_cpu_s))
        return cls(account.report["write_s"], parent_s, account.children_cpu_s, servers_s)

    def as_json(self) -> dict[str, object]:
        """Return it as one JSON object's fields."""
        return {
            "write_s": round(self.write_s, 3),
            "parent_s": round(self.parent_s, 2),
            "writers_s": [round(seconds, 2) for seconds in self.writers_s],
            "servers_s": [round(seconds, 2) for seconds in self.servers_s],
        }


@dataclass
class LinkFacts:
    """What was seen on one server; every round adds to it.

    Attributes:
        round_trip_ms: Of a PING through the link of each delay.
        megabytes_per_s: What the proxy carries without a delay.
        attempts: Of each run over the slow link.
        latest_reply_ms: Of each such run, where the program tells it.
        writers: Of each run on two primaries.
        skipped: What could not be measured, as sentences.
    """

    round_trip_ms: dict[str, float] = field(default_factory=dict)
    megabytes_per_s: float = 0.0
    attempts: list[int] = field(default_factory=list)
    latest_reply_ms: list[float] = field(default_factory=list)
    writers: list[WritersCpu] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def note_slow(self, report: dict[str, object]) -> None:
        """Note what a run over the slow link reported."""
        self.attempts.append(int(str(report["attempts"])))
        replies = report.get("reply_ms")
        if isinstance(replies, dict) and replies.get("max") is not None:
            self.latest_reply_ms.append(float(replies["max"]))

    def as_json(self) -> dict[str, object]:
        """Return it as one JSON object's fields."""
        return {
            "round_trip_ms": self.round_trip_ms,
            "megabytes_per_s": round(self.megabytes_per_s),
            "attempts": self.attempts,
            "latest_reply_ms": self.latest_reply_ms,
            "writers": [cpu.as_json() for cpu in self.writers],
            "skipped": self.skipped,
        }

    def sentences(self) -> Iterator[str]:
        """Yield it for a reader."""
        trips = ", ".join(f"{name} {ms:.1f} ms" for name, ms in self.round_trip_ms.items())
        yield f"A PING through the links takes: {trips}. The proxy carries {self.megabytes_per_s:,.0f} MB/s."
        if self.attempts:
            latest = f"{max(self.latest_reply_ms):,.0f} ms" if self.latest_reply_ms else "not told by this version"
            yield f"Slow link: attempts {max(self.attempts)} for its one segment; latest reply: {latest}."
        if self.writers:
            middle = sorted(self.writers, key=lambda cpu: cpu.write_s)[len(self.writers) // 2]
            parts = [f"A's parent {middle.parent_s:.2f}"]
            parts += [f"writer {seconds:.2f}" for seconds in middle.writers_s]
            parts += [f"server {seconds:.2f}" for seconds in middle.servers_s]
            wall_s = median(cpu.write_s for cpu in self.writers)
            yield f"Two primaries, processor seconds in {wall_s:.2f} s of writing: {', '.join(parts)}."
        yield from self.skipped
