"""The time line: lanes for what A writes, the signals, and what each consumer reads; outages lie over all of it. Pure.

Shapes lie in units of 1,000 from left to right and are stretched; labels are placed by percentages and are not. So the
drawing fits any width, and its text stays as large as the rest of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.page.axis import WIDTH, Axis, Tick
from shared.page.facts import Deed, Outage, RunFacts, Span, UnderWay
from shared.page.spans import merged
from shared.page.words import counted, duration, short_number

MAX_ROWS = 4
MAX_TITLED = 100  # bars with a text of their own; more are one shape
_LABEL, _ROW, _GAP, _LEAST = 20, 12, 12, 2.0


@dataclass(frozen=True)
class Bar:
    """One bar, with the text that shows when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Mark:
    """A claim."""

    percent: float
    y: float
    title: str


@dataclass(frozen=True)
class Band:
    """An outage: from top to bottom."""

    x: float
    width: float
    title: str


@dataclass
class Lane:
    """One lane: its label, what it says in short, and its shapes."""

    kind: str  # `write`, `signal` or `read`
    label: str
    note: str
    more: str = ""  # of the note, where there is room
    y: int = 0
    height: int = 0
    bars: list[Bar] = field(default_factory=list)
    path: str = ""  # all bars in one shape, where they are many
    open: list[Bar] = field(default_factory=list)  # what is being read, until its consumer said so last
    filled: str = ""  # in these, how much of the segment is read, from below as in its cell
    whiskers: str = ""  # from a signal to the moment it was taken: the lag
    marks: list[Mark] = field(default_factory=list)
    lines: list[Mark] = field(default_factory=list)  # through all lanes, where a deed began


@dataclass(frozen=True)
class TimeLine:
    """All of it."""

    axis: Axis
    height: int
    lanes: list[Lane]
    bands: list[Band]
    ticks: list[Tick]


def time_line(run: RunFacts, deeds: Sequence[Deed] = ()) -> TimeLine:
    """Return the drawing of a run, and of what was done by hand during it."""
    axis = Axis(run.began_ms, run.ended_ms)
    lanes = [*_by_hand(run, deeds, axis), _writing(run, axis), _signals(run, axis), *_reading(run, axis)]
    y = 4
    for lane in lanes:
        lane.y = y
        y += lane.height + _GAP
    bands = [_band(outage, axis) for outage in run.outages]
    return TimeLine(axis, y, lanes, bands, axis.ticks())


def _by_hand(run: RunFacts, deeds: Sequence[Deed], axis: Axis) -> Iterable[Lane]:
    """Yield a lane if anything was done while the run went on; a deed that still lasts ends where the run does."""
    spans = [(deed, deed.from_ms, deed.to_ms or run.ended_ms) for deed in deeds]
    own = [(deed, begin, end) for deed, begin, end in spans if begin <= run.ended_ms and end >= run.began_ms]
    if not own:
        return
    note = ", ".join(f"{deed.number}: {deed.name}" for deed, _, _ in own)
    texts = [((begin, max(begin, end)), f"{deed.number}: {deed.name}, for ") for deed, begin, end in own]
    lane = _lane("deed", "by hand", note, texts, axis)
    lane.lines = [Mark(axis.percent(begin), 0, f"{deed.number}") for deed, begin, _ in own]
    yield lane


def _writing(run: RunFacts, axis: Axis) -> Lane:
    parts = [part for part in run.parts if part.written_ms is not None]
    spans = [(part.written_ms or (0, 0), f"{_of(part.first, part.last)} written in ") for part in parts]
    lane = _lane("write", "server-a writes", counted(run.published, "segment"), spans, axis)
    if parts:
        lane.more = f" in {duration(run.write_s * 1_000)}"
    else:
        lane.note = "nothing yet"
    return lane


def _signals(run: RunFacts, axis: Axis) -> Lane:
    moments = sorted({axis.x(part.signalled_ms) for part in run.parts if part.signalled_ms})
    lag = f", the longest on its way for {duration(run.lag_ms)}" if run.lag_ms is not None else ""
    lane = Lane("signal", "signals", counted(run.published, "signal"), lag, height=_LABEL + _ROW)
    lane.path = "".join(f"M{min(x, WIDTH - _LEAST):g} {_LABEL}h{_LEAST:g}v{_ROW}h-{_LEAST:g}z" for x in moments)
    return lane


def _reading(run: RunFacts, axis: Axis) -> Iterable[Lane]:
    for reader in run.readers:
        spans = [(span, "read for ") for span in reader.read_ms]
        now = [each for each in run.under_way if each.consumer == reader.name]
        doing = [f"segment {each.segment:,}: {int(each.share * 100)} %" for each in now]
        note = counted(reader.segments, "segment") if reader.segments else ", ".join(doing)
        lane = _lane("read", f"{reader.name or 'server-b'} reads", note, spans, axis, rows=1)
        if reader.segments:
            lane.more = f", {short_number(reader.values)} value{'s' if reader.values != 1 else ''}"
            lane.more += "".join(f"; now {each}" for each in doing)
        _draw_open(lane, now, axis)
        own = [part for part in run.parts if part.consumer == reader.name and part.signalled_ms and part.taken_ms]
        middle = _LABEL + _ROW / 2 - 1
        waits = [(axis.x(part.signalled_ms or 0), axis.x(part.taken_ms or 0)) for part in own]
        drawn = merged((wait for wait in waits if wait[1] > wait[0]), 0)
        lane.whiskers = "".join(f"M{begin:g} {middle:g}h{end - begin:g}v2h{begin - end:g}z" for begin, end in drawn)
        lane.marks = [
            Mark(axis.percent(claim.at_ms), _LABEL - 2, f"segment {claim.segment:,} claimed from {claim.claimed_from}")
            for claim in run.claims
            if claim.consumer == reader.name
        ]
        yield lane


def _lane(
    kind: str, label: str, note: str, spans: Sequence[tuple[Span, str]], axis: Axis, *, rows: int = MAX_ROWS
) -> Lane:
    """Return a lane whose bars lie in as many rows as overlap, at most four."""
    ends: list[float] = []
    bars = []
    for (begin, end), text in sorted(spans):
        x, width = _place(begin, end, axis)
        row = next((i for i, until in enumerate(ends) if until <= x + 0.05), len(ends))
        row = min(row, rows - 1)
        ends[row : row + 1] = [max(x + width, *ends[row : row + 1])] if row < len(ends) else [x + width]
        bars.append(Bar(x, _LABEL + row * _ROW, width, _ROW - 2, text + duration(end - begin)))
    lane = Lane(kind, label, note, height=_LABEL + _ROW * max(1, len(ends)))
    if len(bars) <= MAX_TITLED:
        lane.bars = bars
    else:
        lane.path = "".join(f"M{b.x:g} {b.y:g}h{b.width:g}v{b.height:g}h-{b.width:g}z" for b in bars)
    return lane


def _draw_open(lane: Lane, now: Iterable[UnderWay], axis: Axis) -> None:
    """Draw in a lane what is being read: a frame as wide as it has lasted, filled as far as the segment is read."""
    for each in now:
        x, width = _place(each.began_ms, each.at_ms, axis)
        height = _ROW - 2
        title = f"segment {each.segment:,}: {each.values:,} of {counted(each.count, 'value')} read in "
        lane.open.append(Bar(x, _LABEL, width, height, title + duration(each.at_ms - each.began_ms)))
        filled = round(height * each.share, 1)
        lane.filled += f"M{x:g} {_LABEL + height - filled:g}h{width:g}v{filled:g}h-{width:g}z"


def _place(begin_ms: int, end_ms: int, axis: Axis) -> tuple[float, float]:
    """Return where a bar begins and how wide it is, so that it can be seen however short it lasted."""
    x = axis.x(begin_ms)
    width = max(_LEAST, axis.x(end_ms) - x)
    return min(x, WIDTH - width), round(width, 1)


def _band(outage: Outage, axis: Axis) -> Band:
    x = axis.x(outage.from_ms)
    width = max(_LEAST * 2, axis.x(outage.to_ms) - x)
    title = f"{outage.program} had no server for {duration(outage.to_ms - outage.from_ms)}"
    return Band(min(x, WIDTH - width), round(width, 1), title)


def _of(first: int, last: int) -> str:
    return f"segment {first:,}" if first == last else f"segments {first:,} to {last:,}"
