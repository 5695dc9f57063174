"""Hashes of strangers under the name of a run's result, of any size: no more is read of them than is asked for."""

from __future__ import annotations

import pytest

from shared.verdict import FAILED, SegmentVerdict
from tests.stage.hand_over_in_process import NEWER
from tests.stage.inside import run_inside
from tests.stage.lied_to import Victim, require_an_end, short_waits, victim
from tests.stage.raw import call

__all__ = ["short_waits", "victim"]

SIZE = 5_000
FEW = 1_000_000
ENDS = {"report": 2, "explain": 2, "run": 75}
COMMANDS: dict[str, tuple[str, ...]] = {
    "report": ("report", "RUN", "--json"),
    "explain": ("explain", "RUN", "--json"),
    "run": ("run", "--once", "--wait-s", "0.1", "--run", "RUN"),
}
VERDICT = SegmentVerdict(FAILED, NEWER, 1, 100_000, 1, "0" * 32, reason="x").encode().encode()


def _replies(victim: Victim, command: str, run_id: str) -> tuple[list[int], int, int]:
    """Return the sizes of the replies to a command, how often HMGET was asked, and the exit code."""
    sizes, link = [0], victim.link

    def note(reply: bytes) -> bytes:
        sizes.append(len(reply))
        return reply

    link.change(note)
    asked = len(link.asked)
    ended = run_inside(
        "server-b", *(run_id if each == "RUN" else each for each in COMMANDS[command]), "--url", link.url
    )
    link.tell_the_truth()
    require_an_end(ended, "server-b", command)
    return sizes, sum(each.startswith("HMGET") for each in link.asked[asked:]), ended.exit_code


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["x%d", "%d", "0%d"])
def test_a_hash_of_ten_thousand_fields_that_are_no_verdicts(victim: Victim, command: str, name: str) -> None:
    """Its number of fields was taken for that of the segments, and all of it was read: here 50 MB."""
    key = victim.keys.result(NEWER)
    for first in range(1, 10_001, 500):
        fields = [part for n in range(first, first + 500) for part in (name % n, b"x" * SIZE)]
        call(victim.server, "HSET", key, *fields)
    sizes, asked, code = _replies(victim, command, NEWER)
    assert code == ENDS[command]
    # a thousand of them may be asked for at once where they have the names of verdicts
    assert max(sizes) < (1_002 * SIZE if name == "%d" else 100_000)
    assert sum(sizes) < (60_000_000 if command == "explain" and name == "%d" else 12_000_000)
    assert asked < 120


@pytest.mark.parametrize("command", COMMANDS)
def test_one_verdict_that_says_a_hundred_thousand(victim: Victim, command: str) -> None:
    """Nothing beyond what is there is asked for by `run`; the others look at as many segments, as of a run of ours."""
    key = victim.keys.result(NEWER)
    call(victim.server, "HSET", key, "1", VERDICT, "x", b"x" * 30 * FEW)
    sizes, _, code = _replies(victim, command, NEWER)
    assert code == {"report": 0, "explain": 0, "run": 75}[command]
    assert max(sizes) < FEW
    assert sum(sizes) < 20 * FEW
