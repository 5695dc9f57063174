"""Many tabs: what they cost, and what becomes of them when the page ends."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from playwright.sync_api import expect

from demo.servers import Server
from tests.stage.browsing import Visitor
from tests.stage.page_process import Serve
from tests.stage.programs import run_program
from tests.stage.runs import produce
from tests.stage.servers import connect
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)


def test_ten_tabs_of_one_browser_show_the_verdict(
    serve: Serve, visitor: Visitor, server: Server, namespace: str
) -> None:
    """A browser opens six connections to one server at most, and listening to events takes one as long as it lasts."""
    produce(server.url, "--count", "100", namespace=namespace)
    page = serve()
    tabs = [visitor.open(page.link)]
    tabs += [visitor.open(page.link, beside=tabs[0]) for _ in range(9)]
    for tab in tabs:
        expect(tab.locator("h1")).to_have_text("Not finished")
    run_program("server-b", "run", "--once", "--wait-s", "60", server=server, namespace=namespace)
    for tab in tabs:
        expect(tab.locator("h1")).to_have_text("Verified")
    for tab in tabs:
        assert tab.locator("#gone").count() == 0


def test_two_tabs_ask_redis_no_more_often_than_one(
    serve: Serve, visitor: Visitor, server: Server, namespace: str
) -> None:
    produce(server.url, "--count", "100", namespace=namespace)
    page = serve()
    first = visitor.open(page.link)
    second = visitor.open(page.link, beside=first)
    for tab in (first, second):
        expect(tab.locator("h1")).to_have_text("Not finished")
    began_at, before = time.monotonic(), _looks(server)
    wait_until(lambda: _looks(server) >= before + 20, description="it was looked 20 times", timeout_s=60)
    looks, took_s = _looks(server) - before, time.monotonic() - began_at
    # One pulse each 250 ms and a whole look each 2 s; two tabs that each asked by themselves would take half the time.
    assert looks <= took_s / 0.25 + took_s / 2 + 3


def test_the_page_ends_at_once_with_tabs_open_which_say_so(
    serve: Serve, visitor: Visitor, server: Server, namespace: str
) -> None:
    produce(server.url, "--count", "100", namespace=namespace)
    page = serve()
    tabs = [visitor.open(page.link)]
    tabs += [visitor.open(page.link, beside=tabs[0]) for _ in range(2)]
    for tab in tabs:
        expect(tab.locator("h1")).to_have_text("Not finished")
    page.program.send(signal.SIGINT)
    assert page.program.wait(60) == 0
    assert (page.program.output(), page.program.errors()) == (f"{page.link}\n", "")
    for tab in tabs:
        expect(tab.locator("#gone")).to_contain_text("server-b page does not answer")
        expect(tab.locator("h1")).to_have_text("Not finished")  # what was seen last stays
    # refused, or cut off where a tab asked in the very moment of the end
    assert {error.partition(" net::ERR_")[0] for error in visitor.errors} <= {"Failed to load resource:"}
    visitor.errors.clear()
    again = serve(listen=f"127.0.0.1:{page.port}")
    for tab in tabs:
        expect(tab.locator("#gone")).to_have_count(0)
        expect(tab).to_have_title(tabs[0].title())
    assert again.program.is_running
    visitor.errors.clear()


def _looks(server: Server) -> int:
    """Return how often the group was looked at; each pulse and each whole look does so once."""
    with connect(server) as client:
        found: Any = client.info("commandstats")
    return int(found.get("cmdstat_xinfo|groups", {"calls": 0})["calls"])
