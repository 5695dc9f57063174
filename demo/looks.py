"""How the demo looks on a terminal: headings, and a verdict in green or red; plain text everywhere else.

The programs write to files here, so they leave the colour to us.
"""

from __future__ import annotations

import os
import re
import sys

_BOLD, _GREEN, _RED, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
_VERDICT = re.compile(r"^Run \S+ (verified|failed)\b.*$", re.MULTILINE)


def heading(text: str) -> str:
    """Return a heading, after an empty line."""
    return f"\n{_BOLD}{text}{_PLAIN}" if _is_coloured() else f"\n{text}"


def with_colours(text: str) -> str:
    """Return what a program said, its verdicts in colour."""
    return _VERDICT.sub(_coloured, text) if _is_coloured() else text


def _coloured(found: re.Match[str]) -> str:
    return f"{_GREEN if found[1] == 'verified' else _RED}{found[0]}{_PLAIN}"


def _is_coloured() -> bool:
    """Tell whether stdout is a terminal that shows colours. Source: https://no-color.org."""
    is_wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
    return is_wanted and sys.stdout.isatty()
