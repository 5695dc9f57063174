"""Logs: structured events on stderr, so that stdout holds results alone.

Readable lines on a terminal, JSON lines everywhere else. The standard library's logging is not involved: the programs
are the only source of events, and what redis-py logs says nothing that an error of ours does not.
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
    as_json = common.log_format == "json" or (common.log_format is None and not sys.stderr.isatty())
    renderer: Processor
    if as_json:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[common.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _LastingStderr())),
        cache_logger_on_first_use=True,
    )
    return cast("FilteringBoundLogger", structlog.get_logger(program=common.endpoint.program))


class _LastingStderr:
    """The part of stderr that a logger uses; when its reader has gone, what is logged is lost and the work goes on."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()
