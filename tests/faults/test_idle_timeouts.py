"""Servers that close idle connections, and readings that are cut again and again."""

from __future__ import annotations

import pytest

from demo.servers import Server
from server_b import serving
from shared.errors import EndpointUnreachableError, NotFinishedError
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import Group, HandOver
from tests.stage.narrow_link import NarrowLink
from tests.stage.programs import run_program
from tests.stage.servers import connect

VALUE_BYTES = 1_000


@pytest.mark.parametrize("segment_values", [400, 2_000], ids=["several", "one"])
def test_a_slow_reading_outlives_the_idle_timeout(own_server: Server, segment_values: int) -> None:
    """A block takes longer than the timeout to come, and with several segments one is opened while another is read."""
    lines = b"".join(b"%0*d\n" % (VALUE_BYTES, number) for number in range(2_000))
    options = ("run", "--values", "-", "--segment-values", str(segment_values), "--json")
    written = run_program("server-a", *options, server=own_server, stdin=lines)
    assert written.exit_code == 0, written.stderr
    with connect(own_server) as client, NarrowLink(own_server.port, bytes_per_s=200_000) as link:
        client.config_set("timeout", 4)  # longer than B may stand still between two of its PINGs, one a second
        read = run_program("server-b", "run", "--once", "--json", server=link.url)
    report = read.json()
    assert (report["verdict"], report["digest"]) == ("verified", written.json()["digest"])
    assert "trying again" not in read.stderr, "a connection was cut"


def test_readings_that_are_cut_back_off_and_end_with_the_wait(
    hand_over: HandOver, link: FaultyLink, group: Group
) -> None:
    hand_over.produce(count=50_000)
    link.cut_after("to_client", 60_000, times=None)
    with pytest.raises(NotFinishedError) as caught:
        hand_over.consume(url=link.url, wait_s=2.0)
    assert "a reading that was cut" in caught.value.got
    assert "Connection closed" in caught.value.got
    assert 2 <= link.cuts < 20  # the pauses alone leave no time for more
    assert hand_over.reports == []


@pytest.mark.parametrize("byte_count", [20_000, 60_000, 120_000])
def test_readings_that_are_cut_end_without_a_wait_too(
    byte_count: int, hand_over: HandOver, link: FaultyLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MAX_FAULTS_S", 1.0)
    hand_over.produce(count=50_000)
    link.cut_after("to_client", byte_count, times=None)
    with pytest.raises(EndpointUnreachableError) as caught:
        hand_over.consume(url=link.url, wait_s=None)
    assert "Connection closed" in caught.value.got
    assert serving.MAX_FAULTS <= link.cuts < 40
