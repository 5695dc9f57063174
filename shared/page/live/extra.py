"""What a page may have beside the drawing of a run: nothing where `server-b page` serves it.

The stage in `demo/` shows the same page with buttons. It derives from `Extra` and gives that to the poller, so
the page itself holds no button and lets no other method than GET and HEAD through. A switch in the page was rejected:
what isn't there can't be switched on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.page.facts import Deed, PageFacts

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route


class Extra:
    """Nothing beside the drawing.

    Attributes:
        posts: Paths that may be posted to; none.
        foot: The last sentence on the page.
    """

    posts: frozenset[str] = frozenset()
    foot = "This page only reads."

    @property
    def version(self) -> int:
        """A number that is another one when `deeds` or `section` have changed."""
        return 0

    def deeds(self) -> Sequence[Deed]:
        """Return what was done by hand, for the time line."""
        return ()

    def section(self, facts: PageFacts | None) -> str:  # noqa: ARG002 - what derives needs them
        """Return HTML that is drawn, and sent anew, in front of everything else."""
        return ""

    def panel(self, request: Request) -> tuple[str, str]:  # noqa: ARG002 - the same
        """Return HTML that stands above what is sent anew, and a Set-Cookie header; both may be empty."""
        return "", ""

    def routes(self) -> list[Route]:
        """Return further addresses."""
        return []
