"""What a wait that ended says: where no signal ever came it names the causes, where all were read it does not."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from server_b.lease import ALL_READ, NO_SIGNALS
from shared.advice import CHECK_BOTH_ENDS
from shared.errors import NotFinishedError
from shared.stopping import StopRequest
from tests.stage.following import Following
from tests.stage.hand_over_in_process import HandOver


def advice_after(hand_over: HandOver, **options: Any) -> str:
    """Return the advice of a consumer that waits in vain."""
    with pytest.raises(NotFinishedError) as caught:
        hand_over.consume(**{"wait_s": 0.2, **options})
    return caught.value.advice


@pytest.mark.parametrize("words", ["URL", "database number", "--namespace", "server-a check --peer-url"])
def test_the_causes_are_named(words: str) -> None:
    assert words in CHECK_BOTH_ENDS
    assert words in NO_SIGNALS


def test_where_no_signal_ever_came(hand_over: HandOver) -> None:
    assert advice_after(hand_over) == CHECK_BOTH_ENDS


@pytest.mark.parametrize("others", [{}, {"consumer": "another"}, {"is_once": False}])
def test_a_consumer_that_starts_at_a_stream_that_was_read_to_its_end(
    hand_over: HandOver, others: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server_b.lease.QUIET_AFTER_S", 0.0)
    monkeypatch.setattr("server_b.lease.BEAT_EVERY_S", 0.0)
    hand_over.produce(count=10)
    hand_over.consume()
    hand_over.logged.entries.clear()
    assert advice_after(hand_over, **others) == ALL_READ
    assert NO_SIGNALS not in hand_over.events()


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
def test_a_follower_that_starts_at_a_stream_that_was_read_to_its_end(following: Following) -> None:
    following.produce(count=10)
    following.follow()
    with pytest.raises(NotFinishedError) as caught, closing(StopRequest()) as stop:
        following.follow(wait_s=0.0, stop=stop)
    assert caught.value.advice == ALL_READ
