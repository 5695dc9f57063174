"""A follower's verdicts, in a file on its host, where `status` reads them as it reads a result elsewhere.

JSON lines, appended and synced before a run is reported, so that a report never tells what the file has not. A line
that a kill tore is passed over, as is anything that is no verdict of ours. Replacing the whole file for each run was
rejected: it would write the verdicts of a week once more for each.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from shared.program.state_folder import state_file, unwritable
from shared.tokens import is_token
from shared.verdict import SegmentVerdict

SUFFIX = ".verdicts"
TRIM_EVERY_S = 60 * 60
MAX_LINE_BYTES = 4 * 1024 * 1024  # a verdict that shows 1,000 values of control characters alone takes 1.2 MB
LocalVerdicts = dict[str, dict[int, SegmentVerdict]]
"""Verdicts by run and segment."""


class Line(NamedTuple):
    """One line: a verdict, the run that it is of, and until when it is kept (this host's clock, ms since 1970)."""

    run_id: str
    until_ms: int
    verdict: SegmentVerdict

    def encode(self) -> str:
        """Return it as JSON."""
        return f'{{"run_id":"{self.run_id}","until_ms":{self.until_ms},"verdict":{self.verdict.encode()}}}\n'


class VerdictFile:
    """The verdicts of one endpoint and namespace."""

    def __init__(self, directory: str, *, endpoint: str, namespace: str) -> None:
        """Name the file after them."""
        self.path = state_file(directory, SUFFIX, endpoint=endpoint, namespace=namespace)
        self._trim_at_s = 0.0

    def read(self) -> LocalVerdicts:
        """Return the verdicts that are kept; of each segment those of its latest attempt. None where no file is."""
        now_ms, found = time.time_ns() // 1_000_000, LocalVerdicts()
        for line in self._lines():
            standing = found.setdefault(line.run_id, {}).get(line.verdict.segment)
            if line.until_ms > now_ms and (standing is None or standing.attempt <= line.verdict.attempt):
                found[line.run_id][line.verdict.segment] = line.verdict
        return {run_id: verdicts for run_id, verdicts in found.items() if verdicts}

    def append(self, run_id: str, verdicts: Iterable[SegmentVerdict], *, retain_ms: int) -> None:
        """Add the verdicts of a run durably, kept for `retain_ms`; InvalidInputError where that can't be done."""
        now_ms = time.time_ns() // 1_000_000
        if time.monotonic() >= self._trim_at_s:
            self._trim(now_ms)
        text = "".join(Line(run_id, now_ms + retain_ms, verdict).encode() for verdict in verdicts)
        try:
            with self.path.open("a+b") as file:
                end = file.seek(0, os.SEEK_END)
                if end and os.pread(file.fileno(), 1, end - 1) != b"\n":  # torn: ours is to be a line of its own
                    text = f"\n{text}"
                file.write(text.encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _trim(self, now_ms: int) -> None:
        """Remove what is not kept any longer, and what a later line replaces: by another file in its place."""
        self._trim_at_s = time.monotonic() + TRIM_EVERY_S
        kept = {(line.run_id, line.verdict.segment): line for line in self._lines() if line.until_ms > now_ms}
        beside = self.path.with_name(f"{self.path.name}.trimmed")
        try:
            with beside.open("w", encoding="ascii") as file:
                file.writelines(line.encode() for line in kept.values())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _lines(self) -> Iterator[Line]:
        try:
            with self.path.open("rb") as file:
                yield from filter(None, map(_decode, _bounded_lines(file)))
        except FileNotFoundError:
            return
        except OSError as error:
            raise unwritable(self.path, error) from error


def _bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file but those longer than any of ours, of which no more than 4 MiB are held at once."""
    is_rest = False
    while part := file.readline(MAX_LINE_BYTES):
        is_end = part.endswith(b"\n")
        if is_end and not is_rest:
            yield part
        is_rest = not is_end


def _decode(raw: bytes) -> Line | None:
    """Return what a line says; None for one that is torn or none of ours."""
    try:
        fields = json.loads(raw)
        run_id, until_ms = fields["run_id"], fields["until_ms"]
        verdict = SegmentVerdict.decode(json.dumps(fields["verdict"]).encode())
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not (raw.endswith(b"\n") and isinstance(run_id, str) and is_token(run_id)):
        return None
    is_ours = type(until_ms) is int and 0 <= until_ms < 2**63
    return Line(run_id, until_ms, verdict) if is_ours and verdict is not None else None
