r"""Draws facts as HTML: one file for the report, and the part of the page that changes.

Everything that is put into a template is escaped twice: characters that control a terminal or change the direction of
text are spelled as `\x1b`, then HTML's own by autoescape. Both happen in one place each, for every text there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import InvalidInputError
from shared.page import words
from shared.page.cells import WORDS, cells_of, legend_of, state_of
from shared.page.facts import Deed, PageFacts, RunFacts
from shared.page.rate_chart import rate_chart
from shared.page.time_line import time_line
from shared.shop.cart_text import MAX_NAME_BYTES, money_text
from shared.text import shortened, shown_text

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
MAX_ROWS = 50
VERDICTS = {
    "verified": "Verified",
    "failed": "Failed",
    "superseded": "Superseded by a newer run",
    "pending": "Not finished",
    "unknown": "Not known any more",
}


def report_html(facts: PageFacts) -> str:
    """Return the report: one file with its style in it, that needs nothing else."""
    return _environment().get_template("report.html").render(_values(facts), css=style())


def page_html(main: str, *, title: str, address: str = "", panel: str = "", foot: str = "") -> str:
    """Return the page around what `main_html` has drawn, with a panel above it and a sentence at its foot."""
    from markupsafe import Markup

    template = _environment().get_template("page.html")
    drawn = {"main": Markup(main), "panel": Markup(panel)}  # noqa: S704 - drawn by us
    return template.render(drawn, title=title, address=address, foot=foot, is_live=True)


def main_html(facts: PageFacts | None, *, away: str = "", first: str = "", deeds: Sequence[Deed] = ()) -> str:
    """Return the part of the page that is sent anew when something has changed; `first` is HTML in front of it."""
    values = _values(facts, deeds) if facts is not None else {"facts": None}
    return first + _environment().get_template("main.html").render(values, away=away, is_live=True)


def style() -> str:
    """Return the style sheet."""
    return (FOLDER / "style.css").read_text("utf-8")


def require_jinja2() -> None:
    """Raise InvalidInputError with the command that installs the extra, unless it is there."""
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise missing_extra("report --html") from error


def require_page() -> None:
    """Raise InvalidInputError with the command that installs the extra, unless all of it is there."""
    try:
        import jinja2  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise missing_extra("page") from error


def missing_extra(command: str) -> InvalidInputError:
    """Return the error of a command that needs the extra `page`."""
    return InvalidInputError(
        where=f"server-b {command}", expected="the extra `page`", got="no such packages installed",
        advice="pip install 'redis-handover[page]', or in a clone pip install '.[page]'",
    )  # fmt: skip


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:  # noqa: ANN401 - whatever a template puts out
        return shown_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, finalize=shown,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    for name in ("number", "short_number", "duration", "moment", "counted"):
        environment.filters[name] = getattr(words, name)
    environment.filters["money"] = money_text
    environment.filters["cut"] = partial(shortened, most=MAX_NAME_BYTES)
    environment.globals.update(state_of=state_of, words=WORDS, verdicts=VERDICTS)
    return environment


def _values(facts: PageFacts, deeds: Sequence[Deed] = ()) -> dict[str, Any]:
    run = facts.run
    values: dict[str, Any] = {"facts": facts, "run": run, "is_live": False, "away": ""}
    if run is None:
        return values
    shown = _rows(run)
    return values | {
        "line": time_line(run, deeds),
        "chart": rate_chart(run),
        "cells": cells_of(run),
        "legend": legend_of(run),
        "rows": shown,
        "rows_left_out": len(run.parts) - len(shown),
    }


def _rows(run: RunFacts) -> list[Any]:
    """Return the parts that stand in the table: all of a few, else first those that are not verified."""
    if len(run.parts) <= MAX_ROWS:
        return list(run.parts)
    ordered = sorted(run.parts, key=lambda part: (state_of(part) != "failed", state_of(part) == "verified", part.first))
    return sorted(ordered[:MAX_ROWS], key=lambda part: part.first)
