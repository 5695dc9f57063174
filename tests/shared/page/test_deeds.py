"""What was done by hand on the stage, on the time line of the run during which it was done."""

from __future__ import annotations

import pytest

from shared.page.facts import Deed
from shared.page.render import main_html
from shared.page.time_line import time_line
from tests.stage.page_facts import BEGAN_MS, page_of, run_of, segment

RUN = run_of([segment(number) for number in range(1, 6)])


def test_without_deeds_nothing_of_them_is_drawn() -> None:
    assert main_html(page_of(RUN)) == main_html(page_of(RUN), deeds=())
    assert [lane.kind for lane in time_line(RUN).lanes] == ["write", "signal", "read"]


def test_deeds_have_the_first_lane_with_their_numbers_and_beginnings() -> None:
    deeds = [Deed(3, "kill -9 server-a", BEGAN_MS + 100, BEGAN_MS + 150), Deed(4, "cut <b>", BEGAN_MS + 200, 0)]
    lane = time_line(RUN, deeds).lanes[0]
    assert (lane.kind, lane.label, lane.note) == ("deed", "by hand", "3: kill -9 server-a, 4: cut <b>")
    assert len(lane.bars) == len(lane.lines) == 2
    assert lane.bars[1].x + lane.bars[1].width == pytest.approx(1_000)  # what lasts ends where the run does
    html = main_html(page_of(RUN), deeds=deeds)
    assert html.count('class="since"') == 2
    assert "cut &lt;b&gt;" in html


@pytest.mark.parametrize(("begin", "end"), [(-500, -100), (1_000_000, 1_000_100), (1_000_000, 0)])
def test_what_was_done_before_or_after_a_run_is_not_on_its_time_line(begin: int, end: int) -> None:
    deed = Deed(1, "promote the replica", BEGAN_MS + begin, BEGAN_MS + end if end else 0)
    assert [lane.kind for lane in time_line(RUN, [deed]).lanes] == ["write", "signal", "read"]
