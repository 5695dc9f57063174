"""How long common commands take to start, and whose time that is: Python's, each library's, or ours.

A command may take less than a Python that only imports the same libraries, because ours end without the search for
garbage in all modules.
"""

from __future__ import annotations

from functools import partial

from bench import programs
from bench.contest import Contest

_LIBRARIES = ("redis", "click", "structlog")
_QUICK = (
    ("server_a", "status"),
    ("server_a", "check"),
    ("server_a", "sku", "list"),
    ("server_a", "user", "list"),
    ("server_a", "cart", "show", "1"),
    ("server_b", "status"),
    ("server_b", "check"),
    ("server_b", "read", "--limit", "10"),
    ("server_b", "dead", "list"),
)
_RUNS = (("server_a", "run", "--count", "10000"), ("server_b", "run", "--once"))


def start_contests(url: str) -> list[Contest]:
    """Return what each library adds to a bare Python, and each command to the libraries that it imports.

    Args:
        url: Of a server that is ours; server-b's run verifies what server-a's has just written.
    """
    imports = [_LIBRARIES[:number] for number in range(len(_LIBRARIES) + 1)]
    runs = [partial(programs.import_s, libraries) for libraries in imports]
    names = [", ".join(("Python", *libraries)) for libraries in imports]
    libraries = [
        Contest(
            f"start beyond {names[number]}",
            f"import {name}",
            names[number],
            runs[number + 1],
            runs[number],
            measure="difference_ms",
        )
        for number, name in enumerate(_LIBRARIES)
    ]
    # commands that show something log nothing, so they import no structlog
    quick, whole = len(_LIBRARIES) - 1, len(_LIBRARIES)
    commands = [(path, whole) for path in _RUNS] + [(path, quick) for path in _QUICK]
    return libraries + [
        Contest(
            f"process beyond {names[number]}",
            " ".join(path).replace("_", "-", 1),
            names[number],
            partial(programs.command_s, (*path, "--url", url)),
            runs[number],
            measure="difference_ms",
        )
        for path, number in commands
    ]
