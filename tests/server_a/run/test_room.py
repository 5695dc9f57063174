"""What a run needs at each server, and what it takes from what older runs left there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from demo.servers import Server
from server_a.run.new_run import record_of
from server_a.run.room import Found, Room
from server_a.run.settings import RunSettings
from server_a.run.values import NumberSource
from shared.check.memory import Need, NodeMemory
from shared.check.permissions import ANY_TOKEN
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.state import SegmentState
from shared.stopping import StopRequest
from tests.stage.hand_over_in_process import DIGEST, OLDER

SEGMENT_VALUES, SEGMENTS = 100_000, 10
SEGMENT_BYTES = 5 * SEGMENT_VALUES  # and at most 3 % more, or 10 % less for those of small numbers


@pytest.fixture
def endpoint(valkey9: Server) -> Iterator[Endpoint]:
    """A server, which is never asked."""
    with closing(open_endpoint(EndpointSettings(parse_url(valkey9.url)))) as opened:
        yield opened


def room(endpoint: Endpoint, found: Found, segments: int = SEGMENTS) -> Room:
    """Return what compares the needs of a run of ten segments."""
    source = NumberSource(SEGMENT_VALUES * segments)
    record = record_of(RunSettings(count=source.count, segment_values=SEGMENT_VALUES), source, ANY_TOKEN)
    return Room(endpoint, Keyspace(), record, source, found)


def states(count: int = SEGMENT_VALUES, *, run_id: str = OLDER, segments: int = SEGMENTS) -> dict[int, SegmentState]:
    """Return the states of segments of one run."""
    return {number: SegmentState(run_id, OLDER, count, DIGEST) for number in range(1, segments + 1)}


def peak_bytes(room: Room) -> int:
    """Return what the one server needs at most."""
    (need,) = room.needs().values()
    assert need.peak_bytes <= need.total_bytes
    return need.peak_bytes


@pytest.mark.parametrize(
    ("found", "segments"),
    [
        (Found(), SEGMENTS),
        (Found(states()), 1),  # each replaces one of its size
        (Found(states(SEGMENT_VALUES // 2)), 5.5),
        (Found(states(2 * SEGMENT_VALUES)), 1),
        (Found(states(0)), SEGMENTS),  # removed already
        (Found(states(segments=2 * SEGMENTS)), 1),  # those beyond ours are removed at the end
        (Found(states(segments=4)), 6),
        (Found(states(run_id=ANY_TOKEN, segments=8)), 2),  # published by the run itself, which is resumed
        (Found(states(run_id=ANY_TOKEN)), 0),
    ],
)
def test_what_a_run_needs_while_it_replaces_an_older_one(endpoint: Endpoint, found: Found, segments: float) -> None:
    assert peak_bytes(room(endpoint, found)) == pytest.approx(segments * SEGMENT_BYTES, rel=0.05, abs=50_000)


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 10, 11, 100])
def test_segments_under_way_at_once_are_there_beside_those_they_replace(endpoint: Endpoint, at_once: int) -> None:
    (need,) = room(endpoint, Found(states())).needs(at_once=at_once).values()
    assert need.peak_bytes == pytest.approx(min(at_once, SEGMENTS) * SEGMENT_BYTES, rel=0.05, abs=50_000)


@pytest.mark.parametrize("fitting", [1, 2, 3, 4, 5, 9])
def test_as_many_are_under_way_as_fit(endpoint: Endpoint, fitting: int) -> None:
    looking = room(endpoint, Found(states()))
    (need,) = looking.needs(at_once=fitting).values()
    used_bytes = 100_000_000
    memory = NodeMemory(endpoint.name, used_bytes, used_bytes + need.peak_bytes, 0, "noeviction")
    looking.found.memory[endpoint.name] = memory
    with closing(StopRequest()) as stop:
        assert looking.require(stop, most=5) == min(fitting, 5)


class CountingRoom(Room):
    """A room that counts how often it goes through all segments: two seconds each time where there are 100,000."""

    looks = 0

    def needs(self, *, at_once: int = 1) -> dict[str, Need]:
        """Count it."""
        self.looks += 1
        return super().needs(at_once=at_once)


def short_room(endpoint: Endpoint, fitting: int, segments: int) -> CountingRoom:
    """Return one where so many segments may be under way."""
    given = room(endpoint, Found(states(segments=segments)), segments)
    (need,) = given.needs(at_once=fitting).values()
    used_bytes = 100_000_000
    given.found.memory[endpoint.name] = NodeMemory(
        endpoint.name, used_bytes, used_bytes + need.peak_bytes, 0, "noeviction"
    )
    return CountingRoom(given.endpoint, given.keys, given.record, given.source, given.found)


@pytest.mark.parametrize(("most", "looks"), [(9, 6), (65, 9), (513, 12)])
@pytest.mark.parametrize("fitting", [1, 2, 5, 8, 9, 10, 32, 33, 64, 65, 66, 599])
def test_how_many_fit_is_found_by_halves(endpoint: Endpoint, fitting: int, most: int, looks: int) -> None:
    looking = short_room(endpoint, fitting, 600)
    with closing(StopRequest()) as stop:
        assert looking.require(stop, most=most) == min(fitting, most)
    assert looking.looks <= looks
    if fitting >= most:
        assert looking.looks == 2, "one for whether one fits, one for whether all do"


@pytest.mark.parametrize("fitting", [1, 5, 9])
def test_a_stop_request_ends_the_search_for_room(endpoint: Endpoint, fitting: int) -> None:
    looking = short_room(endpoint, fitting, SEGMENTS)
    with closing(StopRequest()) as stop:
        stop.request()
        with pytest.raises(NotFinishedError) as caught:
            looking.require(stop, most=9)
    assert caught.value.got == "a stop request"
    assert looking.looks <= 1


def test_what_older_lines_free_is_taken_at_most(endpoint: Endpoint) -> None:
    looking = room(endpoint, Found(states()))
    looking.found.memory[endpoint.name] = NodeMemory(endpoint.name, 10**9, 0, 0, "noeviction")
    numbers = peak_bytes(looking)
    looking.old_value_bytes[OLDER] = 2
    assert peak_bytes(looking) > 5 * numbers, "they free less"
    looking.old_value_bytes[OLDER] = 100
    assert peak_bytes(looking) < numbers * 1.1
    looking.old_value_bytes[OLDER] = None
    assert peak_bytes(looking) < numbers * 1.1


def test_foreign_lists_that_are_replaced_may_free_anything(endpoint: Endpoint) -> None:
    looking = room(endpoint, Found(foreign={1}))
    looking.found.memory[endpoint.name] = NodeMemory(endpoint.name, 10**9, 0, 0, "noeviction")
    assert peak_bytes(looking) == pytest.approx(SEGMENT_BYTES, rel=0.1), "only when the first is published"


def test_a_shop_that_is_there_needs_nothing(endpoint: Endpoint) -> None:
    looking = room(endpoint, Found(), segments=1)
    looking.record = replace(looking.record, users=100_000)
    needed = peak_bytes(looking) - SEGMENT_BYTES
    assert needed == pytest.approx(100_000 * 110, rel=0.1)
    looking.shop_there["user"] = 0.5
    assert peak_bytes(looking) - SEGMENT_BYTES == pytest.approx(needed / 2, rel=0.05)
