"""What strangers send to the page: odd requests, other origins' pages, links of several pages of one host."""

from __future__ import annotations

import re
import socket

import pytest

from tests.stage.hand_over_in_process import OLDER, HandOver
from tests.stage.page_process import PageProcess, Serve

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n"
ODD = {
    "no host": ("GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": ("GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n", 400),
    "no method": ("G\x00T / HTTP/1.1\r\nHost: {host}\r\n\r\n", 400),
    "not HTTP": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "a proxy's": ("CONNECT evil.example:80 HTTP/1.1\r\nHost: {host}\r\n\r\n", 405),
    "another host's address": ("GET http://evil.example/ HTTP/1.1\r\nHost: {host}\r\n\r\n", 404),
    "a folder above": ("GET /../../etc/passwd HTTP/1.1\r\nHost: {host}\r\n\r\n", 404),
    "an encoded folder above": ("GET /runs/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: {host}\r\n\r\n", 404),
    "a line end in an id": ("GET /events/runs/%0d%0aX:y HTTP/1.1\r\nHost: {host}\r\n\r\n", 404),
    "a header of ours in brackets": ("GET / HTTP/1.1\r\nHost: [::1]evil.example\r\n\r\n", 421),
    "a WebSocket": ("GET /page.js HTTP/1.1\r\nHost: {host}\r\n" + UPGRADE + "\r\n", 200),
    "the head of events": ("HEAD /events HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", 200),
}  # fmt: skip


def test_odd_requests_are_answered_and_make_no_noise(serve: Serve) -> None:
    """On stderr uvicorn advised `pip install` to whoever asked for a WebSocket; the head of events never ended."""
    page = serve()
    for name, (request, status) in ODD.items():
        answer = _raw(page, request.replace("{host}", f"127.0.0.1:{page.port}").encode("latin-1"))
        found = re.match(rb"HTTP/1\.1 (\d+) ", answer)
        assert (name, int(found[1]) if found else answer) == (name, status)
        assert b"root:" not in answer
    for header in ("X: " + "a" * 2**20, "X: a\r\n" * 100_000):  # refused, or cut off while it is sent
        answer = _raw(page, f"GET / HTTP/1.1\r\n{header}\r\n\r\n".encode())
        assert answer[:12] in (b"", b"HTTP/1.1 400")
    assert page.ask("/style.css").status == 200
    assert (page.program.errors(), page.program.output().count("\n")) == ("", 1)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_origins_page_has_nothing_looked_up_for_it(hand_over: HandOver, serve: Serve, site: str) -> None:
    """It could not read the answer, but each of a report costs seconds where the run is large."""
    run_id = hand_over.produce(count=10).run_id
    page = serve()
    sent = [
        ("no-cors", "image"),
        ("no-cors", "script"),
        ("cors", "empty"),
        ("navigate", "iframe"),
        ("websocket", "empty"),
    ]
    for mode, kind in sent:
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": kind}
        for path in ("/", "/events", "/style.css", f"/runs/{run_id}/report.html"):
            assert page.ask(path, **headers).status == 403, (mode, path)
    followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert page.ask("/", **followed).status == 200  # a link that somebody follows
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    assert page.ask("/page.js", **own).status == 200


def test_a_browser_stays_let_in_to_several_pages_of_one_host(serve: Serve) -> None:
    """Cookies belong to a host, not to its ports: the second page's took the place of the first one's."""
    pages = [serve(listen="0.0.0.0:0") for _ in range(2)]
    cookie = ""
    for page in pages:
        cookie = _enter(page, cookie)
    for page in pages:
        assert page.ask("/style.css", Cookie=cookie).status == 200
        again = _enter(page, cookie)  # whoever follows the link again is not left with the token in the address
        assert sorted(again.split("=")[1].split(".")) == sorted(cookie.split("=")[1].split("."))
        for path in ("/", f"/runs/{OLDER}"):
            assert page.ask(f"{path}?token=wrong", Cookie=cookie).status == 200
        assert page.ask("/", Cookie="handover-page=" + "x" * 32 + "." + "y" * 32).status == 403


def _enter(page: PageProcess, cookie: str) -> str:
    token = page.link.partition("?token=")[2]
    answer = page.ask(f"/?token={token}", **{"Cookie": cookie} if cookie else {})
    assert (answer.status, "http-equiv" in answer.body, token in answer.body) == (200, True, False)
    return answer.headers["set-cookie"].partition(";")[0]


def _raw(page: PageProcess, request: bytes) -> bytes:
    """Send what is no request of a client's library, and return the beginning of the answer, or all where it ends."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=60) as connection:
        found = b""
        try:
            connection.sendall(request)
            while b"\r\n\r\n" not in found or request.startswith(b"HEAD"):
                piece = connection.recv(4_096)
                if not piece:
                    break
                found += piece
        except ConnectionError:
            pass  # more was sent than is read
        return found
