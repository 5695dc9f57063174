"""What a soak run has counted, and the page that says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from tests.stage.command_link import Fault as CommandFault
from tests.stage.command_trials import COUNT, SCENARIOS, SEGMENTS
from tests.stage.soak_commands import EACH, CommandCounts
from tests.stage.soak_faults import FAR_S, ROUNDS, Fault, Round

PAGE = """\
# Faults at random moments: the counts of the last run

`make soak` writes this page itself. Each hand-over is carried out by both programs as processes, and meets one fault at
a random moment: over a link once a random number of bytes has arrived (5,000 to 200,000 values in one, two or seven
segments; with {far_ms:.0f} ms of round trip 600,000 to 1,500,000), or where a primary dies or a slot moves once some
number of segments is done (1,000,000 to 2,000,000 values in forty). The run is then carried on (resumed, read by
another `server-b`, repaired where the verdict is failed) until it is verified, and only then held, by plain LRANGE,
against what A was given; each segment must have one verdict, and each program must have ended with a documented exit
code, never with 70. The servers take turns. `ARGS="--minutes 10"` ends earlier, `--each 50` brings each fault so
often, `--seed 7` draws the same moments again.

- {when}, {servers}, {machine}, loopback, seed {seed}, {minutes} minutes
- {planned}
- {summary}
- {under_way}
{bad_inputs}
| fault | hand-overs | faults that came | resumed | read again | repaired | acknowledged values lost |
|---|---|---|---|---|---|---|
{rows}

A fault that did not come was drawn for a moment after the program's end. *Read again*: B ended without `verified` (75,
or 65 for a list or a reply that was damaged on its way, or it was killed), and another B was started. *Lost* are values
of segments that the server had acknowledged and a promoted replica did not have: A found them missing and wrote them
again.

## Command by command

Which commands a program sends is listened to. Then each of them meets each of these faults, {each} times, on either
server in turn: at one of the times it is sent, which is drawn, as is the byte. The run has {count} values in
{segments} segments; where no reply comes, it is waited for 0.3 s instead of 5. It is carried on as above until it is
verified; then each segment is what A was given and has one verdict, no entry of it is pending, and nothing else is left
without a time to live.

| hand-over | commands | {faults} |
|---|---|{rules}
{command_rows}
{wrong}
Not drawn here, but done at chosen moments in the suite: full servers, clocks, restarts, what others do to our keys.
"""

_FAULTS: dict[CommandFault, str] = {
    "lost": "reply lost",
    "cut": "cut in its middle",
    "slow": "slower than the time-out",
    "late": "delivered late",
    "flipped": "bit flipped",
    "flipped reply": "bit flipped in its reply",
}
_OF_A = {"new run", "resumed run", "repair"}
_COUNTED = ("met", "resumed", "read again", "repaired", "lost")


@dataclass
class Soak:
    """Counts trials, by kind of fault.

    Attributes:
        under_way: For each fault on a far link, how many bytes were on their way when it came.
        bad_inputs: What the decoders were given, and how many decoders there are.
    """

    seed: int
    servers: list[str] = field(default_factory=list)
    minutes: float = 0.0
    trials: Counter[Round] = field(default_factory=Counter)
    counts: dict[Round, Counter[str]] = field(default_factory=dict)
    values: int = 0
    under_way: list[int] = field(default_factory=list)
    bad_inputs: tuple[int, int] = (0, 0)
    wrong: list[str] = field(default_factory=list)
    commands: dict[str, CommandCounts] = field(default_factory=dict)

    def add_commands(self, counts: CommandCounts) -> None:
        """Add hand-overs of which each command met each fault."""
        self.commands.setdefault(counts.scenario, CommandCounts(counts.scenario)).add(counts)
        self.wrong += counts.wrong

    def add(self, wanted: Round, fault: Fault, counts: Counter[str], wrong: str, *, under_way_bytes: int = 0) -> None:
        """Add a trial."""
        self.trials[wanted] += 1
        self.counts.setdefault(wanted, Counter()).update(counts)
        self.values += fault.count
        self.under_way += [under_way_bytes] if wanted.place == "far" and under_way_bytes else []
        self.wrong += [wrong] if wrong else []

    def summary(self) -> str:
        """Return one sentence, and what went wrong."""
        met = sum(counts["met"] for counts in self.counts.values())
        kills = sum(self.counts[key]["met"] for key in self.counts if _kills(key))
        lost = sum(counts["lost"] for counts in self.counts.values())
        by_command = sum(counts.hand_overs.total() for counts in self.commands.values())
        came = sum(counts.came.total() for counts in self.commands.values())
        said = (
            f"{self.trials.total():,} hand-overs, {self.values:,} values, {met:,} faults, of which {kills:,} killed a "
            f"program or a primary; {lost:,} acknowledged values lost and written again; "
            f"{by_command:,} hand-overs command by command, with {came:,} faults; "
            f"{len(self.wrong)} wrong results\n"
        )
        return said + "".join(f"{line}\n" for line in self.wrong)

    def page(self, now: datetime, machine: str) -> str:
        """Return docs/soak.md."""
        rows = []
        for key in ROUNDS:
            counts = self.counts.get(key, Counter())
            cells = (f"{counts[name]:,}" for name in _COUNTED)
            rows.append(f"| {key.text} | {self.trials[key]} | " + " | ".join(cells) + " |")
        wrong = "".join(f"- {line}\n" for line in self.wrong)
        by_command = [self.commands.get(name, CommandCounts(name)) for name in SCENARIOS]
        is_full = all(self.trials[wanted] >= wanted.number for wanted in ROUNDS)
        is_full &= all(counts.is_full for counts in by_command)
        planned = sum(wanted.number for wanted in ROUNDS)
        inputs, decoders = self.bad_inputs
        return PAGE.format(
            far_ms=FAR_S * 1_000,
            when=f"{now:%Y-%m-%d %H:%M} UTC",
            servers=" and ".join(self.servers),
            machine=machine,
            seed=self.seed,
            minutes=f"{self.minutes:.1f}",
            planned="The full run."
            if is_full
            else f"Not the full run, which has {planned:,} hand-overs, and those command by command.",
            summary=self.summary().splitlines()[0],
            under_way=self._under_way(),
            bad_inputs=f"- {inputs:,} bad inputs to {decoders} decoders, each refused with an error of ours\n"
            if inputs
            else "",
            rows="\n".join(rows),
            segments=SEGMENTS,
            each=EACH,
            count=COUNT,
            faults=" | ".join(_FAULTS.values()),
            rules="---|" * len(_FAULTS),
            command_rows="\n".join(map(_command_row, by_command)),
            wrong=f"\nWrong results:\n\n{wrong}" if wrong else "",
        )

    def _under_way(self) -> str:
        if not self.under_way:
            return "No fault came on the far link."
        mebi = [count / 2**20 for count in self.under_way]
        return (
            f"On the far link the connection that the fault met had {median(mebi):.1f} MiB on its way (median; "
            f"at most {max(mebi):.1f})."
        )


def _command_row(counts: CommandCounts) -> str:
    program = "A" if counts.scenario in _OF_A else "B"
    came = (f"{counts.came[fault]:,}" for fault in _FAULTS)
    return f"| {program}: {counts.scenario} | {len(counts.commands)} | " + " | ".join(came) + " |"


def _kills(wanted: Round) -> bool:
    return wanted.kind in {"kill", "kill2", "late-before", "late-after", "dies", "behind"}
