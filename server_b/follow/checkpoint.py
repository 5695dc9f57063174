"""A follower's checkpoint: how far it has read, in a local file for each endpoint and namespace.

A replica takes no writes, so it can't be kept there. The file is replaced as a whole: after a kill it holds the old
checkpoint or the new one.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shared.entry_ids import is_entry_id
from shared.errors import InvalidInputError
from shared.program.state_folder import state_file
from shared.text import quoted_text
from shared.tokens import is_token

START = "0-0"
PREPARED = ".new"
LEFT_AFTER_S = 60 * 60
MAX_REPORTED = 1_000
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Checkpoint:
    """Where to continue after a restart.

    Attributes:
        reported: Runs reported since, the last report last, each with its newest attempt then; at most 1,000.
    """

    after: str = START  # id of the entry before the first signal of the oldest run that is not reported yet
    reported: dict[str, str] = field(default_factory=dict)

    def after_report(self, run_id: str, attempt: str, *, after: str) -> Checkpoint:
        """Return the checkpoint that counts once a run is reported, for the first time or again."""
        others = [(other, newest) for other, newest in self.reported.items() if other != run_id]
        return Checkpoint(after, dict([*others, (run_id, attempt)][-MAX_REPORTED:]))


class CheckpointFile:
    """Reads and replaces one checkpoint; where the file can't be read or written, InvalidInputError says so."""

    def __init__(self, directory: str, *, endpoint: str, namespace: str) -> None:
        """Name the file after endpoint, by its URL without password, and namespace."""
        self.path = state_file(directory, ".json", endpoint=endpoint, namespace=namespace)

    def read(self) -> Checkpoint:
        """Return the checkpoint; the beginning when there is none."""
        try:
            with self.path.open("rb") as file:
                checkpoint = _decoded(file.read(_MOST_BYTES + 1))
        except FileNotFoundError:
            return Checkpoint()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._error("a checkpoint that can be read", str(error)) from error
        return checkpoint

    def prepare(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint durably to another file beside this one, and return its path, for `replace`."""
        folder, prefix = self.path.parent, f"{self.path.name}."
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=folder, prefix=prefix, suffix=PREPARED, delete=False) as file:
                json.dump(asdict(checkpoint), file)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._error("a checkpoint that can be written", str(error)) from error
        return Path(file.name)

    def replace(self, prepared: Path) -> None:
        """Replace the file by a prepared one, atomically."""
        try:
            prepared.replace(self.path)
        except OSError as error:
            raise self._error("a checkpoint that can be written", str(error)) from error

    def remove_leftovers(self) -> None:
        """Remove the files that kills between `prepare` and `replace` left of this checkpoint."""
        for path in self.path.parent.glob(f"{self.path.name}.*{PREPARED}"):
            with suppress(OSError):  # somebody else removed it, or we may not; nobody reads it
                # a younger one may be in use by another follower of the same endpoint
                if time.time() - path.stat().st_mtime > LEFT_AFTER_S:
                    path.unlink()

    def _error(self, expected: str, got: str) -> InvalidInputError:
        advice = "remove the file to begin anew, or set XDG_STATE_HOME to a folder that can be written"
        return InvalidInputError(where=str(self.path), expected=expected, got=got, advice=advice)


def _decoded(raw: bytes) -> Checkpoint:
    """Return the checkpoint that JSON spells; ValueError and others where it is none of ours."""
    if len(raw) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES:,} bytes")
    found = json.loads(raw.decode("utf-8"))
    after, reported = found["after"], found["reported"]
    if not (isinstance(after, str) and is_entry_id(after.encode("ascii", "replace"))):
        raise ValueError(f"{quoted_text(str(after))} as `after`, which is no entry id")
    if len(reported) > MAX_REPORTED or not all(map(is_token, [*reported.keys(), *reported.values()])):
        raise ValueError("runs and attempts that are none")
    return Checkpoint(after, dict(reported))
