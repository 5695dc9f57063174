"""Adds to carts and removes from them while others may do the same.

A change is one optimistic transaction on the cart. HINCRBY alone was rejected: it keeps to no bound, and correcting a
cart afterwards would show others a state it never had. A change whose reply is lost is not sent again, because it may
have been made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from server_a.shop.shop import Shop
from server_a.shop.watched_cart import watched_line
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import optimistic
from shared.errors import EndpointUnreachableError, InvalidInputError, OutcomeUnknownError, WrongEndpointError
from shared.shop.ours import USER_FIELDS, require_our_user
from shared.shop.record_checks import MAX_QUANTITY, quantity_of
from shared.text import quoted_text, stored_text


@dataclass(frozen=True)
class CartChange:
    """What was done to one line of a cart."""

    quantity: int  # pieces added or removed; 0 when a line was removed whose quantity could not be read
    left: int  # pieces in the line afterwards; 0 when the line is gone


@dataclass(frozen=True)
class CartChanger:
    """Changes the carts of a shop.

    Both methods raise InvalidInputError for a line that does not exist or would hold too much, NotFinishedError when
    others kept changing the cart for 10 seconds, and EndpointUnreachableError when the reply was lost.
    """

    shop: Shop

    def add(self, user_id: str, sku_id: str, quantity: int) -> CartChange:
        """Add pieces of a SKU to the cart of a user; a line holds up to 1,000,000.

        Redis: WATCH, HSCAN COUNT 1000 of the whole cart, HLEN and HMGET of user and SKU, MULTI HINCRBY EXEC; again when
        the cart was changed meanwhile.
        """
        key = self.shop.keys.cart(user_id)

        def attempt(pipeline: NodePipeline) -> CartChange:
            held = watched_line(pipeline, key, sku_id)
            # looked up while the cart is watched: removing a user changes the cart, so EXEC notices the removal
            self.shop.require_ours(user_id, sku_id)
            stored = stored_text(held or b"")
            before = 0 if held is None else quantity_of(stored)
            if before is None:
                advice = f"remove the line with server-a cart remove {user_id} {sku_id}"
                where, got = f"{key} {sku_id}", quoted_text(stored)
                raise WrongEndpointError(where=where, expected="a quantity", got=got, advice=advice)
            if before + quantity > MAX_QUANTITY:
                room = max(0, MAX_QUANTITY - before)
                expected = f"at most {room} more of {sku_id} in cart {user_id}, since a line holds up to {MAX_QUANTITY}"
                raise InvalidInputError(where="--quantity", expected=expected, got=str(quantity))
            pipeline.multi()
            pipeline.hincrby(key, sku_id, quantity)
            pipeline.execute()
            return CartChange(quantity, before + quantity)

        return self._change(user_id, attempt)

    def remove(self, user_id: str, sku_id: str, quantity: int) -> CartChange:
        """Remove pieces of a SKU from the cart of a user, and the line with the last of them.

        A line whose quantity can't be read is removed as a whole, if there is the user: such a field alone may be
        anybody's. Else neither user nor SKU need exist any more.

        Redis: WATCH, HLEN and HMGET of the user, HSCAN COUNT 1000 of the whole cart, MULTI HINCRBY or HDEL EXEC; again
        when the cart was changed meanwhile.
        """
        key, user_key = self.shop.keys.cart(user_id), self.shop.keys.user(user_id)

        def attempt(pipeline: NodePipeline) -> CartChange:
            user = self.shop.held(user_key, USER_FIELDS)
            require_our_user(user_key, user)
            held = watched_line(pipeline, key, sku_id, may_be_unreadable=user.length > 0)
            if held is None:
                expected = f"a line of {sku_id} to remove from"
                raise InvalidInputError(where=f"cart {user_id}", expected=expected, got="none")
            pieces = quantity_of(stored_text(held)) or 0
            left = max(0, pieces - quantity)
            pipeline.multi()
            if left:
                pipeline.hincrby(key, sku_id, -quantity)
            else:
                pipeline.hdel(key, sku_id)
            pipeline.execute()
            return CartChange(pieces - left, left)

        return self._change(user_id, attempt)

    def _change(self, user_id: str, attempt: Callable[[NodePipeline], CartChange]) -> CartChange:
        key = self.shop.keys.cart(user_id)
        try:
            return optimistic(self.shop.endpoint.at(key), [key], attempt)
        except OutcomeUnknownError as error:
            look = f"look with server-a cart show {user_id} before trying again"
            advice = f"whether the cart was changed is unknown; {look}"
            where, expected = error.where, "the reply to a change"
            raise EndpointUnreachableError(where=where, expected=expected, got=error.got, advice=advice) from error
