"""Debian's Chromium, driven by Playwright: a visitor of the page, who also keeps what no visitor wants.

Playwright's own browsers were rejected: they are downloads of 150 MB each from somewhere else. One browser serves all
tests in tests/browser; each visit has its own profile. Conditions are waited for as long as a slow machine may take.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

from tests.stage.needs import missing

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

PATIENCE_MS = 60_000
Scheme = Literal["light", "dark"]
# Nothing but this machine can be found by name, whatever a page asks for; the sandbox can't be had by root.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


def chromium() -> str:
    """Return where Chromium is; skip the test on a laptop without it, fail it on CI."""
    return shutil.which("chromium") or missing("no chromium in PATH")


@dataclass
class Visitor:
    """Somebody with a browser: opens tabs, and keeps the errors of their consoles and all addresses asked for.

    Attributes:
        errors: What the consoles said as a warning or an error, and exceptions that no script caught.
        asked: The addresses asked for.
    """

    browser: Browser
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, address: str, *, width: int = 1440, scheme: Scheme = "light", beside: Page | None = None) -> Page:
        """Open an address in a tab, with a profile of its own or that of another tab."""
        context = beside.context if beside is not None else self._new_context(width, scheme)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE_MS)
        tab.set_default_navigation_timeout(PATIENCE_MS)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("console", lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else None)
        tab.goto(address, wait_until="domcontentloaded")  # a page that listens to events never ends loading
        return tab

    def hosts(self) -> set[str]:
        """Return the hosts that were asked; empty for a file or data."""
        return {urlsplit(address).netloc for address in self.asked}

    def close(self) -> None:
        """Close all tabs."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    def _new_context(self, width: int, scheme: Scheme) -> BrowserContext:
        height = 900 if width > 500 else 844
        context = self.browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.on("request", lambda request: self.asked.append(request.url))
        self._contexts.append(context)
        return context


@pytest.fixture(scope="package")
def browser(session_directory: Path) -> Iterator[Browser]:
    """The browser, closed after the last test of the package: Playwright's event loop would be in others' way."""
    from playwright.sync_api import expect, sync_playwright

    path = chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS, timeout=PATIENCE_MS)
        try:
            yield started
        finally:
            started.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """A visitor, who must have seen no error, and whose browser must have asked one host at most, this machine."""
    found = Visitor(browser)
    yield found
    found.close()
    assert not found.errors, found.errors
    assert {host.partition(":")[0] for host in found.hosts()} <= {"", "127.0.0.1"}, found.hosts()
