"""What `python -m bench --structures` prints: a row a structure, a block a server. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.contest import Outcome
from bench.structures.facts import Facts

_HEADINGS = ("structure", "bytes", "write", "read", "order", "duplicates", "sent twice", "slots", "on a cluster")
_TEXT_COLUMNS = {0, 4, 5, 6, 8}


@dataclass(frozen=True)
class Row:
    """All that was found of one structure on one server.

    Attributes:
        count: Values in it.
        bytes_a_value: Memory of the server.
        readings: How often all values were read and found in their places.
        write: Time of writing, against the list's.
        read: Time of reading in reverse, against the list's.
        facts: What else was seen.
    """

    structure: str
    count: int
    bytes_a_value: float
    readings: int
    write: Outcome
    read: Outcome
    facts: Facts

    def as_json(self) -> dict[str, object]:
        """Return it as one JSON object's fields."""
        return {
            "structure": self.structure,
            "bytes_a_value": round(self.bytes_a_value, 2),
            "values": self.count,
            "verified_readings": self.readings,
            "order": self.facts.order,
            "duplicates": self.facts.duplicates,
            "sent_twice": self.facts.resent,
            "slots": self.facts.slots,
            "on_a_cluster": self.facts.publication,
            "write": self.write.as_json(),
            "read": self.read.as_json(),
        }


def structures_table(rows_by_place: Mapping[str, Sequence[Row]]) -> str:
    """Return the table; above each block, how long the list takes that all others are measured against."""
    cells = {place: [_cells(row) for row in rows] for place, rows in rows_by_place.items()}
    everything = [_HEADINGS, *(row for block in cells.values() for row in block)]
    widths = [max(len(row[column]) for row in everything) for column in range(len(_HEADINGS))]
    lines = []
    for place, block in cells.items():
        first = rows_by_place[place][0]
        write_ms, read_ms = (outcome.middle_baseline_s * 1_000 for outcome in (first.write, first.read))
        lines.append(f"{place}; 1.00x is {write_ms:.0f} ms of writing, {read_ms:.0f} ms of reading")
        lines += [*(_line(row, widths) for row in (_HEADINGS, *block)), ""]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    facts = row.facts
    ratios = [f"{outcome.middle:.2f}x" for outcome in (row.write, row.read)]
    seen = (facts.order, facts.duplicates, facts.resent, f"{facts.slots:,}", facts.publication)
    return (row.structure, f"{row.bytes_a_value:.1f}", *ratios, *seen)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line; texts to the left, numbers to the right."""
    cells = [
        cell.ljust(width) if column in _TEXT_COLUMNS else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return ("  " + "  ".join(cells)).rstrip()
