"""The stage in a browser: each button is pressed, shows on the time line of its run, and that ends as promised."""

from __future__ import annotations

import sys

import pytest
from playwright.sync_api import expect

from demo.stage.buttons import BUTTONS
from tests.stage.accessible import WIDTHS, require_accessible, what_scrolls_sideways
from tests.stage.browsing import Scheme, Visitor
from tests.stage.stage_page import StagePage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what is left running is found through /proc"),
]
ENDS_FAILED = "change-value"


@pytest.mark.parametrize("name", BUTTONS)
def test_each_button_does_what_it_says(played: StagePage, visitor: Visitor, name: str) -> None:
    label, verdict = BUTTONS[name].label, "Failed" if name == ENDS_FAILED else "Verified"
    tab = visitor.open(played.link)
    button = tab.get_by_role("button", name=label, exact=True)
    expect(button).to_have_accessible_description(BUTTONS[name].promise)
    button.focus()
    tab.keyboard.press("Enter")
    row = tab.locator("#done tbody tr", has_text=label)
    expect(row.locator("td").nth(2)).to_have_text("done")
    expect(button).to_be_focused()  # the page stayed where it was
    run = row.get_by_role("link")
    expect(run).to_have_text(verdict)
    run.click()
    expect(tab.locator("h1")).to_have_text(verdict)
    expect(tab.locator("#time-line")).to_contain_text(label)
    expect(tab.locator("#time-line line.since")).to_have_count(1)
    if name in ("kill-b", "freeze-b"):
        expect(tab.locator("#time-line .claim")).not_to_have_count(0)
    if name in ("cut-link", "promote"):
        expect(tab.locator("#time-line .outage")).not_to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_stage(played: StagePage, visitor: Visitor, scheme: Scheme) -> None:
    """The buttons with what they promise, and the list of what was done, beside the page of a run that goes on."""
    tab = visitor.open(played.link, scheme=scheme)
    tab.get_by_role("button", name=BUTTONS["delay-link"].label, exact=True).click()
    expect(tab.locator("#done tbody tr")).not_to_have_count(0)
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 800})
        expect(tab.locator("#verdict")).to_be_visible()
        require_accessible(tab)
        assert what_scrolls_sideways(tab) == []


def test_the_page_of_another_site_can_not_press(played: StagePage, visitor: Visitor) -> None:
    """A form there that sends to us gets the browser's refusal of our cookie, and ours of the press."""
    tab = visitor.open(played.link)
    before = len(played.rows())
    other = visitor.open("about:blank", beside=tab)  # of the same browser, but of no site that it could be mistaken for
    press = f"""const form = document.createElement('form');
        form.method = 'post'; form.action = '{played.link}press';
        form.innerHTML = '<input name=button value=kill-a><input name=token value={played.token}>';
        document.documentElement.append(form); form.submit()"""
    with other.expect_console_message(lambda said: "403" in said.text), other.expect_response("**/press") as answered:
        other.evaluate(press)
    assert answered.value.status == 403
    visitor.errors.clear()  # the browser's own word about it
    assert len(played.rows()) == before
