"""The report and the page when they are printed: dark on white, the picture across, nothing cut between pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from demo.servers import Server
from tests.stage.accessible import require_accessible
from tests.stage.browsing import Scheme, Visitor
from tests.stage.page_facts import GOLDEN
from tests.stage.page_process import Serve
from tests.stage.runs import produce

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH = 703  # of what a page of A4 has between margins of 12 mm, in pixels
_LOOKS = """() => {
  const style = (found) => getComputedStyle(document.querySelector(found));
  return {
    colours: [style("body").color, style("footer").color, style("main > section").backgroundColor],
    scheme: style("html").colorScheme,
    tops: [...new Set([...document.querySelectorAll(".host")].map((each) => each.getBoundingClientRect().top))],
    broken: [...document.querySelectorAll("figure, tr, main > section")]
      .filter((each) => getComputedStyle(each).breakInside !== "avoid").length,
    totals: [...document.querySelectorAll("tfoot")].map((each) => getComputedStyle(each).display),
    wider: document.documentElement.scrollWidth - innerWidth,
  };
}"""
LIGHT = ["rgb(27, 33, 41)", "rgb(85, 96, 109)", "rgb(255, 255, 255)"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_is_printed_dark_on_white_and_whole(visitor: Visitor, scheme: Scheme, tmp_path: Path) -> None:
    """On a dark screen the head and foot were white on white, on five pages of which two were all but empty."""
    tab = visitor.open(GOLDEN.as_uri(), width=WIDTH, scheme=scheme)
    _require_printable(tab)
    require_accessible(tab)
    found = tab.pdf(path=tmp_path / "report.pdf", format="A4")
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", found)) < 5


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_the_page_is_printed_as_the_report(serve: Serve, visitor: Visitor, server: Server, namespace: str) -> None:
    produce(server.url, "--count", "3000", "--segment-values", "1000", namespace=namespace)
    tab = visitor.open(serve("--peer-url", server.url).link, width=WIDTH, scheme="dark")
    expect(tab.locator("h1")).to_have_text("Not finished")
    expect(tab.locator(".host")).to_have_count(4)
    _require_printable(tab)
    expect(tab.locator(".actions")).to_be_hidden()


def _require_printable(tab: Page) -> None:
    tab.emulate_media(media="print")
    looks: Any = tab.evaluate(_LOOKS)
    assert (looks["colours"], looks["scheme"]) == (LIGHT, "light")
    assert len(looks["tops"]) == 1  # side by side, as on a screen
    assert (looks["broken"], looks["wider"]) == (0, 0)
    assert set(looks["totals"]) == {"table-row-group"}
