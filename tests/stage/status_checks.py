"""Checks of what `status` says, and a run that is stopped at a chosen request."""

from __future__ import annotations

from contextlib import closing

import pytest

from shared.errors import NotFinishedError, VerificationFailedError
from shared.status.command import status_text
from shared.status.status import Status
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver
from tests.stage.seen_stops import SeenStop

DONE, WRONG, UNFINISHED = 0, VerificationFailedError.exit_code, NotFinishedError.exit_code


def run_stopped_at(request: bytes, hand_over: HandOver, link: FaultyLink, *, nth: int = 1) -> str:
    """Have a run of three segments stopped at its nth request with a text, and return the run's id.

    A segment is larger than the in-flight window: the writer waits for a reply before it has sent all of it.
    """
    with closing(SeenStop()) as stop:
        # the run's own thread waits for the signals that it sends
        link.at(request, stop.request if request == b"XADD" else stop.request_and_be_seen, nth=nth)
        with pytest.raises(NotFinishedError):
            hand_over.produce(url=link.url, stop=stop, count=300_000, segment_values=100_000)
    return begun_run(hand_over)


def begun_run(hand_over: HandOver) -> str:
    """Return the id of the run that a producer began last."""
    started = next(entry for entry in hand_over.logged.entries[::-1] if entry["event"] == "run started")
    return str(started["run_id"])


def require_status(status: Status, exit_code: int, *sentences: str) -> None:
    """Check the exit code, and that the sentences are just these, each known by some of its words.

    What is wrong comes first, then what is under way, then what was not looked at.
    """
    assert status.exit_code == exit_code, status
    said = status.problems + status.under_way + status.not_looked_at
    assert len(said) == len(sentences), said
    for sentence, words in zip(said, sentences, strict=True):
        assert words in sentence
    text = status_text(status)
    assert text.count("\nWrong: ") == len(status.problems)
    assert text.count("\nUnder way: ") == len(status.under_way)
    assert text.count("\nNot looked at: ") == len(status.not_looked_at)
    assert ("\nNothing is wrong." in text) == (exit_code == DONE)
    assert text.splitlines()[-1].startswith(("Nothing of a hand-over", "No run is here yet")) == status.is_empty
