"""Logs: structured events on stderr, readable lines on a terminal and JSON lines elsewhere; stdout holds only results.

The standard library's logging is not used, because only our programs log: what redis-py logs is in our errors, too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

import structlog

from shared.program.options import CommonSettings
from shared.program.screen import has_colours, screen
from shared.text import shown_text

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor


def open_log(common: CommonSettings, ids: Callable[[], Mapping[str, str]] | None = None) -> FilteringBoundLogger:
    """Return the program's log, set up as the options say; `ids` returns what else is to be in every line."""
    is_terminal = sys.stderr.isatty()
    as_json = common.log_format == "json" or (common.log_format is None and not is_terminal)
    renderers: list[Processor] = [structlog.processors.JSONRenderer()]  # in ASCII
    if not as_json:
        renderers = [_escaped, structlog.dev.ConsoleRenderer(colors=has_colours(sys.stderr))]
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    added: list[Processor] = [_adding(ids)] if ids is not None else []
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, *added, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[common.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _LastingStderr())),
        cache_logger_on_first_use=True,
    )
    return cast("FilteringBoundLogger", structlog.get_logger(program=common.endpoint.program))


def _adding(ids: Callable[[], Mapping[str, str]]) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, **ids()}

    return add


def _escaped(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Escape all texts of an event, which others may have written; what is no text is shown by its `repr`."""
    return {name: shown_text(value) if isinstance(value, str) else value for name, value in event.items()}


class _LastingStderr:
    """The part of stderr that a logger uses; when nobody reads it any more, events are lost and the work goes on."""

    def write(self, text: str) -> None:
        screen.clear()
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()
