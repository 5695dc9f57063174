"""A soak run's hand-overs of which each command meets each fault: one scenario on one server, in a process of its own.

A process, since a scenario works inside it, with shorter time-outs: two of them in one would wait for each other.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from demo.parent import end_with_parent
from demo.servers import Server
from tests.stage.command_link import Fault
from tests.stage.command_trials import SCENARIOS, command_stage

FAULTS: tuple[Fault, ...] = get_args(Fault)
_EXACT, _CAME_NOT = "exact", "the fault did not come"
EACH = 4  # hand-overs of each command with each fault in a full run


class Share(NamedTuple):
    """What one process does.

    Attributes:
        seed: Draws which time of a command meets the fault, and which byte.
        kind: Of the server, in names.
        scenario: A name in SCENARIOS.
        rounds: The numbers of the hand-overs of each command with each fault.
        only: The name of the one hand-over that is wanted; empty: all.
        end_at: Until when, as `time.time` says.
    """

    seed: int
    kind: str
    binary: Path
    scenario: str
    rounds: tuple[int, ...]
    only: str
    end_at: float


@dataclass
class CommandCounts:
    """What came of hand-overs of one scenario.

    Attributes:
        commands: Names that it sends.
        hand_overs: Those that are over, by fault.
        came: Faults that came.
        rounds: Hand-overs of each command with each fault, if the time suffices.
        planned: All of them.
    """

    scenario: str
    commands: set[str] = field(default_factory=set)
    rounds: int = 0
    planned: int = 0
    hand_overs: Counter[Fault] = field(default_factory=Counter)
    came: Counter[Fault] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether it is what a full run does."""
        return self.rounds >= EACH and self.hand_overs.total() == self.planned

    def add(self, other: CommandCounts) -> None:
        """Add what came of the same scenario elsewhere."""
        self.commands |= other.commands
        self.rounds += other.rounds
        self.planned += other.planned
        self.hand_overs += other.hand_overs
        self.came += other.came
        self.wrong += other.wrong


def shares_of(seed: int, binaries: dict[str, Path], each: int, *, only: str, end_at: float) -> list[Share]:
    """Return who does what; the servers take turns."""
    shares = []
    for place, scenario in enumerate(SCENARIOS):
        for turn, (kind, binary) in enumerate(binaries.items()):
            if only.startswith(_name_of(seed, kind, scenario)) or not only:
                rounds = tuple(number for number in range(each) if (place + number) % len(binaries) == turn)
                shares.append(Share(seed, kind, binary, scenario, rounds, only, end_at))
    return [share for share in shares if share.rounds]


def carry_out_shares(shares: list[Share], jobs: int, add: Callable[[CommandCounts], object]) -> None:
    """Carry them out, so many at once, and pass on what was counted."""
    ends_with_us = partial(end_with_parent, os.getpid())
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=ends_with_us) as pool:
        for counts in pool.map(carry_out, shares):
            add(counts)


def carry_out(share: Share) -> CommandCounts:
    """Let each command of a scenario meet each fault, in an order that is drawn; print each hand-over."""
    counts, scenario = CommandCounts(share.scenario, rounds=len(share.rounds)), SCENARIOS[share.scenario]
    with (
        Server(share.binary) as server,
        tempfile.TemporaryDirectory() as folder,
        command_stage(server, Path(folder) / "state") as stage,
    ):
        times = scenario.begin(stage)
        counts.commands = set(times)
        for number, fault, command in _drawn(share, times):
            name = f"{_name_of(share.seed, share.kind, share.scenario)}{fault}-{command}-{number}".replace(" ", "_")
            if share.only not in ("", name):
                continue
            counts.planned += 1
            if time.time() < share.end_at:
                nth = random.Random(name).randint(1, times[command])
                said = _meet(partial(scenario.meet, stage), fault, command, nth, name)
                counts.hand_overs[fault] += 1
                counts.came[fault] += said == _EXACT
                counts.wrong += [f"{name}: {said}"] if said not in (_EXACT, _CAME_NOT) else []
                sys.stdout.write(f"{name}: time {nth} of {times[command]}: {said}\n")
                sys.stdout.flush()
    return counts


def _meet(meet: Callable[..., bool], fault: Fault, command: str, nth: int, name: str) -> str:
    """Return what came of it; where the command came fewer times than when it was listened to, try an earlier one."""
    while nth:
        try:
            if meet(fault, command, nth, seed=name):
                return _EXACT
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever it is, it is told
            notes = "; ".join(getattr(error, "__notes__", []))
            return f"{type(error).__name__}: {error} ({notes})"
        nth //= 2
    return _CAME_NOT


def _drawn(share: Share, times: dict[str, int]) -> list[tuple[int, Fault, str]]:
    found = [(number, fault, command) for number in share.rounds for fault in FAULTS for command in times]
    random.Random(share.seed).shuffle(found)
    return found


def _name_of(seed: int, kind: str, scenario: str) -> str:
    return f"{seed}-{kind}-command-{scenario}-".replace(" ", "_")
