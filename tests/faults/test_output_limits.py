"""A server that cuts clients which ask for more than it wants to keep for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.servers import Server
from shared.errors import VerificationFailedError
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver
from tests.stage.programs import run_program
from tests.stage.servers import connect

LINES = 10_000
# A chunk of 1,000 lines would be 2 MB, so half a MiB is asked for at once: more than each of these allows.
LIMITS = {
    "normal 300kb 0 0": {"client-output-buffer-limit": "normal 300kb 0 0"},
    "maxmemory-clients 300kb": {"maxmemory-clients": "300kb"},
}
ROOMY = {
    "normal 8mb 0 0": {"client-output-buffer-limit": "normal 8mb 0 0"},
    "maxmemory-clients 5%": {"maxmemory": "200mb", "maxmemory-clients": "5%"},
}


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A file of lines of 2 KB."""
    file = tmp_path / "lines"
    file.write_text("".join(f"{number:06}{'x' * 2_042}\n" for number in range(LINES)))
    return file


def _limit(server: Server, settings: dict[str, str]) -> None:
    with connect(server) as client:
        for name, value in settings.items():
            client.config_set(name, value)


@pytest.mark.parametrize("limit", LIMITS)
def test_a_reader_that_is_cut_for_asking_far_ahead_asks_for_less_until_it_gets_through(
    limit: str, own_server: Server, keys: Keyspace, lines: Path
) -> None:
    hand_over = HandOver(own_server.url, keys)
    summary = hand_over.produce(values=str(lines))
    _limit(own_server, LIMITS[limit])
    report = hand_over.consume(max_deliveries=1)
    assert (report.verdict, report.digest) == ("verified", summary.digest)
    assert "endpoint lost, trying again" in hand_over.events()


@pytest.mark.parametrize("limit", ROOMY)
def test_a_limit_that_leaves_room_cuts_nobody(limit: str, own_server: Server, keys: Keyspace, lines: Path) -> None:
    hand_over = HandOver(own_server.url, keys)
    _limit(own_server, ROOMY[limit])
    summary = hand_over.produce(values=str(lines))
    report = hand_over.consume(max_deliveries=1)
    assert (report.verdict, report.digest, report.outages) == ("verified", summary.digest, 0)


@pytest.mark.parametrize("limit", LIMITS)
def test_a_list_that_is_only_shown_comes_through(limit: str, own_server: Server, keys: Keyspace, lines: Path) -> None:
    HandOver(own_server.url, keys).produce(values=str(lines))
    _limit(own_server, LIMITS[limit])
    shown = run_program("server-b", "read", server=own_server, namespace=keys.namespace)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.split() == lines.read_text().split()[::-1]


@pytest.mark.parametrize("limit", LIMITS)
def test_what_is_wrong_with_a_list_is_found(limit: str, own_server: Server, keys: Keyspace, lines: Path) -> None:
    hand_over = HandOver(own_server.url, keys)
    run_id = hand_over.produce(values=str(lines)).run_id
    with connect(own_server) as client:
        client.lset(keys.segment(1), LINES // 2, "other")
    _limit(own_server, LIMITS[limit])
    with pytest.raises(VerificationFailedError):
        hand_over.consume(max_deliveries=1)
    options = ("explain", run_id, "--values", str(lines))
    told = run_program("server-b", *options, server=own_server, namespace=keys.namespace)
    assert told.exit_code == 0, told.stderr
    assert f"at {LINES // 2:,}" in told.stdout


@pytest.mark.parametrize("limit", LIMITS)
def test_a_list_whose_state_was_evicted_is_recognised(
    limit: str, own_server: Server, keys: Keyspace, lines: Path
) -> None:
    """Its content is read for it, which was cut again and again for ever."""
    hand_over = HandOver(own_server.url, keys)
    hand_over.produce(values=str(lines))
    with connect(own_server) as client:
        client.delete(keys.state(keys.segment(1)))
    _limit(own_server, LIMITS[limit])
    assert hand_over.produce(count=10).count == 10
    assert "state lost, list recognised" in hand_over.events()
