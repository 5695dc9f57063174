"""A follower's checkpoint: how far it has come, in a file of its own for each endpoint and namespace.

A replica takes no writes, so there is nowhere else to keep it. The file is replaced as a whole: after a kill it holds
the old checkpoint or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import InvalidInputError

START = "0-0"
PREPARED = ".new"
LEFT_AFTER_S = 60 * 60
MAX_REPORTED = 1_000
_ENTRY_ID = r"[0-9]{1,20}-[0-9]{1,20}"


@dataclass(frozen=True)
class Checkpoint:
    """Where to go on after a restart.

    Attributes:
        after: Id of the entry before the first signal of the oldest run that is not reported yet.
        reported: Runs reported since and the newest attempt each had then, in the order of their last reports, at most
            1,000. An empty attempt is not known, from a file that kept ids alone; no attempt counts as later than it.
    """

    after: str = START
    reported: Mapping[str, str] = field(default_factory=dict)

    def after_report(self, run_id: str, attempt: str, *, after: str) -> Checkpoint:
        """Return the checkpoint that counts once a run is reported, be it for the first time or again."""
        others = [(other, newest) for other, newest in self.reported.items() if other != run_id]
        return Checkpoint(after, dict([*others, (run_id, attempt)][-MAX_REPORTED:]))


class CheckpointFile:
    """Reads and replaces one checkpoint."""

    def __init__(self, directory: str, *, endpoint: str, namespace: str) -> None:
        """Name the file after endpoint and namespace; the directory is made when it is needed.

        Args:
            directory: Where state is kept.
            endpoint: Its name, without password.
            namespace: May be empty.
        """
        digest = hashlib.sha256(f"{endpoint}\n{namespace}".encode()).hexdigest()[:12]
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", f"{endpoint}-{namespace}").strip("-")[:80]
        self.path = Path(directory) / f"{readable}-{digest}.json"

    def read(self) -> Checkpoint:
        """Return the checkpoint; the beginning when there is none.

        Raises:
            InvalidInputError: The file is there but can't be read or is none of ours.
        """
        try:
            found = json.loads(self.path.read_text("utf-8"))
            checkpoint = Checkpoint(after=str(found["after"]), reported=_decode_reported(found["reported"]))
        except FileNotFoundError:
            return Checkpoint()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._error("a checkpoint that can be read", str(error)) from error
        if not re.fullmatch(_ENTRY_ID, checkpoint.after):
            raise self._error("an entry id as `after`", repr(checkpoint.after))
        return checkpoint

    def prepare(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint durably beside the file, and return where; `replace` makes it the one that counts.

        Raises:
            InvalidInputError: It can't be written.
        """
        text = json.dumps({"after": checkpoint.after, "reported": dict(checkpoint.reported)})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self.path.parent, prefix=f"{self.path.name}.", suffix=PREPARED, delete=False
            ) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._error("a checkpoint that can be written", str(error)) from error
        return Path(file.name)

    def replace(self, prepared: Path) -> None:
        """Put a prepared checkpoint in the place of the file, in one step.

        Raises:
            InvalidInputError: It can't be written.
        """
        try:
            prepared.replace(self.path)
        except OSError as error:
            raise self._error("a checkpoint that can be written", str(error)) from error

    def remove_leftovers(self) -> None:
        """Remove what kills between `prepare` and `replace` have left of this checkpoint.

        What is younger than an hour stays: another follower with the same checkpoint may be about to use it.
        """
        for path in self.path.parent.glob(f"{self.path.name}.*{PREPARED}"):
            with suppress(OSError):  # it is gone by now, or not ours to remove; nobody reads it
                if time.time() - path.stat().st_mtime > LEFT_AFTER_S:
                    path.unlink()

    def _error(self, expected: str, got: str) -> InvalidInputError:
        advice = "remove the file to begin anew, or set XDG_STATE_HOME to a folder that can be written"
        return InvalidInputError(where=str(self.path), expected=expected, got=got, advice=advice)


def _decode_reported(found: object) -> dict[str, str]:
    """Return runs and their newest attempts; an older version kept a list of run ids."""
    if isinstance(found, list):
        return {str(run_id): "" for run_id in found}
    if isinstance(found, dict):
        return {str(run_id): str(attempt) for run_id, attempt in found.items()}
    raise TypeError(f"reported is {type(found).__name__}")
