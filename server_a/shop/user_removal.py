"""Removes a user, then the cart of that user, in two transactions: they are in different slots of a cluster.

In this order, an addition that is under way finds its watched cart changed, and then no user. The cart is watched from
before the user is looked at until it is removed, so what is unchanged by then is the cart that the user had. Comparing
its lines before and after was rejected: they were all in memory, twice.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_a.shop.watched_cart import watched_lines
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import optimistic
from shared.errors import NotFinishedError, WrongKeyError
from shared.shop.ours import SKU_FIELDS, USER_FIELDS, Held, is_sku, require_our_user
from shared.shop.reader import Fields, read_held

if TYPE_CHECKING:
    from server_a.shop.shop import Shop


@dataclass
class UserRemoval:
    """Removes one user, once; raises WrongKeyError for a user or a cart that may be somebody else's."""

    shop: Shop
    user_id: str
    _is_user_removed: bool = field(init=False, default=False)

    def run(self) -> bool:
        """Remove the user and the cart; return whether there was either.

        Redis: WATCH, HSCAN COUNT 1000 of the whole cart, HLEN and HMGET of the user; WATCH with both, MULTI UNLINK EXEC
        of the user; MULTI UNLINK EXEC of the cart, or with HSET where there is none; again when the cart was changed
        meanwhile. HLEN and HMGET of its SKUs, a page of them at a time, until one is there.
        """
        key = self.shop.keys.cart(self.user_id)
        return optimistic(self.shop.endpoint.at(key), [key], self._attempt)

    def _attempt(self, pipeline: NodePipeline) -> bool:
        cart_key, user_key = self.shop.keys.cart(self.user_id), self.shop.keys.user(self.user_id)
        user = Held(0, ()) if self._is_user_removed else self.shop.held(user_key, USER_FIELDS)
        require_our_user(user_key, user)
        has_lines = self._require_our_cart(pipeline, cart_key)
        if not (user.length or has_lines or self._is_user_removed):
            return False
        if user.length:
            self.shop.remove(user_key, USER_FIELDS, require_our_user)
            self._is_user_removed = True
        pipeline.multi()
        if has_lines:
            pipeline.unlink(cart_key)
            pipeline.execute()
            return True
        # create the key and remove it at once, so that whoever watches it sees a change
        pipeline.hset(cart_key, "removed", "1")
        pipeline.unlink(cart_key)
        with suppress(NotFinishedError):  # a server without memory refuses this, and the addition as well
            pipeline.execute()
        return True

    def _require_our_cart(self, pipeline: NodePipeline, key: str) -> bool:
        """Return whether there is a cart; raise WrongKeyError for one that may be somebody else's.

        A user of ours beside it proves nothing: a run adds users, also where a cart of others is.
        """
        has_lines = is_ours = False
        for page in watched_lines(pipeline, key):
            has_lines = has_lines or bool(page)
            is_ours = is_ours or self._has_sku(page)
        if has_lines and not is_ours:
            advice = f"if it is yours, remove its lines with server-a cart remove {self.user_id} SKU"
            expected, got = "a cart with a SKU that is here", "one without: it may be anybody's"
            raise WrongKeyError(where=key, expected=expected, got=got, advice=advice)
        return has_lines

    def _has_sku(self, page: Fields) -> bool:
        """Tell whether one of these lines is of a SKU of ours that is here."""
        keys = (self.shop.keys.sku(name.decode()) for name in page)  # ids, or the cart would not be ours
        return any(held.length and is_sku(*held) for _, held in read_held(self.shop.endpoint, keys, SKU_FIELDS))
