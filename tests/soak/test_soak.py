"""The soak run draws the same faults from the same seed, brings them, and says what went wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.stage.command_trials import SCENARIOS, Scenario
from tests.stage.hand_over_in_process import numbers
from tests.stage.servers import binary, connect
from tests.stage.soak_commands import EACH, FAULTS, CommandCounts, Share, carry_out, shares_of
from tests.stage.soak_faults import ROUNDS, Fault, Kind, Round
from tests.stage.soak_places import Alone
from tests.stage.soak_programs import WrongResultError, end_of
from tests.stage.soak_report import Soak
from tests.stage.soak_trial import Trial


@pytest.fixture
def alone(session_directory: object) -> Iterator[Alone]:
    """One server of Valkey 9, as a soak run has it."""
    place = Alone(binary("valkey9"))
    place.start()
    yield place
    place.stop()


def round_of(*key: str) -> Round:
    """Return the round of a program, a place and a kind."""
    return next(wanted for wanted in ROUNDS if wanted[:3] == key)


@pytest.mark.parametrize("wanted", ROUNDS, ids=lambda wanted: "-".join(wanted[:3]))
def test_a_seed_draws_the_same_fault(wanted: Round) -> None:
    assert Fault.draw("7-a", wanted) == Fault.draw("7-a", wanted)
    assert Fault.draw("7-a", wanted) != Fault.draw("7-b", wanted)


@pytest.mark.parametrize("kind", ["kill", "kill2", "late-before", "late-after"])
def test_a_fault_comes_and_the_run_is_carried_on(alone: Alone, kind: Kind) -> None:
    trial = Trial(alone, Fault("server-a", kind, 25_000, 10_000, "to_server", 150_000))
    trial.carry_out()
    assert trial.counts["met"] == 1
    assert trial.counts["resumed"] == 1
    assert trial.counts["at once"] == (2 if kind == "kill2" else 0)


def test_a_fault_on_a_far_link_meets_more_than_a_batch_on_its_way(alone: Alone) -> None:
    trial = Trial(alone, Fault("server-a", "lose", 300_000, 300_000, "to_server", 2_500_000, place="far"))
    trial.carry_out()
    assert trial.counts["met"] == 1
    assert trial.under_way_bytes > 20_000  # a batch is 11,000


def test_another_list_is_noticed(alone: Alone) -> None:
    with connect(alone.server) as client:
        client.lpush("biglist", *numbers(9), b"9")
    with pytest.raises(WrongResultError, match="segment 1"):
        Trial(alone, Fault("server-b", "cut", 10, 10))._require_exact("x")


def test_a_segment_without_its_verdict_is_noticed(alone: Alone) -> None:
    with connect(alone.server) as client:
        client.lpush("biglist", *numbers(10))
        client.hset("{signals}:result:x", "7", '{"verdict": "failed"}')
    with pytest.raises(WrongResultError, match="not verified"):
        Trial(alone, Fault("server-b", "cut", 10, 10))._require_exact("x")


@pytest.mark.parametrize("code", [1, 70, -11])
def test_an_end_that_is_not_documented_is_noticed(code: int) -> None:
    end = f"import os; os.kill(os.getpid(), {-code})" if code < 0 else f"raise SystemExit({code})"
    process = subprocess.Popen([sys.executable, "-c", end], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with pytest.raises(WrongResultError, match=f"ended with {code}"):
        end_of(process, "server-a", is_killed=True)


def test_the_page_says_what_was_counted_and_what_went_wrong() -> None:
    soak, wanted = Soak(7, servers=["Valkey 9"]), round_of("server-a", "near", "kill")
    fault = Fault.draw("7-a", wanted)
    soak.add(wanted, fault, Counter(met=1, resumed=2, lost=2_000), "7-valkey-server-a-near-kill-0: another list")
    page = soak.page(datetime(2026, 11, 27, tzinfo=UTC), "Linux")
    assert "| A killed (SIGKILL), then resumed | 1 | 1 | 2 | 0 | 0 | 2,000 |" in page
    assert "- 7-valkey-server-a-near-kill-0: another list" in page
    assert "1 wrong results" in page
    assert "Not the full run" in page


def test_the_page_counts_the_faults_of_commands() -> None:
    soak = Soak(7, servers=["Valkey 9"])
    for server in ("valkey", "redis"):
        counts = CommandCounts("once", {"XACK", server}, rounds=2, planned=12)
        counts.hand_overs["lost"] = counts.hand_overs["flipped"] = 6
        counts.came["lost"], counts.came["flipped"] = 600, 5
        counts.wrong = [f"7-{server}-command-once-flipped-XACK-0: AssertionError"] if server == "redis" else []
        soak.add_commands(counts)
    page = soak.page(datetime(2026, 11, 27, tzinfo=UTC), "Linux")
    assert "| B: once | 3 | 1,200 | 0 | 0 | 0 | 10 | 0 |" in page
    assert "24 hand-overs command by command, with 1,210 faults; 1 wrong results" in page
    assert "- 7-redis-command-once-flipped-XACK-0: AssertionError" in page


def test_the_page_says_when_the_run_was_full_and_what_was_on_its_way() -> None:
    soak = Soak(7, servers=["Valkey 9"], bad_inputs=(1_234, 16))
    for wanted in ROUNDS:
        for number in range(wanted.number):
            soak.add(wanted, Fault.draw(f"7-{number}", wanted), Counter(met=1), "", under_way_bytes=3 * 2**20)
    for name in SCENARIOS:
        assert "- The full run." not in soak.page(datetime(2026, 11, 27, tzinfo=UTC), "Linux")
        soak.add_commands(CommandCounts(name, rounds=EACH))
    page = soak.page(datetime(2026, 11, 27, tzinfo=UTC), "Linux")
    assert "- The full run." in page
    assert "3.0 MiB on its way" in page
    assert "- 1,234 bad inputs to 16 decoders" in page


def test_the_shares_bring_each_command_each_fault_on_both_servers() -> None:
    binaries = {"valkey": Path("v"), "redis": Path("r")}
    shares = shares_of(7, binaries, 4, only="", end_at=1.0)
    assert [(share.scenario, share.kind, share.rounds) for share in shares] == [
        (name, kind, (first, first + 2))
        for place, name in enumerate(SCENARIOS)
        for kind, first in (("valkey", place % 2), ("redis", 1 - place % 2))
    ]
    only = "7-redis-command-new_run-flipped_reply-XGROUP_CREATE-1"
    assert [(share.scenario, share.kind) for share in shares_of(7, binaries, 4, only=only, end_at=1.0)] == [
        ("new run", "redis")
    ]
    assert [share.rounds for share in shares_of(7, binaries, 1, only="", end_at=1.0)] == [(0,)] * len(SCENARIOS)


def test_one_command_meets_its_fault_once_more() -> None:
    only = "7-valkey-command-once-lost-XACK-1"
    asked = [sys.executable, "-m", "tests.soak", "--only", only, "--inputs", "0"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert re.search(rf"^{only}: time [12] of 2: exact$", ended.stdout, re.MULTILINE)
    assert "1 hand-overs command by command, with 1 faults; 0 wrong results" in ended.stdout


def test_a_hand_over_of_a_command_that_is_not_exact_is_named(
    session_directory: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bool:
        pytest.fail("not verified")

    monkeypatch.setattr(Scenario, "meet", fail)
    counts = carry_out(a_share(only="7-valkey-command-once-late-EXEC-0"))
    assert counts.hand_overs == {"late": 1}
    assert counts.came == {"late": 0}
    (wrong,) = counts.wrong
    assert wrong.startswith("7-valkey-command-once-late-EXEC-0: Failed: not verified")


def test_when_the_time_is_over_no_command_meets_a_fault(session_directory: object) -> None:
    counts = carry_out(a_share(end_at=0.0))
    assert counts.planned == len(FAULTS) * len(counts.commands)
    assert counts.hand_overs == {}
    assert not counts.is_full


def a_share(*, only: str = "", end_at: float = float("inf")) -> Share:
    """Return what brings commands of `--once` each fault once."""
    return Share(7, "valkey", binary("valkey9"), "once", (0,), only, end_at)
