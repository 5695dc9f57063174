"""What is waited for after an attempt failed: an outage, and a server that still frees what was replaced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import structlog

from server_a.run import losses
from server_a.run.losses import Losses
from server_a.run.record import RunJournal
from server_a.run.tasks import WriteTask
from shared.endpoint.endpoint import Endpoint, ServerClock
from shared.endpoint.retry import Retry
from shared.errors import FullServerError, NotFinishedError, SupersededError, TransientError
from shared.keys import Keyspace
from shared.program.progress import Progress
from shared.record import RunRecord
from shared.segments import SegmentRange
from shared.stopping import StopRequest
from tests.stage.hand_over_in_process import OLDER, RUN

WORDS = {"where": "w", "expected": "e", "got": "g"}
TASK = WriteTask(SegmentRange(1, 0, 10), "biglist", "{biglist}:staging:x", OLDER)


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """A stop request without signals."""
    with closing(StopRequest()) as request:
        yield request


@pytest.fixture
def made(endpoint: Endpoint, keys: Keyspace, stop: StopRequest) -> Iterator[Losses]:
    retry = Retry(10.0, stop, on_outage=lambda _error: None, refresh=endpoint.refresh)
    record = RunRecord(RUN, "values", 10, 10, 5, users=0, skus=0, carts=0, seed=1, retain_ms=60_000)
    with Progress("Writing", 10) as progress:
        journal = RunJournal(endpoint, keys, record, progress, known=None, retry=retry, clock=ServerClock())
        yield Losses(endpoint, keys, journal, retry, stop, structlog.get_logger())


def test_a_full_server_ends_a_run_that_has_replaced_nothing(made: Losses) -> None:
    with pytest.raises(FullServerError):
        made.wait_out(TASK, FullServerError(**WORDS), lost_s=time.monotonic())


def test_a_full_server_that_still_frees_is_waited_for(made: Losses, monkeypatch: pytest.MonkeyPatch) -> None:
    made.note_publication()
    for _ in range(3):
        made.wait_out(TASK, FullServerError(**WORDS), lost_s=time.monotonic())
    assert made.retry.outage_count == 0
    monkeypatch.setattr(losses, "FREEING_S", -1.0)  # the time is over
    with pytest.raises(FullServerError):
        made.wait_out(TASK, FullServerError(**WORDS), lost_s=time.monotonic())


@pytest.mark.parametrize("error", [NotFinishedError(**WORDS), SupersededError(**WORDS), ValueError("bad")])
def test_what_is_not_to_be_repeated_is_raised(made: Losses, error: Exception) -> None:
    made.note_publication()
    with pytest.raises(type(error)):
        made.wait_out(TASK, error, lost_s=time.monotonic())


def test_one_outage_that_ends_several_attempts_is_waited_out_once(made: Losses) -> None:
    lost_s = time.monotonic()
    error = TransientError(where="w", expected="e", got="g")
    made.wait_out(TASK, error, lost_s=lost_s)
    made.give_up(TASK)
    made.wait_out(TASK, error, lost_s=lost_s)
    assert made.retry.outage_count == 1
