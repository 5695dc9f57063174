"""The shop: creates, shows, lists and removes users and SKUs; each is one hash.

Whether a record exists is always read from the server, because several people may work in one shop. Removing a user
removes the cart too. Removing a SKU leaves the carts that hold it, whose lines then say "no longer sold": to find them,
every cart would have to be read.

Whose a record is and what is done to it are one optimistic transaction: somebody else's data that comes between the two
is found by the next look and left. A user and the cart are in different slots of a cluster, so each has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, cast

from server_a.shop.user_removal import UserRemoval
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.opening import open_endpoint
from shared.endpoint.optimistic import optimistic
from shared.endpoint.scanning import Sought, scan
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from shared.program.progress import Progress
from shared.shop.ours import require_our_sku, require_our_user
from shared.shop.reader import Fields, read_cart, read_hashes
from shared.shop.records import Cart, Sku, User
from shared.text import natural_order

Record = TypeVar("Record", User, Sku)

_PAGE_RECORDS = 10_000


@dataclass(frozen=True)
class Shop:
    """The shop in one namespace of an endpoint, which the caller closes. Every method can be repeated safely."""

    endpoint: Endpoint
    keys: Keyspace

    def write(self, record: User | Sku) -> bool:
        """Create a user or SKU, or replace the fields of one; return whether it is new.

        Raises WrongKeyError for a hash of somebody else's, as `remove_user` and `remove_sku` do.

        Redis: WATCH, HGETALL, MULTI HSET EXEC; again when the key was changed meanwhile.
        """
        if isinstance(record, User):
            key, require_ours = self.keys.user(record.user_id), require_our_user
        else:
            key, require_ours = self.keys.sku(record.sku_id), require_our_sku

        def attempt(pipeline: NodePipeline) -> bool:
            fields = cast("Fields", pipeline.hgetall(key))
            require_ours(key, fields)
            pipeline.multi()
            pipeline.hset(key, mapping=dict(record.encode()))  # type: ignore[arg-type]
            pipeline.execute()
            return not fields

        return optimistic(self.endpoint.at(key), [key], attempt)

    def user(self, user_id: str) -> User:
        """Return a user; raise InvalidInputError if there is none with this ID."""
        fields = self.fields(self.keys.user(user_id))
        if not fields:
            raise _unknown("user", user_id)
        return User.decode(user_id, fields)

    def sku(self, sku_id: str) -> Sku:
        """Return a SKU; raise InvalidInputError if there is none with this ID."""
        fields = self.fields(self.keys.sku(sku_id))
        if not fields:
            raise _unknown("SKU", sku_id)
        return Sku.decode(sku_id, fields)

    def cart(self, user_id: str) -> Cart:
        """Return the cart of a user, which may be empty; raise InvalidInputError if there is no such user either."""
        cart = self.cart_of_anyone(user_id)
        if not cart.lines:
            self.user(user_id)
        return cart

    def cart_of_anyone(self, user_id: str) -> Cart:
        """Return the cart with this ID, whether or not the user exists; of a larger one the first 1,000 lines."""
        with Progress("Looking", None, unit="lines") as progress:
            return read_cart(self.endpoint, self.keys, user_id, passed=progress.add)

    def require_ours(self, user_id: str, sku_id: str) -> None:
        """Raise WrongKeyError if user or SKU are somebody else's, and InvalidInputError if there is none."""
        for key, require_ours, read, record_id in (
            (self.keys.user(user_id), require_our_user, self.user, user_id),
            (self.keys.sku(sku_id), require_our_sku, self.sku, sku_id),
        ):
            fields = self.fields(key)
            require_ours(key, fields)
            if not fields:
                read(record_id)

    def name_of_sku(self, sku_id: str) -> str:
        """Return the name of a SKU, or its ID when it has none or is no longer sold."""
        return Sku.decode(sku_id, self.fields(self.keys.sku(sku_id))).name or sku_id

    def users(self) -> Iterator[User]:
        """Yield all users in natural order of their IDs; keys of other types or spellings are skipped.

        Redis: SCAN of the database for hashes, 10,000 keys a round trip, then HGETALL for each user, pipelined. All IDs
        and 10,000 users are held in memory.
        """
        return self._listed("user", self.keys.user, User.decode)

    def skus(self) -> Iterator[Sku]:
        """Yield all SKUs in natural order of their IDs, at the cost of `users`."""
        return self._listed("sku", self.keys.sku, Sku.decode)

    def remove_user(self, user_id: str) -> None:
        """Remove a user, then the cart of that user; cost and order are those of `UserRemoval`."""
        if not UserRemoval(self, user_id).run():
            raise _unknown("user", user_id)

    def remove_sku(self, sku_id: str) -> None:
        """Remove a SKU; carts keep their lines of it. Redis: see `remove`."""
        if not self.remove(self.keys.sku(sku_id), require_our_sku):
            raise _unknown("SKU", sku_id)

    def remove(self, key: str, require_ours: Callable[[str, Fields], None]) -> bool:
        """Remove a record of ours and return whether there was one.

        Redis: WATCH, HGETALL, MULTI UNLINK EXEC; again when the key was changed meanwhile.
        """

        def attempt(pipeline: NodePipeline) -> bool:
            fields = cast("Fields", pipeline.hgetall(key))
            require_ours(key, fields)
            if fields:
                pipeline.multi()
                pipeline.unlink(key)
                pipeline.execute()
            return bool(fields)

        return optimistic(self.endpoint.at(key), [key], attempt)

    def fields(self, key: str) -> Fields:
        """Return all fields of a hash.

        Redis: HGETALL.
        """
        return cast("Fields", self.endpoint.at(key).hgetall(key))

    def _listed(
        self, kind: str, key_of: Callable[[str], str], decode: Callable[[str, Fields], Record]
    ) -> Iterator[Record]:
        id_start = len(key_of(""))
        with Progress("Looking", None, unit="keys") as progress:
            found = scan(self.endpoint, Sought(key_of("*"), "hash"), passed=progress.add)
            ids = {key[id_start:] for key in found if self.keys.kind_of(key) == kind}
        ordered = iter(sorted(ids, key=natural_order))
        while page := list(islice(ordered, _PAGE_RECORDS)):
            fields = read_hashes(self.endpoint, map(key_of, page), skip_wrong_type=True)
            for record_id in page:
                if key_of(record_id) in fields:
                    yield decode(record_id, fields[key_of(record_id)])


@contextmanager
def open_shop(common: CommonSettings) -> Iterator[Shop]:
    """Open the shop for one command. A lost connection is not retried: the person at the terminal can repeat it."""
    with closing(open_endpoint(common.endpoint)) as endpoint:
        yield Shop(endpoint, common.keys)


def _unknown(noun: str, record_id: str) -> InvalidInputError:
    options = "--first-name … --last-name …" if noun == "user" else "--name … --price …"
    advice = f"add it with server-a {noun.lower()} add {record_id} {options}"
    where, expected = f"{noun} {record_id}", f"a {noun} that exists"
    return InvalidInputError(where=where, expected=expected, got="none of that id", advice=advice)
