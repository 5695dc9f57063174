"""The bar counts what has been read, each value once, whatever happens on the way."""

from __future__ import annotations

import random
import sys
from contextlib import closing
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from server_b.segment.progress import RunProgress
from shared.endpoint import window
from shared.program.progress import Progress
from shared.verdict import FAILED, VERIFIED
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver
from tests.stage.status_facts import SIGNAL, VERDICT


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


def _calls_of_a_run(segments: int) -> int:
    """Return how many functions and generators of Python are entered while so many segments get their verdicts."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    with closing(RunProgress()) as progress:
        signal = replace(SIGNAL, segments=segments)
        progress.begin(signal, None)
        before = sys.getprofile()
        sys.setprofile(count)
        try:
            for number in range(1, segments + 1):
                progress.examined(replace(signal, segment=number), VERDICT, of_all=number)
        finally:
            sys.setprofile(before)
    return calls


def test_a_segment_costs_the_same_however_many_were_read_before() -> None:
    """Each was added up again after each: 20,000 segments took 10 s for that alone, 100,000 minutes."""
    assert _calls_of_a_run(2_000) <= 2.5 * _calls_of_a_run(1_000)


@pytest.mark.parametrize("seed", range(50))
def test_what_is_added_up_is_what_the_segments_say(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where segments are read again under later attempts, with another verdict, in any order."""
    rng, drawn, known = random.Random(seed), list[int](), dict[int, tuple[str, int]]()
    monkeypatch.setattr(Progress, "count", lambda _self, values: drawn.append(values))
    segments, lines = rng.randint(1, 20), list[Any]()
    monkeypatch.setattr(
        Progress, "segments", property(lambda _: None, lambda _, line: lines.append(line)), raising=False
    )
    with closing(RunProgress()) as progress:
        signal = replace(SIGNAL, segments=segments, count=10)
        progress.begin(signal, None)
        for _ in range(rng.randint(1, 60)):
            number, verdict, count = rng.randint(1, segments), rng.choice([VERIFIED, FAILED]), rng.randint(1, 9)
            again = known.get(number, (VERIFIED, 0))[1]
            drawn.clear()
            progress.examined(replace(signal, segment=number, count=count), replace(VERDICT, verdict=verdict))
            known[number] = verdict, count
            verified = sum(found == VERIFIED for found, _ in known.values())
            assert lines[-1][1].split(", ")[0] == f"{verified:,} of {segments:,} verified"
            assert lines[-1][1].endswith(f"{len(known) - verified:,} not") == (verified < len(known))
            assert drawn[0] == -again
