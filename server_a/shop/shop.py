"""The shop: creates, shows, lists and removes users and SKUs.

Each record is one hash, written with absolute values. Whether a record exists is asked, not remembered: several people
may work in one shop at once. Removing a user takes the cart along; removing a SKU leaves the carts that hold it, whose
lines then say "no longer sold", because finding them would mean reading every cart there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError, NotFinishedError
from shared.keys import Keyspace
from shared.shop.reader import Fields, read_cart, read_hashes, read_sku, read_user
from shared.shop.records import Cart, Sku, User
from shared.text import natural_order

Record = TypeVar("Record", User, Sku)

_PAGE_RECORDS = 10_000


class Shop:
    """The shop in one namespace of an endpoint.

    Attributes:
        endpoint: Where the shop is; the caller's to close.
        keys: Its namespace.
    """

    def __init__(self, endpoint: Endpoint, keys: Keyspace) -> None:
        """Work there; nothing is read or written yet."""
        self.endpoint = endpoint
        self.keys = keys

    def write_user(self, user: User) -> bool:
        """Create a user, or replace the names of one; return whether it is new.

        Raises:
            TransientError: The connection is lost; writing again is safe.
            WrongEndpointError: The key holds something else than a hash.

        Redis:
            EXISTS and HSET; O(1).
        """
        return self._write(self.keys.user(user.user_id), user.encode())

    def write_sku(self, sku: Sku) -> bool:
        """Create a SKU, or replace name and price of one; return whether it is new. Otherwise as `write_user`."""
        return self._write(self.keys.sku(sku.sku_id), sku.encode())

    def user(self, user_id: str) -> User:
        """Return a user.

        Raises:
            InvalidInputError: There is none of that id.
        """
        user = read_user(self.endpoint, self.keys, user_id)
        if user is None:
            raise unknown_user(user_id)
        return user

    def sku(self, sku_id: str) -> Sku:
        """Return a SKU.

        Raises:
            InvalidInputError: There is none of that id.
        """
        sku = read_sku(self.endpoint, self.keys, sku_id)
        if sku is None:
            raise unknown_sku(sku_id)
        return sku

    def cart(self, user_id: str) -> Cart:
        """Return the cart of a user; without lines when nothing is in it.

        Raises:
            InvalidInputError: There is neither a cart nor a user of that id.
        """
        cart = self.cart_of_anyone(user_id)
        if not cart.lines:
            self.user(user_id)
        return cart

    def cart_of_anyone(self, user_id: str) -> Cart:
        """Return the cart under an id, whether or not there is such a user."""
        return read_cart(self.endpoint, self.keys, user_id)

    def name_of_sku(self, sku_id: str) -> str:
        """Return what to call a SKU: its name, or its id when it has none or is no longer sold."""
        sku = read_sku(self.endpoint, self.keys, sku_id)
        return (sku.name if sku is not None else "") or sku_id

    def users(self) -> Iterator[User]:
        """Yield all users in natural order of their ids; keys of other types or spellings are passed over.

        Redis:
            SCAN over the database, then HGETALL for each user, pipelined. All ids and 10,000 users are held in memory.
        """
        return self._listed("user", self.keys.user, User.decode)

    def skus(self) -> Iterator[Sku]:
        """Yield all SKUs in natural order of their ids; otherwise as `users`."""
        return self._listed("sku", self.keys.sku, Sku.decode)

    def remove_user(self, user_id: str) -> None:
        """Remove a user and the cart of that user.

        The user goes first, then the cart; whoever was about to add to it finds the watched cart changed, looks again
        and finds no user (see `cart_changes`).

        Raises:
            InvalidInputError: There is neither a user nor a cart of that id.
            TransientError: The connection is lost; removing again is safe.
            WrongEndpointError: One of the keys holds something else than a hash.

        Redis:
            HLEN and UNLINK of each; when there is no cart, MULTI HSET, UNLINK EXEC.
        """
        cart_key = self.keys.cart(user_id)
        has_cart = self._is_hash(cart_key)
        had_user = self._remove(self.keys.user(user_id))
        if not had_user and not has_cart:
            raise unknown_user(user_id)
        if not self.endpoint.at(cart_key).unlink(cart_key):
            self._touch_absent(cart_key)

    def remove_sku(self, sku_id: str) -> None:
        """Remove a SKU; carts keep their lines of it.

        Raises:
            InvalidInputError: There is none of that id.
            TransientError: The connection is lost; removing again is safe.
            WrongEndpointError: The key holds something else than a hash.

        Redis:
            HLEN and UNLINK; O(fields).
        """
        if not self._remove(self.keys.sku(sku_id)):
            raise unknown_sku(sku_id)

    def _write(self, key: str, fields: dict[str, str]) -> bool:
        pipeline = self.endpoint.at(key).pipeline(transaction=False)
        pipeline.exists(key)
        pipeline.hset(key, mapping=dict(fields))  # type: ignore[arg-type]
        return not pipeline.execute()[0]

    def _is_hash(self, key: str) -> bool:
        """Tell whether a key holds a hash; raise when it holds something else, which is not ours to remove."""
        return bool(self.endpoint.at(key).hlen(key))

    def _remove(self, key: str) -> bool:
        return self._is_hash(key) and bool(self.endpoint.at(key).unlink(key))

    def _touch_absent(self, key: str) -> None:
        """Make a key and remove it at once, so that whoever watches it sees a change."""
        pipeline = self.endpoint.at(key).pipeline()
        pipeline.hset(key, "removed", "1")
        pipeline.unlink(key)
        with suppress(NotFinishedError):  # a server without memory refuses this, and also what we guard against
            pipeline.execute()

    def _listed(
        self, kind: str, key_of: Callable[[str], str], decode: Callable[[str, Fields], Record]
    ) -> Iterator[Record]:
        first_of_id = len(key_of(""))
        found = (key.decode("utf-8", "replace") for key in self.endpoint.scan(key_of("*")))
        ids = {key[first_of_id:] for key in found if self.keys.kind_of(key) == kind}
        ordered = iter(sorted(ids, key=natural_order))
        while page := list(islice(ordered, _PAGE_RECORDS)):
            fields = read_hashes(self.endpoint, map(key_of, page), skip_wrong_type=True)
            for record_id in page:
                if key_of(record_id) in fields:
                    yield decode(record_id, fields[key_of(record_id)])


def unknown_user(user_id: str) -> InvalidInputError:
    """Return the error for a user that does not exist."""
    advice = f"add it with server-a user add {user_id} --first-name … --last-name …"
    return InvalidInputError(
        where=f"user {user_id}", expected="a user that exists", got="none of that id", advice=advice
    )


def unknown_sku(sku_id: str) -> InvalidInputError:
    """Return the error for a SKU that does not exist."""
    advice = f"add it with server-a sku add {sku_id} --name … --price …"
    return InvalidInputError(where=f"SKU {sku_id}", expected="a SKU that exists", got="none of that id", advice=advice)
