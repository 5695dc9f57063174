"""Each command that a program sends, to each of the faults of a link: the hand-over is exact in the end.

Which commands those are nobody lists: a hand-over without a fault is listened to first. Here each name meets each fault
the last time it comes, or the first where it comes less often now, spread over both servers.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from demo.servers import Server
from tests.stage.command_link import Fault
from tests.stage.command_trials import SCENARIOS, CommandStage, command_stage
from tests.stage.servers import Kind

FAULTS: tuple[Fault, ...] = get_args(Fault)
KINDS: tuple[Kind, ...] = ("valkey9", "redis7")
SEED = 20261127
# whose commands meet all faults; the others mostly send what these do, and there each command meets one of them
ALL_FAULTS = ("new run", "once")
ONE_FAULT = [name for name in SCENARIOS if name not in ALL_FAULTS]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "fault", "server_kind"),
    [(name, fault, KINDS[number % 2]) for name in ALL_FAULTS for number, fault in enumerate(FAULTS)],
    indirect=["server_kind"],
)
def test_a_hand_over_is_exact_after_each_fault_of_each_command(
    *, name: str, fault: Fault, own_server: Server, tmp_path: Path
) -> None:
    with command_stage(own_server, tmp_path / "state") as stage:
        _meet_each(stage, name, FAULTS.index(fault), is_same=True)


@pytest.mark.parametrize(
    ("name", "first", "server_kind"),
    [(name, number, KINDS[number % 2]) for number, name in enumerate(ONE_FAULT)],
    indirect=["server_kind"],
)
def test_a_hand_over_is_exact_after_a_fault_of_each_command(
    *, name: str, first: int, own_server: Server, tmp_path: Path
) -> None:
    with command_stage(own_server, tmp_path / "state") as stage:
        _meet_each(stage, name, first, is_same=False)


def _meet_each(stage: CommandStage, name: str, first: int, *, is_same: bool) -> None:
    scenario = SCENARIOS[name]
    times = scenario.begin(stage)
    came = 0
    for number, (command, nth) in enumerate(times.items()):
        fault = FAULTS[first if is_same else (first + number) % len(FAULTS)]
        came += any(scenario.meet(stage, fault, command, each, seed=f"{SEED}-{command}-{each}") for each in (nth, 1))
    assert came > len(times) // 2
