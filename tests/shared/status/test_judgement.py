"""The judgement of `status` on facts alone: which verdicts count, why others lack, and what the sum of it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.status.command import status_text
from shared.status.facts import PENDING, GroupStatus, RunStatus
from shared.status.findings import (
    ANSWERED,
    DIFFERENT,
    GONE,
    LOST_CAUSES,
    MAX_EXAMPLES,
    REPLACED,
    UNSIGNALLED,
    WAITING,
    cause_of_pending,
    is_counted,
)
from shared.verdict import FAILED, SUPERSEDED, VERIFIED
from tests.stage.hand_over_in_process import DIGEST, NEWER, OLDER, RUN
from tests.stage.status_facts import (
    AFTER,
    ATTEMPTS,
    DONE,
    FINISHED,
    FORGOTTEN,
    LAST,
    OTHER_DIGEST,
    READ,
    RUNNING,
    SIGNAL,
    SIGNALLED,
    STATE,
    status_of,
    verdict_on,
)


@pytest.mark.parametrize("verdict", [VERIFIED, FAILED, SUPERSEDED])
@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("digest", [DIGEST, OTHER_DIGEST])
def test_a_verdict_counts_only_where_attempt_and_digest_are_published(verdict: str, attempt: str, digest: str) -> None:
    segment = replace(DONE, verdict=verdict_on(verdict, attempt, digest))
    is_about_it = (attempt, digest) == (ATTEMPTS[1], DIGEST) and verdict != SUPERSEDED
    assert is_counted(segment, RUN) == is_about_it
    assert (status_of([segment]).exit_code == 0) == (is_about_it and verdict == VERIFIED)
    for state in (None, replace(STATE, run_id=OLDER)):  # a list that is not there was not verified
        assert is_counted(replace(segment, state=state), RUN) == (verdict != VERIFIED)
    assert is_counted(replace(segment, state=replace(STATE, run_id=NEWER)), RUN)  # it was true in its time


@pytest.mark.parametrize(
    ("changes", "run", "group", "cause"),
    [
        ({}, FINISHED, READ, ANSWERED),
        ({}, FINISHED, replace(READ, pending=1), WAITING),
        ({"signal_id": LAST}, FINISHED, READ, ANSWERED),
        ({"signal_id": AFTER}, FINISHED, READ, WAITING),
        ({}, FINISHED, GroupStatus(), WAITING),
        ({"signal_id": "9-0"}, FINISHED, READ, ANSWERED),  # ids are numbers: as texts 9 sorts after 100
        ({"has_entry": False, "signal": None}, FINISHED, READ, GONE),
        ({"has_entry": False, "signal": None, "signal_id": AFTER}, FINISHED, READ, GONE),
        ({"has_entry": False, "signal": None}, FINISHED, GroupStatus(), GONE),
        ({"signal": None}, FINISHED, READ, DIFFERENT),
        ({"signal": replace(SIGNAL, attempt=ATTEMPTS[0])}, FINISHED, READ, DIFFERENT),
        ({"signal": replace(SIGNAL, attempt=ATTEMPTS[2])}, FINISHED, GroupStatus(), DIFFERENT),
        ({"signal": replace(SIGNAL, digest=OTHER_DIGEST)}, FINISHED, READ, DIFFERENT),
        ({"signal": replace(SIGNAL, count=9)}, FINISHED, READ, DIFFERENT),
        ({"signal": replace(SIGNAL, segment=2)}, FINISHED, READ, DIFFERENT),
        ({"signal": replace(SIGNAL, segments=2)}, FINISHED, READ, DIFFERENT),
        ({"signal": replace(SIGNAL, run_id=OLDER)}, FINISHED, READ, DIFFERENT),
        ({"signal_id": "", "has_entry": False, "signal": None}, FINISHED, READ, UNSIGNALLED),
        ({"state": None}, FINISHED, READ, WAITING),
        ({"state": replace(STATE, run_id=OLDER)}, FINISHED, READ, WAITING),
        ({"state": replace(STATE, count=0, digest="")}, FINISHED, READ, WAITING),
        ({"state": replace(STATE, run_id=NEWER)}, FINISHED, READ, REPLACED),
        ({"state": replace(STATE, run_id=NEWER)}, RUNNING, READ, REPLACED),
        ({"has_entry": False, "signal": None}, RUNNING, READ, WAITING),
        ({"signal_id": ""}, RUNNING, READ, WAITING),
        ({"has_entry": False, "signal": None}, FORGOTTEN, READ, WAITING),
    ],
)
def test_why_a_verdict_lacks(changes: dict[str, object], run: RunStatus, group: GroupStatus, cause: str) -> None:
    segment = replace(SIGNALLED, **changes)  # type: ignore[arg-type]
    assert cause_of_pending(segment, run, group) == cause
    status = status_of([segment], run, group)
    assert status.exit_code != 0 or run is FORGOTTEN
    said = [sentence for sentence in status.problems if cause in sentence]
    assert len(said) == (cause in LOST_CAUSES)
    assert all(f"server-a run --resume {RUN}" in sentence for sentence in said)


def test_the_causes_are_counted_and_the_cure_is_said_once() -> None:
    run = replace(FINISHED, segments=5)
    gone = replace(SIGNALLED, has_entry=False, signal=None)
    signalled = replace(SIGNALLED, signal=replace(SIGNAL, segments=5))
    said = status_of([DONE, signalled, gone, gone, replace(gone, signal_id="")], run).problems
    causes = f"1 {UNSIGNALLED}, 2 {GONE}, 1 {ANSWERED}"
    expected = f"run {RUN} has verdicts on 1 of 5 segments: {causes}; signal again with: server-a run --resume {RUN}"
    assert said == [expected]


@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("undelivered", [0, 1, 2])
@pytest.mark.parametrize("pending", [0, 1])
@pytest.mark.parametrize("is_finished", [True, False])
def test_a_healthy_run_in_progress_is_under_way_and_not_wrong(
    *, published: int, undelivered: int, pending: int, is_finished: bool
) -> None:
    run = replace(RUNNING, segments=2, published=2 if is_finished else published, is_finished=is_finished)
    group = replace(READ, lag=undelivered, has_undelivered=bool(undelivered), pending=pending)
    there = replace(SIGNALLED, signal_id=AFTER, signal=replace(SIGNAL, segments=2))
    missing = there if is_finished else replace(SIGNALLED, state=None, length=0)
    status = status_of([there if number < published else missing for number in range(2)], run, group)
    assert (status.exit_code, status.problems) == (75, [])
    text = status_text(status)
    assert "Wrong: " not in text
    assert "Nothing is wrong" not in text
    assert text.count("Under way: ") == len(status.under_way) > 0


@pytest.mark.parametrize("first_run", [NEWER, RUN])
@pytest.mark.parametrize("run", [FINISHED, RUNNING])
def test_a_run_that_a_newer_one_replaced_is_called_superseded(run: RunStatus, first_run: str) -> None:
    replaced = replace(SIGNALLED, state=replace(STATE, run_id=NEWER))
    status = status_of([replaced], run, first_run=first_run)
    assert status.runs[0].verdict == SUPERSEDED
    assert PENDING not in status_text(status).split("Signals:")[0]
    assert status.exit_code == 75
    assert any(NEWER in sentence for sentence in status.problems + status.under_way)


@pytest.mark.parametrize(("idle_ms", "is_told"), [([61_000], True), ([61_000, 90_000], True), ([61_000, 900], False)])
@pytest.mark.parametrize(("lag", "pending"), [(1, 0), (0, 1), (0, 0)])
def test_that_no_server_b_lives_is_told_where_something_is_left_for_it(
    *, idle_ms: list[int], is_told: bool, lag: int, pending: int
) -> None:
    consumers = [{"name": f"b{idle}", "pending": pending, "idle_ms": idle} for idle in idle_ms]
    group = replace(READ, consumers=consumers, lag=lag, has_undelivered=bool(lag), pending=pending)
    text = status_text(status_of([replace(SIGNALLED, signal_id=AFTER)], group=group))
    told = "; no server-b has looked for them for 61 s: start one" in text
    assert told == (is_told and bool(lag or pending))


@pytest.mark.parametrize("number", [1, MAX_EXAMPLES, MAX_EXAMPLES + 1, 50_000])
def test_a_large_run_that_is_lost_is_told_in_few_sentences(number: int) -> None:
    lost = replace(DONE, state=None, length=0)
    problems = status_of([lost] * number, replace(FINISHED, segments=number)).problems
    assert len(problems) == min(number, MAX_EXAMPLES) + (number > MAX_EXAMPLES)
    if number > MAX_EXAMPLES:
        assert problems[-1].startswith(f"{number - MAX_EXAMPLES:,} more segments of run {RUN}")


def test_what_was_not_looked_at_is_no_all_clear() -> None:
    assert status_of([DONE]).exit_code == 0
    status = status_of([DONE], not_looked_at=["some keys"])
    assert status.exit_code == 75
    text = status_text(status)
    assert text.splitlines()[-1] == "Not looked at: some keys"
    assert "Nothing is wrong" not in text
    assert status_of([DONE], dead_letters=1, not_looked_at=["some keys"]).exit_code == 65


def test_the_lists_of_the_json_object_are_there_however_empty() -> None:
    found = status_of([DONE]).as_json()
    assert [found[name] for name in ("troubles", "under_way", "not_looked_at", "is_empty")] == [[], [], [], False]
    assert list(found) == [
        *("endpoint", "namespace", "runs", "group", "dead_letters", "troubles", "under_way", "not_looked_at"),
        *("is_empty", "exit_code"),
    ]


@pytest.mark.parametrize(
    ("run", "is_followed", "advice"),
    [
        (FINISHED, False, f"server-a run --resume {RUN} --repair"),
        (FINISHED, True, "its verdicts are on this host alone, so write another with: server-a run"),
        (FORGOTTEN, False, "write another with: server-a run"),
        (FORGOTTEN, True, "write another with: server-a run"),
    ],
)
def test_a_failed_run_is_told_with_what_mends_it(*, run: RunStatus, is_followed: bool, advice: str) -> None:
    """A repair needs the verdicts at server-a's URL, and a resume the record."""
    failed = replace(DONE, verdict=verdict_on(FAILED))
    (said,) = status_of([failed], run, is_followed=is_followed).problems
    assert said.endswith(advice)
