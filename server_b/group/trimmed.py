"""Entries that were trimmed before there was a verdict: said in the log, since nothing else would come of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.entry_ids import order_of
from shared.signal import CONSUMER_GROUP

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

CURE = "server-b status names the run; server-a run --resume RUN_ID signals it again"


def tell_trimmed(log: FilteringBoundLogger, *, entries: int, entry_id: str = "") -> None:
    """Say that entries were trimmed too soon, unless there are none."""
    if entries:
        told = {"entry_id": entry_id} if entry_id else {}
        log.warning("trimmed before it was processed", entries=entries, cure=CURE, **told)


def tell_unread(log: FilteringBoundLogger, entries: int | None) -> None:
    """Say what `unread_trimmed` found; in words where the server can't tell the number."""
    if entries is None:
        event = "entries may have been trimmed before they were processed, but the server does not count them"
        log.info(event, cure=CURE)
    else:
        tell_trimmed(log, entries=entries)


def unread_trimmed(groups: list[dict[str, Any]], oldest: list[Any], length: int) -> int | None:
    """Return how many entries the group was still to read when they were trimmed; None where that can't be known.

    A new group has missed nothing, nor has one whose last entry is still there. Before version 7 servers don't count
    what a group has read, and after an XDEL later ones don't know it either.

    Args:
        groups: As XINFO GROUPS says.
        oldest: The stream's first entry, if it has one.
        length: How many it has.
    """
    ours = next((group for group in groups if group["name"] == CONSUMER_GROUP.encode()), None)
    if ours is None or ours["last-delivered-id"] == b"0-0":
        return 0
    if oldest and order_of(oldest[0][0].decode()) <= order_of(ours["last-delivered-id"].decode()):
        return 0
    return max(0, ours["lag"] - length) if ours.get("lag") is not None else None
