"""Can everybody use it: with a keyboard alone, with a screen reader, in dark and in light, on a telephone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from demo.servers import Server
from tests.stage.accessible import WIDTHS, require_accessible, what_scrolls_sideways
from tests.stage.browsing import Scheme, Visitor
from tests.stage.page_facts import GOLDEN
from tests.stage.page_process import Serve
from tests.stage.programs import run_program
from tests.stage.runs import produce

if TYPE_CHECKING:
    from playwright.sync_api import Page

_FOCUSED = """() => {
  const found = document.activeElement;
  const style = getComputedStyle(found);
  return [found.id || found.getAttribute("aria-label") || found.textContent.trim(), found.tagName, style.outlineStyle];
}"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_report_with_everything_in_it(visitor: Visitor, width: int, scheme: Scheme) -> None:
    tab = visitor.open(GOLDEN.as_uri(), width=width, scheme=scheme)
    tab.locator("summary").click()
    require_accessible(tab)
    assert what_scrolls_sideways(tab) == []


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_axe_finds_nothing_on_the_page(
    serve: Serve, visitor: Visitor, server: Server, namespace: str, tmp_path: Path
) -> None:
    page = serve()
    tab = visitor.open(page.link)
    expect(tab.locator("h1")).to_have_text("No run is here")
    require_accessible(tab)
    produce(server.url, "--count", "3000", "--segment-values", "1000", namespace=namespace)
    expect(tab.locator("h1")).to_have_text("Not finished")
    require_accessible(tab)
    run_program("server-b", "run", "--once", "--wait-s", "60", server=server, namespace=namespace)
    expect(tab.locator("h1")).to_have_text("Verified")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 800})
        require_accessible(tab)
        assert what_scrolls_sideways(tab) == []


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_a_keyboard_is_enough_and_what_has_the_focus_keeps_it(
    serve: Serve, visitor: Visitor, server: Server, namespace: str
) -> None:
    older = produce(server.url, "--count", "100", namespace=namespace)["run_id"]
    produce(server.url, "--count", "3000", "--segment-values", "1000", namespace=namespace)
    tab = visitor.open(serve().link)
    expect(tab.locator("h1")).to_have_text("Not finished")
    reached = _reached_by_tab(tab, "The segments as a table")
    assert reached[:3] == ["Handover", "Link to this run", "Report as one file"]
    expect(tab.locator("#segment-table table")).to_be_hidden()
    tab.keyboard.press("Enter")
    expect(tab.locator("#segment-table table")).to_be_visible()
    run_program("server-b", "run", "--once", "--wait-s", "60", server=server, namespace=namespace)
    expect(tab.locator("#segment-table")).to_contain_text("verified")  # the section was drawn anew
    expect(tab.locator("#segment-table table")).to_be_visible()
    assert tab.evaluate(_FOCUSED)[0] == "The segments as a table"
    _reached_by_tab(tab, older)
    tab.keyboard.press("Enter")
    expect(tab.locator(".run code")).to_have_text(older)


def _reached_by_tab(tab: Page, wanted: str) -> list[str]:
    """Press Tab until something has the focus, and return what had it on the way; each shows that it has."""
    reached: list[str] = []
    while wanted not in reached:
        assert len(reached) < 30, reached
        tab.keyboard.press("Tab")
        name, kind, outline = tab.evaluate(_FOCUSED)
        assert kind == "BODY" or outline == "solid", f"{name} does not show its focus"
        reached.append(name)
    return reached
