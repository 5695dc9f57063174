"""What a follower keeps on its host: where that is, whether it can be written, and who holds it.

A replica takes no writes, so checkpoint and verdicts lie in files there, named after endpoint and namespace.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import InvalidInputError, NotFinishedError

_PLACE = "a place where a follower can keep its checkpoint and verdicts"
WRITABLE_ADVICE = "set XDG_STATE_HOME to a folder that can be written"


def state_directory() -> str:
    """Return where state is kept that outlives a program; empty for a user without a home, as some containers have.

    Source: XDG Base Directory Specification: $XDG_STATE_HOME, else ~/.local/state; relative paths there are invalid.
    """
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        base = home if home.is_absolute() else Path("~/.local/state").expanduser()
    except RuntimeError:  # neither HOME nor an entry of the user
        return ""
    return str(base / "handover")


def state_file(directory: str, suffix: str, *, endpoint: str, namespace: str) -> Path:
    """Return the path of a file that belongs to an endpoint, by its URL without password, and a namespace."""
    _require_place(directory)
    digest = hashlib.sha256(f"{endpoint}\n{namespace}".encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", f"{endpoint}-{namespace}").strip("-")[:80]
    return Path(directory) / f"{readable}-{digest}{suffix}"


def require_writable(directory: str) -> None:
    """Raise InvalidInputError unless files can be written in a folder, or the folder made; nothing is left there."""
    _require_place(directory)
    folder = Path(directory)
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"?")
            file.flush()
    except OSError as error:
        raise unwritable(folder, error) from error


def _require_place(directory: str) -> None:
    if not directory:
        got = "none, since this user has no home"
        raise InvalidInputError(where="state folder", expected=_PLACE, got=got, advice=WRITABLE_ADVICE)


def unwritable(path: Path, error: OSError) -> InvalidInputError:
    """Return the error for a file or folder of a follower that can't be written."""
    got = error.strerror or str(error)
    return InvalidInputError(where=str(path), expected=_PLACE, got=got, advice=WRITABLE_ADVICE)


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a file's lock during the block; NotFinishedError if another process has it. A kill releases it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read(20).decode("ascii", "replace").strip()
            raise NotFinishedError(
                where=str(path), expected="one server-b that follows this endpoint and namespace on this host",
                got=f"another one, process {holder or 'unknown'}", advice="end that one, or set another XDG_STATE_HOME",
            ) from error  # fmt: skip
        file.truncate(0)
        file.write(b"%d\n" % os.getpid())
        file.flush()
        yield
