"""The report as it is drawn: the same for the same facts, small, safe, and readable by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from shared.page.facts import Claim, Letter, PageFacts, UnderWay
from shared.page.render import main_html, report_html
from shared.reading import ReadingNote
from shared.status.facts import PENDING, GroupStatus
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict
from tests.stage.hostile_texts import HOSTILE_TEXTS, unsafe_characters
from tests.stage.html_reading import ReadHtml
from tests.stage.page_facts import (
    BEGAN_MS,
    GOLDEN,
    RUN_ID,
    being_read,
    golden_facts,
    page_of,
    run_of,
    segment,
    unfinished,
)

MAX_BYTES = 200_000
NOTE_OF_FIRST = ReadingNote(RUN_ID, 1, 500, BEGAN_MS + 1_000, BEGAN_MS + 1_500)
MARKUP = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</style></svg></textarea>", "{{ 7 * 7 }}"]


def test_the_same_facts_are_drawn_as_in_the_golden_file() -> None:
    """After a wanted change: python -m tests.stage.page_facts."""
    assert report_html(golden_facts()) == GOLDEN.read_text("utf-8")


@cache
def _many() -> PageFacts:
    found = [segment(n, verdict=FAILED if n % 777 == 0 else VERIFIED, segments=100_000) for n in range(1, 100_001)]
    return page_of(run_of(found, verdict=FAILED, segments=100_000))


PAGES: dict[str, Callable[[], PageFacts]] = {
    "failed": golden_facts,
    "verified": lambda: page_of(run_of([segment(n) for n in range(1, 6)])),
    "superseded": lambda: page_of(run_of([segment(n, verdict=SUPERSEDED) for n in range(1, 6)], verdict=SUPERSEDED)),
    "unfinished": lambda: page_of(unfinished()),
    "looked at in steps": lambda: replace(page_of(unfinished()), notes=("2 of 5 segments",)),
    "being read": lambda: page_of(being_read()),
    "nothing published": lambda: page_of(run_of([], verdict=PENDING, is_finished=False)),
    "three outages": lambda: page_of(run_of([segment(n, outages=3) for n in range(1, 6)], outages=3)),
    "followed": lambda: page_of(run_of([segment(1, segments=1)], segments=1), is_followed=True, group=GroupStatus()),
    "100,000 segments": _many,
    "no run": lambda: page_of(None),
}


@pytest.mark.parametrize("name", PAGES)
def test_every_kind_of_run_is_one_small_file_that_needs_nothing_else(name: str) -> None:
    html = report_html(PAGES[name]())
    found = ReadHtml(html)
    assert len(html.encode()) <= MAX_BYTES
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(found.tags)
    assert (found.addresses, found.handlers) == ([], [])
    assert "url(" not in html.replace("url(#hatch)", "")
    assert found.tags.count("h1") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "failed",
            "Failed 1 of 5 segments failed, 5,000 values in all. What is wrong: segment 3: changed; position 2,500",
        ),
        ("failed", "Expected there 2500 Found there <script>alert(1)</script>"),
        ("failed", "host-b claimed segment 2 from host-c at +1.12 s"),
        ("verified", "Verified 5,000 values in 5 segments: complete, in order and once."),
        ("superseded", "5 superseded"),
        ("superseded", "Superseded by a newer run 5,000 values in 5 segments; no reason is known. "),
        ("superseded", "Digest of what B read not known: not all of it was verified"),
        ("verified", "written at most 50 thousand values/s over 20 ms"),
        ("looked at in steps", "2 verified 1 published, no verdict yet 2 not published or not looked at yet"),
        ("looked at in steps", "3 of 5 segments published, as far as looked at"),
        ("looked at in steps", "Digest of what A wrote known when all was looked at"),
        ("unfinished", "Not finished 2 of 5 segments verified, 3,000 values without a verdict."),
        ("being read", "2 verified 1 being read 1 published, no verdict yet 1 not published"),
        (
            "being read",
            "host-b reads segment 3: 250 of 1,000 values, 25 % , nothing new for 7 s The segments as a table",
        ),
        ("being read", "3 being read, 25 % 1,000"),
        ("nothing published", "0 of 5 segments verified"),
        ("three outages", "server-a had no server for 100 ms , from +500 ms on"),
        ("three outages", "outages of A, of B 300 ms , 300 ms"),
        ("followed", "follows the replica; its verdicts are in a file on its host"),
        ("100,000 segments", "One cell is 100 segments."),
        ("100,000 segments", "128 failed"),
        ("no run", "No run is here"),
    ],
)
def test_what_is_to_be_read(name: str, words: str) -> None:
    assert words in ReadHtml(report_html(PAGES[name]())).text


def test_each_state_of_a_segment_has_a_form_and_a_word_of_its_own() -> None:
    found = [segment(1), segment(2, verdict=FAILED), segment(3, verdict=SUPERSEDED), segment(4, verdict="")]
    html = report_html(page_of(run_of(found, verdict=PENDING, is_finished=False)))
    text = ReadHtml(html).text
    for words in ("1 verified", "1 failed", "1 superseded", "1 published, no verdict yet", "1 not published"):
        assert words in text
    signs = {line.partition('" d="')[2] for line in html.splitlines() if 'class="in-cell' in line and "<li>" in line}
    assert len(signs) == 3  # beside the full and the empty square


@pytest.mark.parametrize(("segments", "columns", "rows"), [(5, 5, 1), (50, 25, 2), (250, 25, 10), (251, 50, 6)])
def test_cells_of_few_segments_are_large_enough_for_a_telephone(segments: int, columns: int, rows: int) -> None:
    html = report_html(
        page_of(run_of([segment(n, segments=segments) for n in range(1, segments + 1)], segments=segments))
    )
    assert f'<svg class="cells" viewBox="0 0 {columns * 10} {rows * 10}"' in html


def test_a_bar_that_is_narrow_has_no_line_around_it_that_would_hide_it() -> None:
    """Of 10 s, 20 ms are 2 of 1,000 units: less than a pixel on a telephone."""
    verdict = segment(1).verdict
    assert verdict is not None
    late = replace(
        segment(1),
        verdict=replace(verdict, started_us=(BEGAN_MS + 9_980) * 1_000, ended_us=(BEGAN_MS + 10_000) * 1_000),
    )
    html = report_html(page_of(run_of([late], segments=1)))
    assert '<rect class="thin" x="998.0" y="20" width="2.0" height="10"><title>read for 20 ms</title></rect>' in html
    assert html.count(">+10 s</text>") == 2


def test_what_a_telephone_has_no_room_for_is_left_out_and_not_cut() -> None:
    html = report_html(golden_facts())
    assert '5 segments<span class="more"> in 63 ms</span>' in html
    assert 'values/s<span class="more"> over 20 ms</span>' in html


@pytest.mark.parametrize(
    ("number", "shown", "words"),
    [
        (1, 1, "no signal host-b What is in them: server-b dead list"),
        (23, 1, "no signal host-b The newest 1; all of them: server-b dead list"),
        (23, 0, "Dead letters: 23 What is in them: server-b dead list"),
    ],
)
def test_dead_letters_that_are_not_shown_are_told(number: int, shown: int, words: str) -> None:
    letters = (Letter("1-1", "no signal", "host-b"),) * shown
    facts = replace(golden_facts(), dead_letters=number, letters=letters)
    assert words in ReadHtml(report_html(facts)).text


def test_a_cell_fills_from_below_as_its_segment_is_read() -> None:
    run = being_read()
    heights = []
    for values in (0, 250, 1_000):
        parts = (*run.parts[:2], replace(run.parts[2], values_read=values), *run.parts[3:])
        html = report_html(page_of(replace(run, parts=parts)))
        (path,) = re.findall(r'class="in-cell reading" d="M22 [0-9.]+h6v([0-9.]+)h-6z"', html)
        heights.append(float(path))
    assert heights == [0.5, 1.5, 6.0]


def test_what_is_being_read_is_a_frame_on_the_time_line_of_its_consumer() -> None:
    """From 1.2 s after the run began until its consumer said so last, at 2 s of 9; a quarter of the segment is read."""
    run = being_read()
    html = report_html(page_of(run))
    (frame,) = re.findall(r'<rect class="open" x="(.+?)" y="20" width="(.+?)" height="10"><title>(.+?)</title>', html)
    assert frame == ("133.3", "88.9", "segment 3: 250 of 1,000 values read in 800 ms")
    assert html.count('<path d="M133.3 27.5h88.9v2.5h-88.9z"/>') == 1
    assert "host-b reads 2 segments , 2,000 values; now segment 3: 25 %" in ReadHtml(html).text
    assert run.rates.read[20] == 23  # in the 75 ms from 1.5 s on


def test_the_time_line_lasts_until_the_last_signal_was_taken() -> None:
    """Of a superseded run nothing is read; the lag was longer than the whole of its time line."""
    found = [segment(n, verdict=SUPERSEDED) for n in range(1, 6)]
    unread = [replace(each, verdict=replace(each.verdict, started_us=0, ended_us=0)) for each in found if each.verdict]
    run = run_of(unread, verdict=SUPERSEDED)
    assert run.lag_ms is not None
    assert run.ended_ms - run.began_ms == 1_150 > run.lag_ms


def test_who_has_read_nothing_yet_has_a_lane_too() -> None:
    run = run_of([segment(1, verdict="")], verdict=PENDING, is_finished=False, notes={"new": NOTE_OF_FIRST})
    text = ReadHtml(report_html(page_of(run))).text
    assert "new reads segment 1: 50 %" in text
    assert "read 0 segments of this run" not in text
    assert (run.read_per_s, run.values_left) == (1_000, 5_000)
    assert "At the rate so far that takes 4.5 s." in text


def test_those_who_read_now_are_drawn_before_those_who_have_read() -> None:
    found = [replace(segment(n, segments=20), verdict=_read_by(n)) for n in range(1, 20)]
    run = run_of(
        [*found, segment(20, verdict="")],
        segments=20,
        verdict=PENDING,
        is_finished=False,
        notes={"new": replace(NOTE_OF_FIRST, segment=20)},
    )
    assert "new" in {reader.name for reader in run.readers}
    assert (len(run.readers), run.readers_left_out) == (8, 12)


def _read_by(number: int) -> SegmentVerdict:
    verdict = segment(number, segments=20).verdict
    assert verdict is not None
    return replace(verdict, consumer=f"host-{number}")


def _with(text: str) -> PageFacts:
    facts = golden_facts()
    run = facts.run
    assert run is not None
    assert run.witness is not None
    run = replace(
        run,
        reason=text, command=text, last=text, first=(text,) * 10,
        witness=replace(run.witness, expected=text, found=text),
        readers=tuple(replace(reader, name=text) for reader in run.readers),
        parts=tuple(replace(part, consumer=text, claimed_from=text) for part in run.parts),
        under_way=(UnderWay(text, 1, 5, 10, run.began_ms, run.ended_ms),),
        claims=(Claim(1, run.began_ms, text, text),),
        outages=tuple(replace(outage, program=text) for outage in run.outages),
        carts=tuple(replace(cart, lines=(replace(cart.lines[0], sku_id=text, name=text),)) for cart in run.carts),
    )  # fmt: skip
    group = replace(facts.group, consumers=[{"name": text, "pending": 0, "idle_ms": 1}])
    endpoint = replace(facts.endpoint, server=text, version=text, mode=text)
    return replace(
        facts, run=run, group=group, endpoint=endpoint, wrong=(text,), under_way=(text,), letters=(Letter(*[text] * 3),)
    )


@pytest.mark.parametrize("draw", [report_html, main_html])
@pytest.mark.parametrize("text", MARKUP)
def test_markup_that_others_stored_is_text(draw: Callable[[PageFacts], str], text: str) -> None:
    plain, found = ReadHtml(draw(golden_facts())), ReadHtml(draw(_with(text)))
    assert set(found.tags) <= {*plain.tags, "small", "b"}
    assert (set(found.addresses), found.handlers) == (set(plain.addresses), [])
    assert found.text.count(" ".join(text.split())) > 10


def test_characters_that_control_or_turn_text_are_spelled_out() -> None:
    plain = unsafe_characters(report_html(golden_facts()))
    assert plain == set()
    for text in HOSTILE_TEXTS:
        assert unsafe_characters(report_html(_with(text))) == set(), ascii(text)


def test_large_texts_are_cut_where_they_are_decoded() -> None:
    """Names of SKUs are the only texts that are not cut when they are read."""
    facts = golden_facts()
    run = facts.run
    assert run is not None
    cart = run.carts[0]
    lines = tuple(replace(cart.lines[0], sku_id="x" * 2**20, name="y" * 2**20) for _ in range(10))
    html = report_html(replace(facts, run=replace(run, carts=(replace(cart, lines=lines),))))
    assert len(html.encode()) <= MAX_BYTES
