"""Begins a reading again where a server has cut it for asking too far ahead, as `server-b read` and `explain` need.

`server-b run` reads a segment again from its own retry. A reading of which values were handed out can't begin again,
and need not: such a server cuts the first transaction, since later ones ask for no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.window import MAX_BYTES
from shared.errors import TransientError


def begun_again(endpoint: Endpoint, key: str, read: Callable[[], Iterator[list[bytes]]]) -> Iterator[list[bytes]]:
    """Yield what `read` yields; call it again when it was cut before that, as long as less is asked for each time."""
    asked, has_begun = MAX_BYTES, False
    while True:
        try:
            for values in read():
                has_begun = True
                yield values
        except TransientError as error:
            most = endpoint.most_ahead(key)
            if has_begun and not error.answered:
                error.advice = "the connection was lost in the middle of the list; run it again"
            if has_begun or most >= asked:
                raise
            asked = most
        else:
            return
