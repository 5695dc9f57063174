"""Adds to carts and removes from them, with many doing so at once.

A change watches the cart, looks, and goes through only if nobody changed the cart meanwhile; else it looks again.
HINCRBY alone was rejected: it keeps to no bound, and mending a cart afterwards shows others one that never was.
A change whose reply is lost is never sent again: it may have been made.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from server_a.shop import Shop
from shared.endpoint.pipelined import Command
from shared.endpoint.wire import Wire
from shared.errors import (
    ConnectionLostError,
    EndpointUnreachableError,
    InvalidInputError,
    NotFinishedError,
    WrongEndpointError,
)
from shared.record_checks import MAX_QUANTITY, quantity_of, quoted_text, stored_text

PATIENCE_S = 10.0
LONGEST_PAUSE_S = 0.05


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
            ConnectionLostError: The connection was lost before anything was added.
            WrongEndpointError: A key or a quantity of somebody else is in the way.

        Redis:
            WATCH, two HGETALL, HGET, MULTI HINCRBY EXEC, again when the cart was changed meanwhile.
        """

        def decide(held: bytes | None) -> tuple[CartChange, Command]:
            # looked up while the cart is watched: removing a user changes the cart, so a removal can't slip in between
            self._shop.user(user_id)
            self._shop.sku(sku_id)
            left = self._held(user_id, sku_id, held) + quantity
            if left > MAX_QUANTITY:
                room = max(0, MAX_QUANTITY - left + quantity)
                expected = f"at most {room} more of {sku_id} in cart {user_id}, since a line holds up to {MAX_QUANTITY}"
                raise InvalidInputError(where="--quantity", expected=expected, got=str(quantity))
            return CartChange(quantity, left), ("HINCRBY", self._keys.cart(user_id), sku_id, quantity)

        return self._change(user_id, sku_id, decide)

    def remove(self, user_id: str, sku_id: str, quantity: int) -> CartChange:
        """Remove pieces of a SKU from the cart of a user, and the line with the last of them.

        A line whose quantity can't be read goes as a whole. Neither user nor SKU need exist any more.

        Raises:
            InvalidInputError: The cart has no such line.
            NotFinishedError: Others kept changing the cart for 10 seconds, or the server refuses writes now.
            EndpointUnreachableError: The reply was lost, so it is unknown whether the pieces were removed.
            ConnectionLostError: The connection was lost before anything was removed.
            WrongEndpointError: The cart's key holds something else than a hash.

        Redis:
            WATCH, HGET, MULTI HINCRBY or HDEL EXEC, again when the cart was changed meanwhile.
        """
        key = self._keys.cart(user_id)

        def decide(held: bytes | None) -> tuple[CartChange, Command]:
            if held is None:
                raise InvalidInputError(
                    where=f"cart {user_id}", expected=f"a line of {sku_id} to remove from", got="none"
                )
            pieces = quantity_of(stored_text(held)) or 0
            if pieces <= quantity:
                return CartChange(pieces, 0), ("HDEL", key, sku_id)
            return CartChange(quantity, pieces - quantity), ("HINCRBY", key, sku_id, -quantity)

        return self._change(user_id, sku_id, decide)

    def _change(
        self, user_id: str, sku_id: str, decide: Callable[[bytes | None], tuple[CartChange, Command]]
    ) -> CartChange:
        """Carry out what `decide` makes of the stored quantity, deciding anew while others change the cart."""
        key = self._keys.cart(user_id)
        give_up_at = time.monotonic() + PATIENCE_S
        pause_s = 0.001
        with self._endpoint.wire(key) as wire:
            while True:
                change, command = decide(_watched_quantity(wire, key, sku_id))
                if self._is_carried_out(wire, user_id, command):
                    return change
                if time.monotonic() > give_up_at:
                    where = f"cart {user_id} at {self._endpoint.name}"
                    raise NotFinishedError(
                        where=where, expected="a moment without changes by others", got="none in 10 s"
                    )
                time.sleep(random.uniform(0, pause_s))
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def _is_carried_out(self, wire: Wire, user_id: str, command: Command) -> bool:
        try:
            return wire.transaction(command) is not None
        except ConnectionLostError as error:
            if error.answered:
                raise
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


def _watched_quantity(wire: Wire, key: str, sku_id: str) -> bytes | None:
    wire.call("WATCH", key)
    quantity: bytes | None = wire.call("HGET", key, sku_id)
    return quantity
