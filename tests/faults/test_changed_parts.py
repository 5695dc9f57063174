"""Both programs against a server that says the truth but for one part of a reply: of another type, missing, or twice.

A whole reply of another shape is refused where it comes in. One wrong part gets further: into transactions, pages and
lists whose elements nobody looks at one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.verdict import SegmentVerdict
from tests.stage.changed_replies import changed_replies
from tests.stage.inside import run_inside
from tests.stage.lied_to import READS, WRITES, Victim, require_an_end, short_waits, victim
from tests.stage.programs import Name
from tests.stage.raw import call

__all__ = ["short_waits", "victim"]

MOST_RUNS = 80  # of a command, spread over all changes of all of its replies
_LONGEST_REPLY = 4_000


def test_an_explanation(victim: Victim) -> None:
    result = victim.keys.result(victim.run_id)
    for segment in ("1", "2"):
        verdict = SegmentVerdict.decode(call(victim.server, "HGET", result, segment))
        assert verdict is not None
        failed = verdict.encode().replace('"verified"', '"failed"', 1)
        victim.client.hset(result, segment, failed)
    _change_each(victim, "server-b", ("explain", victim.run_id))


@pytest.mark.parametrize("removes", [False, True])
def test_a_purge(victim: Victim, *, removes: bool) -> None:
    arguments = ("purge", "--shop", "--yes" if removes else "--dry-run")
    _change_each(victim, "server-a", arguments, prepare=victim.hand_over if removes else None)


def test_reports(victim: Victim, tmp_path: Path) -> None:
    _change_each(victim, "server-b", ("report", "--json", "--html", str(tmp_path / "report.html")))


@pytest.mark.parametrize("name", ["server-a", "server-b"])
def test_status(victim: Victim, name: Name) -> None:
    _change_each(victim, name, ("status", "--json"))


def test_the_current_list(victim: Victim) -> None:
    _change_each(victim, "server-b", ("read",))


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "list"),
        ("user", "show", "1"),
        ("user", "add", "2", "--first-name", "A", "--last-name", "B"),
        ("user", "remove", "1"),
        ("sku", "list"),
        ("cart", "show", "1"),
        ("cart", "add", "1", "sku123"),
        ("cart", "remove", "1", "sku123"),
    ],
    ids=" ".join,
)
def test_the_shop(victim: Victim, arguments: tuple[str, ...]) -> None:
    _change_each(victim, "server-a", arguments, prepare=victim.hand_over, most_runs=40)


@pytest.mark.parametrize("what", ["list", "retry", "drop"])
def test_dead_letters(victim: Victim, what: str) -> None:
    _change_each(victim, "server-b", ("dead", what), prepare=victim.hand_over, most_runs=40)


def test_a_run(victim: Victim) -> None:
    _change_each(victim, "server-a", WRITES)


def test_a_consumer(victim: Victim) -> None:
    _change_each(victim, "server-b", READS, prepare=victim.signal_again)


def test_a_follower(victim: Victim) -> None:
    call(victim.server, "REPLICAOF", "127.0.0.1", 1)
    _change_each(victim, "server-b", (*READS, "--run", victim.run_id))


def _change_each(
    victim: Victim,
    name: Name,
    arguments: tuple[str, ...],
    *,
    prepare: Callable[[], None] | None = None,
    most_runs: int = MOST_RUNS,
) -> None:
    """Run it once in truth to see which replies it gets, then with each changed in one part, as often as may be."""
    link, prepare = victim.link, prepare or victim.nothing
    replies: list[bytes] = []

    def note(reply: bytes) -> bytes:
        replies.append(reply)
        return reply

    link.change(note)
    prepare()
    truth = run_inside(name, *arguments, "--url", link.url)
    assert truth.exit_code in (0, 65, 75), truth.stderr
    link.tell_the_truth()
    changes = [
        (nth, changed)
        for nth, reply in enumerate(replies, 1)
        if len(reply) <= _LONGEST_REPLY
        for changed in changed_replies(reply)
    ]
    for nth, changed in changes[:: -(-len(changes) // most_runs)]:
        prepare()
        link.lie(changed, nth=nth)
        ended = run_inside(name, *arguments, "--url", link.url)
        link.tell_the_truth()
        require_an_end(ended, name, f"{' '.join((name, *arguments))}: {changed[:300]!r} as reply {nth}")
    assert link.told >= min(most_runs, len(changes)) // 4
