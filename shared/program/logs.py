"""Logs: structured events on stderr, readable lines on a terminal and JSON lines elsewhere; stdout holds only results.

The standard library's logging is not used, because only our programs log: what redis-py logs is in our errors, too.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

import structlog

from shared.program.options import CommonSettings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor


def open_log(common: CommonSettings) -> FilteringBoundLogger:
    """Return the program's log, set up as the options say."""
    is_terminal = sys.stderr.isatty()
    as_json = common.log_format == "json" or (common.log_format is None and not is_terminal)
    renderer: Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=is_terminal)
    )
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[common.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _LastingStderr())),
        cache_logger_on_first_use=True,
    )
    return cast("FilteringBoundLogger", structlog.get_logger(program=common.endpoint.program))


class _LastingStderr:
    """The part of stderr that a logger uses; when nobody reads it any more, events are lost and the work goes on."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()
