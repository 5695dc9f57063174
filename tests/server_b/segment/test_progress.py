"""The bar counts what has been read, each value once, whatever happens on the way."""

from __future__ import annotations

from typing import Any

import pytest

from server_b.segment.progress import RunProgress
from shared.endpoint import window
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the bar was told of, by call."""
    told: list[int] = []
    monkeypatch.setattr(RunProgress, "add", lambda _self, values: told.append(values))
    return told


@pytest.mark.parametrize("cut_at", [10, 50, 99])
def test_a_reading_that_is_cut_counts_for_nothing(
    hand_over: HandOver, link: FaultyLink, counted: list[int], monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    monkeypatch.setattr(window, "FIRST_BYTES", 16 * 1024)
    monkeypatch.setattr(window, "LEAST_BYTES", 16 * 1024)
    monkeypatch.setattr(window, "MAX_BYTES", 16 * 1024)
    hand_over.produce(count=100_000)
    link.at(b"LRANGE", lambda: None, nth=cut_at, is_forwarded=False)
    hand_over.consume(url=link.url)
    assert link.cuts == 1
    assert sum(counted) == 100_000
    assert min(counted) < 0


def test_a_list_that_is_touched_while_it_is_read_is_counted_once(
    hand_over: HandOver, link: FaultyLink, client: Any, counted: list[int]
) -> None:
    hand_over.produce(count=100_000)
    key = hand_over.keys.segment(1)

    def touch() -> None:
        client.rpush(key, client.rpop(key))

    link.at(b"LRANGE", touch, nth=60)
    hand_over.consume(url=link.url)
    assert sum(counted) == 100_000
