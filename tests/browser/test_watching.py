"""A visitor's view of runs, while both programs really run."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from demo.servers import Server
from tests.stage.browsing import Visitor
from tests.stage.page_process import Serve
from tests.stage.programs import StartProgram

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)


def test_a_run_is_watched_from_its_start_to_its_verdict(
    serve: Serve, visitor: Visitor, start_program: StartProgram, server: Server, namespace: str
) -> None:
    tab = visitor.open(serve().link)
    expect(tab.locator("h1")).to_have_text("No run is here")
    producer = start_program(
        "server-a", "run", "--count", "50000", "--segment-values", "5000", server=server, namespace=namespace
    )
    expect(tab.locator("h1")).to_have_text("Not finished")
    expect(tab.locator(".legend")).to_contain_text("10 published, no verdict yet")
    start_program("server-b", "run", "--once", "--wait-s", "60", server=server, namespace=namespace)
    expect(tab.locator("h1")).to_have_text("Verified")
    expect(tab.locator(".legend")).to_contain_text("10 verified")
    expect(tab.locator(".what")).to_have_text("50,000 values in 10 segments: complete, in order and once.")
    expect(tab.locator("#said")).to_have_text("Verified")  # for those who listen
    assert tab.title().startswith("Verified - run ")
    assert producer.wait(60) == 0
