"""Each button of the stage, pressed: what it does is done to real processes and servers, and ends as promised."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator

import pytest
import redis

from demo.stage.buttons import BUTTONS, DELAY_MS
from tests.stage.leftovers import is_alive
from tests.stage.servers import connect_url
from tests.stage.stage_page import StagePage, rows_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.kept_together("stage"),
    pytest.mark.skipif(sys.platform != "linux", reason="what is left running is found through /proc"),
]


@pytest.fixture
def at_primary(played: StagePage) -> Iterator[redis.Redis]:
    """A client through the page's link, opened for this test."""
    with connect_url(played.redis_url) as client:
        yield client


def test_every_button_is_on_the_page_with_its_promise(played: StagePage) -> None:
    body = played.ask("/").body
    assert re.findall(r'<button name="button" value="([\w-]+)"', body) == list(BUTTONS)
    assert all(f'aria-describedby="promise-{name}"' in body for name in BUTTONS)


def test_a_killed_server_a_goes_on_with_its_run(played: StagePage) -> None:
    _, _, told, run_id = played.done("kill-a")
    killed, resumed = map(int, re.findall(r"Process (\d+)", told))
    assert not is_alive(killed)
    assert killed != resumed
    assert played.facts(run_id, "verified")["verified"] == 10
    shown = played.ask(f"/runs/{run_id}").body
    assert "by hand" in shown
    assert 'class="since"' in shown


@pytest.mark.parametrize("button", ["kill-b", "freeze-b"])
def test_another_server_b_claims_what_one_held_that_is_gone(played: StagePage, button: str) -> None:
    _, _, told, run_id = played.done(button)
    found = re.match(r"Process (\d+) was (killed|frozen) while it held segment (\d+)\.", told)
    assert found is not None, told
    run = played.facts(run_id, "verified")
    claims = [claim for claim in run["claims"] if f"-{found[1]}-" in claim["claimed_from"]]
    assert [claim["segment"] for claim in claims] == [int(found[3])]
    assert is_alive(int(found[1])) == (found[2] == "frozen")


def test_a_link_that_is_cut_is_an_outage_of_server_a(played: StagePage) -> None:
    run_id = played.done("cut-link").run_id
    run = played.facts(run_id, "verified")
    assert [outage["program"] for outage in run["outages"]][:1] == ["server-a"]


def test_a_longer_link_takes_longer_for_every_round_trip(played: StagePage) -> None:
    assert played.press("delay-link").status == 204
    label = BUTTONS["delay-link"].label
    html = played.until(lambda html: (label, "under way") in [row[:2] for row in rows_of(html)], what=label)
    a_url = re.findall(r"--url (redis://127.0.0.1:\d+/0)", played.ask("/").body)[0]
    with connect_url(a_url) as client:
        client.ping()
        began = time.monotonic()
        client.ping()
        assert time.monotonic() - began >= DELAY_MS / 1_000  # at least, however slow this machine is
    run_id = next(row.run_id for row in rows_of(html) if row.label == label)
    assert played.facts(run_id, "verified")["outages"] == []


def test_a_changed_value_is_named_by_the_witness(played: StagePage) -> None:
    _, _, told, run_id = played.done("change-value")
    segment, value = re.findall(r"In segment (\d+), (\d+) became", told)[0]
    witness = played.facts(run_id, "failed")["witness"]
    assert (witness["kind"], witness["segment"], witness["position"]) == ("changed", int(segment), int(value))
    assert (witness["expected"], witness["found"], witness["foreign"]) == (value, "changed by hand", 1)


def test_a_replica_that_is_promoted_is_the_primary_from_then_on(played: StagePage, at_primary: redis.Redis) -> None:
    before = at_primary.info("server")["tcp_port"]
    _, _, told, run_id = played.done("promote")
    old, new = map(int, re.findall(r"at port (\d+)", told))
    assert old == before
    with connect_url(played.redis_url) as client:
        assert (client.info("server")["tcp_port"], client.role()[0]) == (new, b"master")
    with redis.Redis(port=old) as client:
        assert client.role()[0] == b"slave"
    run = played.facts(run_id, "verified")
    assert "server-a" in [outage["program"] for outage in run["outages"]]
