"""Which OTEL_* variables OpenTelemetry does not take as they are, as it says while it starts; never what they hold.

The SDK logs that it goes on with a default, or raises. Its texts quote values, which may be secrets (a header's), and
don't all name the variable: where one doesn't, all variables that are set are named.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

_EXPORTERS = ("trace_exporter", "metric_exporter")  # their modules speak of receivers, not of variables


class Objections(logging.Handler):
    """Takes what OpenTelemetry logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a text."""
        if not record.name.endswith(_EXPORTERS):
            self.texts.append(record.getMessage())


@contextmanager
def objections() -> Iterator[Objections]:
    """Listen to OpenTelemetry's log in the block."""
    logger = logging.getLogger("opentelemetry")
    heard = Objections()
    logger.addHandler(heard)
    try:
        yield heard
    finally:
        logger.removeHandler(heard)


def variables_of(texts: Iterable[str], environment: Mapping[str, str]) -> str:
    """Return the variables that texts are about, as a sentence begins with them."""
    given = sorted(name for name, value in environment.items() if value and re.fullmatch("OTEL_[A-Z0-9_]+", name))
    meant: set[str] = set()
    for text in texts:
        meant |= {name for name in given if re.search(rf"\b{name}\b", text)} or set(given)
    return ("one of " if len(meant) > 1 else "") + ", ".join(sorted(meant))
