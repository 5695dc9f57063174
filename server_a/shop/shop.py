"""The shop: creates, shows, lists and removes users and SKUs; each is one hash.

Whether a record exists is always read from the server, because several people may work in one shop. Removing a user
removes the cart too. Removing a SKU leaves the carts that hold it, whose lines then say "no longer sold": to find them,
every cart would have to be read.

Whose a record is and what is done to it are one optimistic transaction: somebody else's data that comes between the two
is found by the next look and left. A user and the cart are in different slots of a cluster, so each has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from server_a.shop.user_removal import UserRemoval
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.opening import open_endpoint
from shared.endpoint.optimistic import optimistic_on
from shared.endpoint.scanning import Sought, ask_page, scan
from shared.endpoint.together import Together, portions
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from shared.program.progress import Progress
from shared.shop.ours import (
    SKU_FIELDS,
    USER_FIELDS,
    Held,
    long_is_foreign,
    questions,
    require_our_sku,
    require_our_user,
)
from shared.shop.reader import Fields, read_cart, read_fields, read_held
from shared.shop.records import Cart, Sku, User
from shared.text import natural_order

Record = TypeVar("Record", User, Sku)

_SHOWN_FIELDS = 100  # of others', in a record of ours


@dataclass(frozen=True)
class Shop:
    """The shop in one namespace of an endpoint, which the caller closes. Every method can be repeated safely."""

    endpoint: Endpoint
    keys: Keyspace

    def write(self, record: User | Sku) -> bool:
        """Create a user or SKU, or replace the fields of one; return whether it is new.

        Raises WrongKeyError for a hash of somebody else's, as `remove_user` and `remove_sku` do.

        Redis: WATCH, HLEN and HMGET, MULTI HSET EXEC; again when the key was changed meanwhile.
        """
        if isinstance(record, User):
            key, require_ours, names = self.keys.user(record.user_id), require_our_user, USER_FIELDS
        else:
            key, require_ours, names = self.keys.sku(record.sku_id), require_our_sku, SKU_FIELDS

        def attempt(pipeline: NodePipeline, replies: list[Any]) -> bool:
            held = Held(*replies)
            require_ours(key, held)
            pipeline.multi()
            pipeline.hset(key, mapping=dict(record.encode()))  # type: ignore[arg-type]
            pipeline.execute()
            return not held.length

        with long_is_foreign(key):
            return optimistic_on(self.endpoint.at(key), [key], questions(key, names), attempt)

    def user(self, user_id: str) -> User:
        """Return a user; raise InvalidInputError if there is none with this ID."""
        fields, left_out = self._shown(self.keys.user(user_id), USER_FIELDS)
        if not fields:
            raise _unknown("user", user_id)
        return replace(User.decode(user_id, fields), left_out=left_out)

    def sku(self, sku_id: str) -> Sku:
        """Return a SKU; raise InvalidInputError if there is none with this ID."""
        fields, left_out = self._shown(self.keys.sku(sku_id), SKU_FIELDS)
        if not fields:
            raise _unknown("SKU", sku_id)
        return replace(Sku.decode(sku_id, fields), left_out=left_out)

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
        for key, names, require_ours, noun, record_id in (
            (self.keys.user(user_id), USER_FIELDS, require_our_user, "user", user_id),
            (self.keys.sku(sku_id), SKU_FIELDS, require_our_sku, "SKU", sku_id),
        ):
            held = self.held(key, names)
            require_ours(key, held)
            if not held.length:
                raise _unknown(noun, record_id)

    def name_of_sku(self, sku_id: str) -> str:
        """Return the name of a SKU, or its ID when it has none or is no longer sold."""
        (name,) = (
            Sku.decode(sku_id, fields).name
            for _, fields in read_fields(self.endpoint, [self.keys.sku(sku_id)], SKU_FIELDS)
        )
        return name or sku_id

    def users(self) -> Iterator[User]:
        """Yield all users in natural order of their IDs; keys of other types or spellings are skipped.

        Redis: SCAN of the database for hashes, 10,000 keys a round trip, then HMGET for each user, pipelined; HLEN
        where that finds nothing. All IDs and 1,000 users are held in memory.
        """
        return self._listed("user", self.keys.user, USER_FIELDS, User.decode)

    def skus(self) -> Iterator[Sku]:
        """Yield all SKUs in natural order of their IDs, at the cost of `users`."""
        return self._listed("sku", self.keys.sku, SKU_FIELDS, Sku.decode)

    def remove_user(self, user_id: str) -> None:
        """Remove a user, then the cart of that user; cost and order are those of `UserRemoval`."""
        if not UserRemoval(self, user_id).run():
            raise _unknown("user", user_id)

    def remove_sku(self, sku_id: str) -> None:
        """Remove a SKU; carts keep their lines of it. Redis: see `remove`."""
        if not self.remove(self.keys.sku(sku_id), SKU_FIELDS, require_our_sku):
            raise _unknown("SKU", sku_id)

    def remove(self, key: str, names: Sequence[str], require_ours: Callable[[str, Held], None]) -> bool:
        """Remove a record of ours and return whether there was one.

        Redis: WATCH, HLEN and HMGET, MULTI UNLINK EXEC; again when the key was changed meanwhile.
        """

        def attempt(pipeline: NodePipeline, replies: list[Any]) -> bool:
            held = Held(*replies)
            require_ours(key, held)
            if held.length:
                pipeline.multi()
                pipeline.unlink(key)
                pipeline.execute()
            return held.length > 0

        with long_is_foreign(key):
            return optimistic_on(self.endpoint.at(key), [key], questions(key, names), attempt)

    def held(self, key: str, names: Sequence[str]) -> Held:
        """Return what the key of a user or SKU holds; WrongKeyError where that can't be ours. Redis: HLEN, HMGET."""
        asked = Together(self.endpoint)
        asked.at(key).hlen(key)
        asked.at(key).hmget(key, names)
        with long_is_foreign(key):
            return Held(*asked.send())

    def _shown(self, key: str, names: Sequence[str]) -> tuple[Fields, int]:
        """Return the fields of a hash to show, of others' some only, and how many there are besides.

        Redis: HLEN, HMGET and HSCAN COUNT 100 in one round trip.
        """
        asked = Together(self.endpoint)
        asked.at(key).hlen(key)
        asked.at(key).hmget(key, names)
        ask_page(asked.at(key), key, count=_SHOWN_FIELDS)
        with long_is_foreign(key):
            length, values, (_, fields) = asked.send()
        ours = {name.encode(): value for name, value in zip(names, values, strict=True) if value is not None}
        others = islice(((name, value) for name, value in fields.items() if name not in ours), _SHOWN_FIELDS)
        found = ours | dict(others)
        return found, max(0, length - len(found))

    def _listed(
        self, kind: str, key_of: Callable[[str], str], names: Sequence[str], decode: Callable[[str, Fields], Record]
    ) -> Iterator[Record]:
        id_start = len(key_of(""))
        with Progress("Looking", None, unit="keys") as progress:
            found = scan(self.endpoint, Sought(key_of("*"), "hash"), passed=progress.add)
            ids = {key[id_start:] for key in found if self.keys.kind_of(key) == kind}
        for page in portions(sorted(ids, key=natural_order)):
            fields = dict(read_fields(self.endpoint, map(key_of, page), names))
            # a hash of other fields is listed without a name, unlike one that is gone
            bare = [key for key, known in fields.items() if not known]
            there = {key for key, held in read_held(self.endpoint, bare, names) if held.length}
            for record_id in page:
                key = key_of(record_id)
                if fields[key] or key in there:
                    yield decode(record_id, fields[key])


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
