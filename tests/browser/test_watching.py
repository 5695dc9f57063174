"""What a visitor sees of runs, while both programs really run."""

from __future__ import annotations

import re
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.browsing import Visitor
from tests.stage.faulty_link import FaultyLink
from tests.stage.page_process import Serve
from tests.stage.programs import StartProgram, run_program
from tests.stage.runs import produce
from tests.stage.servers import NewServer
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
CONSUMER = ("run", "--once", "--wait-s", "60")


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
    start_program("server-b", *CONSUMER, server=server, namespace=namespace)
    expect(tab.locator("h1")).to_have_text("Verified")
    expect(tab.locator(".legend")).to_contain_text("10 verified")
    expect(tab.locator(".what")).to_have_text("50,000 values in 10 segments: complete, in order and once.")
    expect(tab.locator("#said")).to_have_text("Verified")  # for those who listen
    assert tab.title().startswith("Verified - run ")
    assert producer.wait(60) == 0


def test_a_failed_run_shows_its_witness(
    serve: Serve, visitor: Visitor, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    tab = visitor.open(serve().link)
    produce(server.url, "--count", "3000", "--segment-values", "1000", namespace=keys.namespace)
    expect(tab.locator(".legend")).to_contain_text("3 published")
    client.lset(keys.segment(2), -500, "changed")
    run_program("server-b", *CONSUMER, server=server, namespace=keys.namespace)
    expect(tab.locator("h1")).to_have_text("Failed")
    expect(tab.locator(".legend")).to_contain_text("1 failed")
    witness = tab.locator("#witness .facts")
    expect(witness).to_contain_text("First wrong position1,500")
    expect(witness).to_contain_text("Expected there1500")
    expect(witness).to_contain_text("Found therechanged")
    assert tab.title().startswith("Failed - run ")


def test_an_outage_is_told_and_drawn_and_over(
    serve: Serve, visitor: Visitor, new_server: NewServer, start_program: StartProgram
) -> None:
    server = new_server("valkey9", "--appendonly", "yes", "--appendfsync", "always")
    tab = visitor.open(serve(url=server.url, namespace="").link)
    expect(tab.locator("h1")).to_have_text("No run is here")
    consumer = start_program("server-b", *CONSUMER, server=server)
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="the consumer waits for signals")
    with closing(FaultyLink(server.port)) as link:
        link.at(b"LPUSHX", lambda: server.end(signal.SIGKILL), nth=20, is_forwarded=False)
        producer = start_program(
            "server-a", "run", "--count", "40000", "--segment-values", "10000", "--writers", "1", server=link.url
        )
        expect(tab.locator("#away")).to_contain_text("The endpoint is away, for ")
        expect(tab).to_have_title("Endpoint away - Handover")
        server.start()
        expect(tab.locator("#away")).to_have_count(0)
        expect(tab.locator("h1")).to_have_text("Verified")
        assert producer.wait(60) == 0
    assert consumer.wait(60) == 0
    expect(tab.locator("#time-line .events").first).to_contain_text("server-a had no server for ")
    assert tab.locator("#time-line .outage").count() >= 1


def test_a_tab_that_is_loaded_anew_in_the_midst_goes_on(
    serve: Serve, visitor: Visitor, server: Server, namespace: str
) -> None:
    page = serve()
    tab = visitor.open(page.link)
    run_id = produce(server.url, "--count", "100", namespace=namespace)["run_id"]
    expect(tab.locator("h1")).to_have_text("Not finished")
    tab.reload(wait_until="domcontentloaded")
    assert tab.locator("h1").inner_text() == "Not finished"  # it comes with the page, before any script
    other = visitor.open(f"{page.link}runs/{run_id}", beside=tab)
    expect(other.locator("h1")).to_have_text("Not finished")
    other.reload(wait_until="domcontentloaded")
    run_program("server-b", *CONSUMER, server=server, namespace=namespace)
    for each in (tab, other):
        expect(each.locator("h1")).to_have_text("Verified")


def test_each_run_can_be_gone_to_and_its_report_taken_along(
    serve: Serve, visitor: Visitor, server: Server, namespace: str, tmp_path: Path
) -> None:
    first = produce(server.url, "--count", "100", namespace=namespace)["run_id"]
    second = produce(server.url, "--count", "200", namespace=namespace)["run_id"]
    tab = visitor.open(serve().link)
    expect(tab.locator(".run code")).to_have_text(second)
    tab.get_by_role("link", name=first, exact=True).click()
    expect(tab.locator(".run code")).to_have_text(first)
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Report as one file").click()
    assert download.value.suggested_filename == f"handover-{first}.html"
    file = tmp_path / "sent.html"
    download.value.save_as(file)
    report = visitor.open(file.as_uri())
    expect(report.locator(".run code")).to_have_text(first)
    tab.go_back(wait_until="domcontentloaded")
    expect(tab.locator(".run code")).to_have_text(second)


def test_a_report_opened_from_disk_needs_nothing_else(
    visitor: Visitor, server: Server, namespace: str, tmp_path: Path
) -> None:
    produce(server.url, "--count", "3000", "--segment-values", "1000", namespace=namespace)
    run_program("server-b", *CONSUMER, server=server, namespace=namespace)
    file = tmp_path / "report.html"
    ended = run_program("server-b", "report", "--html", str(file), server=server, namespace=namespace)
    assert ended.exit_code == 0, ended.stderr
    tab = visitor.open(file.as_uri())
    expect(tab.locator("h1")).to_have_text("Verified")
    assert tab.locator("body").evaluate("body => getComputedStyle(body).maxWidth") != "none"  # it has its style
    assert visitor.asked == [file.as_uri()]
    assert re.fullmatch(r"Run \S+: Verified \S Handover", tab.title())
