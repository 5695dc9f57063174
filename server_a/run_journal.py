"""What a run notes of itself in `run:<run_id>`, so that it can go on after a kill.

Each note carries the whole record: a failover may lose the key, and a note alone would make one that nobody can resume
and that stays for ever.
"""

from __future__ import annotations

from collections.abc import Mapping

from server_a.run_context import RunContext


class RunJournal:
    """Writes the record of a run and how far it is."""

    def __init__(self, run: RunContext) -> None:
        """Write nothing yet."""
        self._run = run
        self._key = run.keys.run(run.record.run_id)

    def begin(self) -> None:
        """Write the record; how far a resumed run had come stays."""
        self._write({}, ("HSETNX", self._key, "published", 0), ("HSETNX", self._key, "finished_ms", 0))

    def note(self, fields: Mapping[str, str | int]) -> None:
        """Write fields beside the record."""
        self._write(fields)

    def finish(self, published: int) -> None:
        """Note that the audit is done, and how many segments are published."""
        run = self._run
        finished_ms = run.wires.patience.keep_trying(lambda: run.endpoint.server_ms(self._key))
        self._write({"published": published, "finished_ms": finished_ms})

    def _write(self, fields: Mapping[str, str | int], *more: tuple[str | int, ...]) -> None:
        """Write the record and these fields.

        Redis:
            MULTI HSET, at most two HSETNX, PEXPIRE EXEC; O(fields).
        """
        record = self._run.record
        pairs = (record.encode() | dict(fields)).items()
        self._run.wires.repeat_transaction(
            self._key,
            ("HSET", self._key, *(part for pair in pairs for part in pair)),
            *more,
            ("PEXPIRE", self._key, record.retain_ms),
        )
