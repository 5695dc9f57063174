"""What must be true of every page that is drawn for people, whatever they look at it with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTHS = (1440, 800, 390)


def require_accessible(tab: Page) -> None:
    """Fail where axe-core finds a violation."""
    from axe_playwright_python.sync_playwright import Axe

    found: Any = Axe().run(tab)
    assert not found.violations_count, found.generate_report()


def what_scrolls_sideways(tab: Page) -> list[str]:
    """Return what makes the whole page wider than its window; a table scrolls inside its frame."""
    found: list[str] = tab.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
        [...document.querySelectorAll("body *")].filter(each => each.getBoundingClientRect().right > innerWidth + 1)
        .map(each => each.outerHTML.slice(0, 80))"""
    )
    return found
