"""Adds to carts and removes from them, with many doing so at once.

A change watches the cart, looks, and goes through only if nobody changed the cart meanwhile; else it looks again.
HINCRBY alone was rejected: it keeps to no bound, and mending a cart afterwards shows others one that never was.
A change whose reply is lost is never sent again: it may have been made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from server_a.shop.shop import Shop
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import Step, optimistic
from shared.errors import (
    EndpointUnreachableError,
    InvalidInputError,
    OutcomeUnknownError,
    WrongEndpointError,
)
from shared.shop.record_checks import MAX_QUANTITY, quantity_of
from shared.text import quoted_text, stored_text


@dataclass(frozen=True)
class CartChange:
    """What was done to one line of a cart.

    Attributes:
        quantity: Pieces added or removed; 0 when a line went whose quantity could not be read.
        left: Pieces in the line afterwards; 0 when the line is gone.
    """

    quantity: int
    left: int


class CartChanger:
    """Changes the carts of a shop."""

    def __init__(self, shop: Shop) -> None:
        """Work in this shop."""
        self._shop = shop
        self._endpoint = shop.endpoint
        self._keys = shop.keys

    def add(self, user_id: str, sku_id: str, quantity: int) -> CartChange:
        """Add pieces of a SKU to the cart of a user; a line never holds more than 1,000,000.

        Raises:
            InvalidInputError: There is no such user or SKU, or the line would hold too many.
            NotFinishedError: Others kept changing the cart for 10 seconds, or the server refuses writes now.
            EndpointUnreachableError: The reply was lost, so it is unknown whether the pieces were added.
            TransientError: The connection was lost before anything was added.
            WrongEndpointError: A key or a quantity of somebody else is in the way.

        Redis:
            WATCH, two HGETALL, HGET, MULTI HINCRBY EXEC, again when the cart was changed meanwhile.
        """
        key = self._keys.cart(user_id)

        def decide(held: bytes | None) -> tuple[CartChange, Step]:
            # looked up while the cart is watched: removing a user changes the cart, so a removal can't slip in between
            self._shop.user(user_id)
            self._shop.sku(sku_id)
            left = self._held(user_id, sku_id, held) + quantity
            if left > MAX_QUANTITY:
                room = max(0, MAX_QUANTITY - left + quantity)
                expected = f"at most {room} more of {sku_id} in cart {user_id}, since a line holds up to {MAX_QUANTITY}"
                raise InvalidInputError(where="--quantity", expected=expected, got=str(quantity))
            return CartChange(quantity, left), lambda pipeline: pipeline.hincrby(key, sku_id, quantity)

        return self._change(user_id, sku_id, decide)

    def remove(self, user_id: str, sku_id: str, quantity: int) -> CartChange:
        """Remove pieces of a SKU from the cart of a user, and the line with the last of them.

        A line whose quantity can't be read goes as a whole. Neither user nor SKU need exist any more.

        Raises:
            InvalidInputError: The cart has no such line.
            NotFinishedError: Others kept changing the cart for 10 seconds, or the server refuses writes now.
            EndpointUnreachableError: The reply was lost, so it is unknown whether the pieces were removed.
            TransientError: The connection was lost before anything was removed.
            WrongEndpointError: The cart's key holds something else than a hash.

        Redis:
            WATCH, HGET, MULTI HINCRBY or HDEL EXEC, again when the cart was changed meanwhile.
        """
        key = self._keys.cart(user_id)

        def decide(held: bytes | None) -> tuple[CartChange, Step]:
            if held is None:
                raise InvalidInputError(
                    where=f"cart {user_id}", expected=f"a line of {sku_id} to remove from", got="none"
                )
            pieces = quantity_of(stored_text(held)) or 0
            if pieces <= quantity:
                return CartChange(pieces, 0), lambda pipeline: pipeline.hdel(key, sku_id)
            return CartChange(quantity, pieces - quantity), lambda pipeline: pipeline.hincrby(key, sku_id, -quantity)

        return self._change(user_id, sku_id, decide)

    def _change(
        self, user_id: str, sku_id: str, decide: Callable[[bytes | None], tuple[CartChange, Step]]
    ) -> CartChange:
        """Carry out what `decide` makes of the stored quantity, deciding anew while others change the cart."""
        key = self._keys.cart(user_id)

        def attempt(pipeline: NodePipeline) -> CartChange:
            change, step = decide(cast("bytes | None", pipeline.hget(key, sku_id)))
            pipeline.multi()
            step(pipeline)
            pipeline.execute()
            return change

        try:
            return optimistic(self._endpoint.at(key), [key], attempt)
        except OutcomeUnknownError as error:
            advice = (
                f"whether the cart was changed is unknown; look with server-a cart show {user_id} before trying again"
            )
            raise EndpointUnreachableError(
                where=error.where, expected="the reply to a change", got=error.got, advice=advice
            ) from error

    def _held(self, user_id: str, sku_id: str, held: bytes | None) -> int:
        if held is None:
            return 0
        pieces = quantity_of(stored_text(held))
        if pieces is None:
            raise WrongEndpointError(
                where=f"{self._keys.cart(user_id)} {sku_id}",
                expected="a quantity",
                got=quoted_text(stored_text(held)),
                advice=f"remove the line with server-a cart remove {user_id} {sku_id}",
            )
        return pieces
