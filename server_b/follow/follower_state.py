"""What a follower keeps on its host, held by one process at a time: its checkpoint and the verdicts it has reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from server_b.follow.checkpoint import Checkpoint, CheckpointFile
from shared.errors import InvalidInputError
from shared.program.state_folder import only_one, require_writable, state_file
from shared.program.verdict_file import VerdictFile
from shared.verdict import SegmentVerdict


class FollowerState:
    """The files of one endpoint and namespace."""

    def __init__(self, directory: str, *, endpoint: str, namespace: str) -> None:
        """Name the files; nothing is opened yet."""
        self._directory = directory
        self._lock = state_file(directory, ".lock", endpoint=endpoint, namespace=namespace)
        self._file = CheckpointFile(directory, endpoint=endpoint, namespace=namespace)
        self._verdicts = VerdictFile(directory, endpoint=endpoint, namespace=namespace)

    @property
    def path(self) -> Path:
        """Where the checkpoint is."""
        return self._file.path

    @contextmanager
    def held(self) -> Iterator[Checkpoint]:
        """Hold the files during the block; yield the checkpoint.

        Looked at before anything is read from the server: a verdict that can't be kept should not be worked for.

        Raises:
            InvalidInputError: The files can't be read or written.
            NotFinishedError: Another process follows the same endpoint.
        """
        require_writable(self._directory)
        with only_one(self._lock):
            self._file.remove_leftovers()
            yield self._file.read()

    @contextmanager
    def noting(
        self, run_id: str, verdicts: Iterable[SegmentVerdict], checkpoint: Checkpoint | None, *, retain_ms: int
    ) -> Iterator[None]:
        """Note verdicts durably, have the block report them, and move the checkpoint, if one is given.

        Where they can't be written, the block is carried out all the same, and then InvalidInputError raised: a verdict
        that was reached is shown.
        """
        prepared: Path | None = None
        trouble: InvalidInputError | None = None
        try:
            self._verdicts.append(run_id, verdicts, retain_ms=retain_ms)
            prepared = self._file.prepare(checkpoint) if checkpoint is not None else None
        except InvalidInputError as error:
            trouble = error
        try:
            yield
            if prepared is not None:
                self._file.replace(prepared)
        finally:
            if prepared is not None:
                prepared.unlink(missing_ok=True)  # it is still there if the report failed
        if trouble is not None:
            raise trouble
