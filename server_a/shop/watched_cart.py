"""Looks at a cart under WATCH, by pages: at each of its lines, since one that is none of ours makes it somebody else's.

A cart of a million lines was read whole before, which took 160 MB. WATCH makes the pages one look: EXEC notices any
change between the first and the transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.endpoint.node_client import NodePipeline
from shared.endpoint.scanning import hash_pages
from shared.program.progress import Progress
from shared.shop.ours import long_is_foreign, require_our_cart
from shared.shop.reader import Fields


def watched_lines(pipeline: NodePipeline, key: str, *, but: bytes | None = None) -> Iterator[Fields]:
    """Yield the lines of a cart by pages, the first ones in any case; a line may come twice.

    `but` names the line that the caller looks at itself, whatever it holds.

    Raises WrongKeyError at the first page with a field that is no line of ours.

    Redis: HSCAN COUNT 1000 until the cursor is 0; O(lines).
    """
    with Progress("Looking", None, unit="lines") as progress, long_is_foreign(key):
        for page in hash_pages(pipeline, key):
            require_our_cart(key, {name: held for name, held in page.items() if name != but})
            progress.add(len(page))
            yield page


def watched_line(pipeline: NodePipeline, key: str, sku_id: str, *, may_be_unreadable: bool = True) -> bytes | None:
    """Return one line of a cart, all others of which are ours, or None when it has none of this SKU.

    `may_be_unreadable` says whether it is ours whatever it holds. Raises and Redis: as `watched_lines`.
    """
    held = None
    for page in watched_lines(pipeline, key, but=sku_id.encode() if may_be_unreadable else None):
        held = page.get(sku_id.encode(), held)
    return held
