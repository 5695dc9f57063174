"""A cell for each segment, or for several, told apart by its form and not by its colour alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.page.facts import Part, RunFacts

MAX_COLUMNS = 50
FEW_COLUMNS = 25  # so that the sign in a cell can be seen on a telephone, where 50 leave it 3 pixels
MAX_PARTS_OF_FEW = 250
STATES = ("verified", "failed", "superseded", "reading", "published", "unpublished")
WORDS = {
    "verified": "verified",
    "failed": "failed",
    "superseded": "superseded",
    "reading": "being read",
    "published": "published, no verdict yet",
    "unpublished": "not published",
}
_FEW = 30


@dataclass(frozen=True)
class Cells:
    """The grid: for each state the squares and the signs in them, each one shape."""

    columns: int
    rows: int
    pixels: int  # how wide it is drawn at most
    shapes: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class LegendEntry:
    """What one form means, and how many segments have it."""

    state: str
    words: str
    segments: int
    shape: tuple[str, str]


def cells_of(run: RunFacts) -> Cells:
    """Return the grid of a run: 50 in a row, or 25 where that leaves ten rows at most."""
    most = FEW_COLUMNS if len(run.parts) <= MAX_PARTS_OF_FEW else MAX_COLUMNS
    columns = min(most, max(1, len(run.parts)))
    shapes: dict[str, tuple[list[str], list[str]]] = {state: ([], []) for state in STATES}
    for place, part in enumerate(run.parts):
        row, column = divmod(place, columns)
        state = state_of(part)
        square, sign = _shape(state, column * 10, row * 10, part.values_read / part.values if part.values else 0)
        shapes[state][0].append(square)
        shapes[state][1].append(sign)
    joined = {state: ("".join(squares), "".join(signs)) for state, (squares, signs) in shapes.items()}
    pixels = columns * (24 if len(run.parts) <= _FEW else 18)
    return Cells(columns, -(-len(run.parts) // columns), pixels, joined)


def legend_of(run: RunFacts) -> list[LegendEntry]:
    """Return the forms that occur."""
    numbers = {state: sum(getattr(part, state) for part in run.parts) for state in STATES}
    numbers["published"] -= numbers["reading"]
    return [LegendEntry(state, WORDS[state], n, _shape(state, 0, 0)) for state, n in numbers.items() if n]


def state_of(part: Part) -> str:
    """Return what is shown of a part: whatever needs to be seen most."""
    for state in ("failed", "unpublished", "reading", "published", "superseded"):
        if getattr(part, state):
            return state
    return "verified"


def _shape(state: str, x: int, y: int, share: float = 0.5) -> tuple[str, str]:
    """Return a square of 8 in a field of 10, and the sign in it; what is being read is filled from below by a share."""
    height = round(max(0.5, min(6.0, 6 * share)), 1)
    square = f"M{x + 1} {y + 1}h8v8h-8z"
    sign = {
        "failed": f"M{x + 3} {y + 3}l4 4m0-4l-4 4",
        "superseded": f"M{x + 1} {y + 9}l8-8",
        "reading": f"M{x + 2} {y + 8 - height:g}h6v{height:g}h-6z",
        "published": f"M{x + 4} {y + 4}h2v2h-2z",
    }.get(state, "")
    return square, sign
