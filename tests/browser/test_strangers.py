"""What strangers try: texts stored in Redis that want to be more than text, and web pages of another origin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.browsing import Visitor
from tests.stage.page_process import Serve
from tests.stage.programs import run_program
from tests.stage.runs import produce

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
MARKUP = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><b id=evil>'\"&amp;"
TURNED = "abc\u202efdp.exe\x1b[2J"
_TRIES = """async (address) => {
  const found = {};
  await fetch(address).then(() => { found.fetch = "read"; }, () => { found.fetch = "refused"; });
  await new Promise((done) => {
    const events = new EventSource(address + "events");
    events.onmessage = () => { found.events = "read"; done(); };
    events.onerror = () => { found.events = "refused"; events.close(); done(); };
  });
  const frame = document.createElement("iframe");
  await new Promise((done) => { frame.onload = done; frame.src = address; document.body.append(frame); });
  try { found.frame = frame.contentDocument ? "read" : "refused"; } catch { found.frame = "refused"; }
  return found;
}"""


def test_what_others_stored_is_text(
    serve: Serve, visitor: Visitor, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    """Names of the shop, values, consumers and dead letters that hold markup, or turn the direction of text."""
    client.hset(keys.sku("sku123"), mapping={"name": MARKUP, "price": "1.00"})
    client.hset(keys.sku("sku456"), mapping={"name": TURNED + "x" * 1_048_576, "price": "1.00"})
    produce(server.url, "--count", "30", "--segment-values", "10", namespace=keys.namespace)
    client.lset(keys.segment(2), 0, MARKUP)
    client.lset(keys.segment(3), 0, "y" * 1_048_576)
    client.xadd(keys.signals(), {MARKUP: TURNED})
    options = ("--once", "--wait-s", "60", "--consumer", "evil-name")
    run_program("server-b", "run", *options, server=server, namespace=keys.namespace)
    client.xadd(keys.dead_letters(), {"origin": "1-1", "reason": MARKUP, "consumer": TURNED})
    tab = visitor.open(serve(namespace=keys.namespace).link)
    expect(tab.locator("h1")).to_have_text("Failed")
    expect(tab.locator("#shop")).to_contain_text(MARKUP)
    expect(tab.locator("#letters")).to_contain_text(MARKUP)
    expect(tab.locator("#witness")).to_contain_text("<script>")
    expect(tab.locator("#letters")).to_contain_text(r"abc\u202efdp.exe\x1b[2J")
    assert tab.locator("main script, main img, #evil, [onerror]").count() == 0
    assert tab.title().startswith("Failed")
    assert len(tab.content()) < 200_000


def test_another_origins_page_reads_nothing(
    serve: Serve, visitor: Visitor, server: Server, namespace: str, elsewhere: str
) -> None:
    produce(server.url, "--count", "10", namespace=namespace)
    page = serve()
    tab = visitor.open(elsewhere)
    found: Any = tab.evaluate(_TRIES, page.link)
    assert found == {"fetch": "refused", "events": "refused", "frame": "refused"}
    assert len(tab.frames) == 2
    assert "Not finished" not in (tab.frames[1].content() if tab.frames[1].url else "")
    assert visitor.errors  # the browser says what it refused
    visitor.errors.clear()


def test_the_link_of_a_page_for_others_lets_one_browser_in(
    serve: Serve, visitor: Visitor, server: Server, namespace: str
) -> None:
    produce(server.url, "--count", "10", namespace=namespace)
    page = serve(listen="0.0.0.0:0")
    own, token = f"http://127.0.0.1:{page.port}/", page.link.partition("?token=")[2]
    refused = visitor.open(own)
    expect(refused.locator("body")).to_have_text("Open the link that server-b page has printed.")
    tab = visitor.open(f"{own}?token={token}")
    expect(tab.locator("h1")).to_have_text("Not finished")
    assert tab.url == own  # the token is in no address any more, and so in no history
    (cookie,) = tab.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
    assert tab.evaluate("document.cookie") == ""
    other = visitor.open(own)
    expect(other.locator("body")).to_have_text("Open the link that server-b page has printed.")
    assert {error.partition(":")[0] for error in visitor.errors} <= {"Failed to load resource"}
    visitor.errors.clear()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """The address of a page of another origin."""
    (tmp_path / "index.html").write_text("<!DOCTYPE html><title>elsewhere</title><link rel=icon href=data:,>")
    serving = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}/"
    serving.shutdown()
    serving.server_close()
    thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the library's
        """Say nothing."""
