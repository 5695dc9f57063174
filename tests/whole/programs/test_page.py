"""`server-b page`: live, only to be read, only for whom it is meant, and gone at Ctrl-C."""

from __future__ import annotations

import signal

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import OLDER, HandOver
from tests.stage.html_reading import ReadHtml
from tests.stage.page_process import Serve
from tests.stage.programs import run_program
from tests.stage.runs import require_one_sentence
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def test_a_run_is_seen_from_its_beginning_to_its_verdict(hand_over: HandOver, serve: Serve) -> None:
    page = serve()
    tab = page.tab()
    tab.until("No run is here")
    run_id = hand_over.produce(count=50, segment_values=10).run_id
    assert run_id in tab.until("5 segments verified, 50 values without a verdict")
    hand_over.consume()
    found = ReadHtml(tab.until("complete, in order and once"))
    assert "script" not in found.tags
    tab.close()
    whole = ReadHtml(page.ask().body)
    assert "complete, in order and once" in whole.text  # also without its script
    assert set(whole.addresses) >= {"/style.css", "/page.js", f"/runs/{run_id}", f"/runs/{run_id}/report.html"}
    assert all(address.startswith(("/", "data:,")) for address in whole.addresses)


def test_without_its_script_each_load_shows_what_is_there_now(hand_over: HandOver, serve: Serve) -> None:
    page = serve()
    assert "No run is here" in page.ask().body
    hand_over.produce(count=10)
    assert "Not finished" in page.ask().body
    hand_over.consume()
    assert "complete, in order and once" in page.ask().body


def test_each_run_has_an_address_and_a_report_of_its_own(hand_over: HandOver, serve: Serve) -> None:
    first = hand_over.produce(count=10).run_id
    hand_over.consume()
    hand_over.produce(count=20)
    page = serve()
    assert "10 values in 1 segment" in page.ask(f"/runs/{first}").body
    page.tab(f"/events/runs/{first}").until("10 values in 1 segment")
    report = page.ask(f"/runs/{first}/report.html")
    assert report.headers["content-disposition"] == f'attachment; filename="handover-{first}.html"'
    assert "10 values in 1 segment" in ReadHtml(report.body).text
    assert page.ask(f"/runs/{OLDER}/report.html").status == 404
    absent = ReadHtml(page.ask(f"/runs/{OLDER}").body)
    assert "Nothing of this run is here" in absent.text  # it said that no run is
    assert {"/", f"/runs/{first}"} <= set(absent.addresses)
    assert page.ask("/runs/../../etc/passwd").status == 404
    assert page.ask("/runs/no-id").status == 404


def test_ten_tabs_cost_no_more_than_one(hand_over: HandOver, serve: Serve, server: Server) -> None:
    hand_over.produce(count=10)
    page = serve()
    tabs = [page.tab() for _ in range(10)]
    for tab in tabs:
        tab.until("Not finished")
    with connect(server) as client:
        wait_until(lambda: len(client.client_list()) - 1 <= 3, description="those of the run have gone")
    hand_over.consume()
    for tab in tabs:
        tab.until("complete, in order and once")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_it_with_tabs_open(hand_over: HandOver, serve: Serve, number: signal.Signals) -> None:
    hand_over.produce(count=10)
    page = serve()
    tabs = [page.tab() for _ in range(3)]
    for tab in tabs:
        tab.until("Not finished")
    page.program.send(number)
    assert page.program.wait(60) == 0
    assert page.program.errors() == ""


def test_an_endpoint_that_is_away_is_told_and_comes_back(
    new_server: NewServer, serve: Serve, server_kind: Kind, keys: Keyspace
) -> None:
    server = new_server(server_kind)
    page = serve(url=server.url)
    tab = page.tab()
    tab.until("No run is here")
    HandOver(server.url, keys).produce(count=10)
    tab.until("Not finished")
    server.end(signal.SIGKILL)
    away = tab.until("The endpoint is away, for ")
    assert "What stands below is what was seen last." in away
    assert "Not finished" in away
    assert "What stands below" not in page.ask(f"/runs/{OLDER}").body  # where nothing does
    server.start()
    tab.until("No run is here")


def test_the_script_is_short_and_many_tabs_leave_room_for_each_other(hand_over: HandOver, serve: Serve) -> None:
    hand_over.produce(count=10)
    page = serve()
    assert len(page.ask("/page.js").body.splitlines()) <= 60
    tabs = [page.tab() for _ in range(4)]
    for tab in tabs:
        tab.until("Not finished")
    hand_over.consume()
    for tab in tabs:
        tab.until("complete, in order and once")
    assert [tab.visits for tab in tabs[:3]] == [1, 1, 1]
    tabs[3].until_sent_away()
    hand_over.produce(count=20)
    tabs[3].until("20 values")
    assert tabs[3].visits > 1


def test_every_answer_has_the_headers_and_none_allows_another_origin(serve: Serve) -> None:
    page = serve()
    for path in ("/", "/style.css", "/page.js", "/nothing", "/runs/no-id"):
        headers = page.ask(path, Origin="http://evil.example").headers
        assert headers["content-security-policy"] == POLICY
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert not [name for name in headers if name.startswith("access-control-")]
        assert "server" not in headers
    assert (page.ask("/", method="HEAD").status, page.ask("/", method="HEAD").body) == (200, "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_it_is_only_read(serve: Serve, method: str) -> None:
    answer = serve().ask("/", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/press", "/stage.css", "/events", "/runs/no-id", "/page.js"])
def test_nothing_of_the_stage_is_served_and_nothing_takes_a_post(serve: Serve, path: str) -> None:
    """The stage in `demo/` is the same page with buttons; here there is none to press."""
    page = serve()
    answer = page.ask(path, method="POST")
    assert (answer.status, answer.body) == (405, "This page is only read.\n")
    assert "<form" not in page.ask().body
    assert "set-cookie" not in page.ask().headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "8.8.8.8", "", "a b"])
def test_a_name_that_is_not_its_own_is_refused(serve: Serve, host: str) -> None:
    assert serve().ask("/", Host=host).status in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:80", "LOCALHOST:1"])
def test_loopback_has_many_names(serve: Serve, host: str) -> None:
    assert serve().ask("/style.css", Host=host).status == 200


def test_it_answers_to_the_names_it_was_told_and_its_link_has_the_first(serve: Serve) -> None:
    page = serve("--allow-host", "page.example", "--allow-host", "Other.Example", listen="0.0.0.0:0")
    assert page.link.startswith("http://page.example:")
    token = page.link.partition("?token=")[2]
    page.headers["Cookie"] = f"handover-page={token}"
    for host in ("page.example", "PAGE.example:443", "other.example:1", "localhost"):
        assert page.ask("/style.css", Host=host).status == 200
    for host in ("example", "a.page.example", "page.example.evil.example"):
        assert page.ask("/style.css", Host=host).status == 421


@pytest.mark.parametrize("host", ["", " ", "http://page.example", "page.example:80", "a b", "*", ".example", "a" * 254])
def test_a_name_to_answer_to_that_is_none(host: str, server: Server, namespace: str) -> None:
    ended = run_program("server-b", "page", "--allow-host", host, server=server, namespace=namespace)
    require_one_sentence(ended, 2, "--allow-host")


def test_elsewhere_than_on_loopback_it_demands_the_token_of_its_link(serve: Serve) -> None:
    page = serve(listen="0.0.0.0:0")
    token = page.link.partition("?token=")[2]
    assert len(token) >= 32
    for path in ("/", "/events", "/style.css", f"/runs/{OLDER}/report.html", "/?token=wrong", "/?token="):
        assert page.ask(path).status == 403
        assert page.ask(path, Cookie="handover-page=wrong").status == 403
    entered = page.ask(f"/?token={token}")
    cookie = entered.headers["set-cookie"]
    assert entered.status == 200
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert token not in entered.body
    page.headers["Cookie"] = cookie.partition(";")[0]
    assert page.ask("/").status == 200
    assert page.ask("/", Host="evil.example").status == 421


def test_no_password_of_the_url_is_on_it(hand_over: HandOver, serve: Serve, server: Server) -> None:
    run_id = hand_over.produce(count=10).run_id
    page = serve(url=server.url.replace("redis://", "redis://default:s3cr3t-w0rd@"))
    for path in ("/", f"/runs/{run_id}", f"/runs/{run_id}/report.html"):
        assert "s3cr3t-w0rd" not in page.ask(path).body
    assert "s3cr3t-w0rd" not in page.program.output() + page.program.errors()


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "203.0.113.1:8080"])
def test_where_it_can_not_listen(server: Server, namespace: str, listen: str) -> None:
    ended = run_program("server-b", "page", "--listen", listen, server=server, namespace=namespace)
    require_one_sentence(ended, 2, "--listen")
