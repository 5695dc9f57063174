"""What a soak run has counted, and the page that says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from tests.stage.programs import Name
from tests.stage.soak_faults import KINDS, Fault, Kind

PAGE = """\
# Faults at random moments: the counts of the last run

`make soak` writes this page itself. Each hand-over is of 5,000 to 200,000 values in one, two or seven segments, by both
programs as processes, over a link that brings one fault once a random number of bytes has passed. The run is then
carried on (resumed, read by another `server-b`, repaired where the verdict is failed) until it is verified, and only
then held, by plain LRANGE, against what A was given. The default is 25 faults of each kind on each server;
`ARGS="--minutes 10 --seed 7"` ends earlier and draws the same moments again.

- {when}, {servers}, {machine}, loopback without delay, seed {seed}, {minutes} minutes
- {summary}

| fault | hand-overs | faults that came | resumed | read again | repaired |
|---|---|---|---|---|---|
{rows}

A fault that did not come was drawn for a moment after the program's end. *Read again*: B ended without `verified` (75,
or 65 for a list or a reply that was damaged on its way), and another B was started.
{wrong}
This is not a run of hours, unless the minutes above say so. Not drawn here, but done at chosen moments in the suite:
failovers, clusters, full servers, clocks, a far link.
"""

_COUNTED = ("met", "resumed", "read again", "repaired")


@dataclass
class Soak:
    """Counts trials, by kind of fault."""

    seed: int
    servers: list[str] = field(default_factory=list)
    minutes: float = 0.0
    trials: Counter[tuple[Name, Kind]] = field(default_factory=Counter)
    counts: dict[tuple[Name, Kind], Counter[str]] = field(default_factory=dict)
    values: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, program: Name, kind: Kind, fault: Fault, counts: Counter[str], wrong: str) -> None:
        """Add a trial."""
        self.trials[program, kind] += 1
        self.counts.setdefault((program, kind), Counter()).update(counts)
        self.values += fault.count
        self.wrong += [wrong] if wrong else []

    def summary(self) -> str:
        """Return one sentence, and what went wrong."""
        met = sum(counts["met"] for counts in self.counts.values())
        said = (
            f"{self.trials.total()} hand-overs, {self.values:,} values, {met} faults, {len(self.wrong)} wrong results\n"
        )
        return said + "".join(f"{line}\n" for line in self.wrong)

    def page(self, now: datetime, machine: str) -> str:
        """Return docs/soak.md."""
        rows = []
        for key, text in KINDS.items():
            counts = self.counts.get(key, Counter())
            rows.append(f"| {text} | {self.trials[key]} | " + " | ".join(str(counts[name]) for name in _COUNTED) + " |")
        wrong = "".join(f"- {line}\n" for line in self.wrong)
        return PAGE.format(
            when=f"{now:%Y-%m-%d %H:%M} UTC",
            servers=" and ".join(self.servers),
            machine=machine,
            seed=self.seed,
            minutes=f"{self.minutes:.1f}",
            summary=self.summary().splitlines()[0],
            rows="\n".join(rows),
            wrong=f"\nWrong results:\n\n{wrong}" if wrong else "",
        )
