"""The page and `status --watch` against a server that begins to lie: the page says why, the watch ends or goes on."""

from __future__ import annotations

import html
from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest

from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.page.live.poller import Poller
from shared.page.live.views import View, Views
from shared.program.options import CommonSettings
from shared.stopping import StopRequest
from tests.stage.inside import run_inside
from tests.stage.lied_to import CODES, LIES, Victim, short_waits, victim
from tests.stage.programs import Name

__all__ = ["short_waits", "victim"]

_PAIRS = {"XINFO", "CONFIG", "CLUSTER"}


def _commands(victim: Victim, look: Callable[[], object]) -> list[str]:
    """Return the commands of a look."""
    victim.link.tell_the_truth()
    victim.link.asked.clear()
    look()
    found = [asked.split(" ") for asked in victim.link.asked]
    return sorted({" ".join(words[: 1 + (words[0] in _PAIRS)]) for words in found})


def _drawn(victim: Victim, begin: Callable[[], object]) -> str:
    """Return what the page shows at its second look, before which something begins."""
    common = CommonSettings(EndpointSettings(url=parse_url(victim.link.url)), victim.keys, "info", None)
    view = View("")
    with closing(Poller(common, None, Views())) as poller:
        poller.open()
        poller._draw(view)
        poller._pulses.clear()
        begin()
        poller._draw(view)
    return html.unescape(view.html)


def test_a_page_says_why_and_goes_on(victim: Victim) -> None:
    told = 0
    for place, command in enumerate(_commands(victim, lambda: _drawn(victim, lambda: None))):
        for lie in list(LIES)[place % 2 :: 2]:
            shown = _drawn(victim, partial(victim.link.lie, LIES[lie], about=command))
            victim.link.tell_the_truth()
            assert victim.run_id in shown, "what was seen last, or what is true of it"
            assert "\x1b" not in shown
            is_away = "The endpoint is away, for " in shown
            told += is_away
            assert "Traceback" not in shown
    assert victim.link.told >= 50
    assert told >= 50


@pytest.mark.parametrize("name", ["server-a", "server-b"])
def test_a_watch_ends_with_one_sentence_or_goes_on(victim: Victim, name: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    link, looks = victim.link, [0]
    begin: list[Callable[[], None]] = [lambda: None]

    def wait(stop: StopRequest, seconds: float) -> bool:
        looks[0] += 1
        if looks[0] == 1:
            begin[0]()
        return looks[0] > 1

    monkeypatch.setattr(StopRequest, "wait", wait)
    arguments = ("status", "--watch", "--json", "--url", link.url)
    for place, command in enumerate(_commands(victim, lambda: run_inside(name, *arguments))):
        for lie in list(LIES)[place % 3 :: 3]:
            looks[0] = 0
            begin[0] = partial(link.lie, LIES[lie], about=command)
            ended = run_inside(name, *arguments)
            link.tell_the_truth()
            case = f"{lie} for {command}"
            assert ended.exit_code in CODES, f"{case}: {ended.exit_code} {ended.stderr[-300:]}"
            assert ended.stdout.startswith('{"'), case
            assert ended.stderr.count(f"{name}: ") <= 1, case
            assert "Traceback" not in ended.stderr, case
    assert link.told >= 50
