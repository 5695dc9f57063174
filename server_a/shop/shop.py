"""The shop: creates, shows, lists and removes users and SKUs; each is one hash.

Whether a record exists is always read from the server, because several people may work in one shop. Removing a user
removes the cart too. Removing a SKU leaves the carts that hold it, whose lines then say "no longer sold": to find them,
every cart would have to be read.

Whose a record is and what is done to it are one optimistic transaction: somebody else's data that comes between the two
is found by the next look and left. A user and the cart are in different slots of a cluster, so each has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.opening import open_endpoint
from shared.endpoint.optimistic import optimistic
from shared.endpoint.scanning import Sought, scan
from shared.endpoint.together import ask_each
from shared.errors import InvalidInputError, NotFinishedError, WrongKeyError
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from shared.program.progress import Progress
from shared.shop.ours import require_our_cart, require_our_sku, require_our_user
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
        fields = self._fields(self.keys.user(user_id))
        if not fields:
            raise _unknown("user", user_id)
        return User.decode(user_id, fields)

    def sku(self, sku_id: str) -> Sku:
        """Return a SKU; raise InvalidInputError if there is none with this ID."""
        fields = self._fields(self.keys.sku(sku_id))
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
            fields = self._fields(key)
            require_ours(key, fields)
            if not fields:
                read(record_id)

    def name_of_sku(self, sku_id: str) -> str:
        """Return the name of a SKU, or its ID when it has none or is no longer sold."""
        return Sku.decode(sku_id, self._fields(self.keys.sku(sku_id))).name or sku_id

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
        """Remove a user, then the cart of that user.

        In this order, an addition that is under way finds its watched cart changed, and then no user.

        Redis: HGETALL of each, then of each WATCH, HGETALL, MULTI UNLINK EXEC; when there is no cart, with HSET.
        """
        cart_key, user_key = self.keys.cart(user_id), self.keys.user(user_id)
        user, lines = self._fields(user_key), self._fields(cart_key)
        if not user and not lines:
            raise _unknown("user", user_id)
        require_our_user(user_key, user)
        self._require_whole_cart(user_id, lines, is_of_user=bool(user))
        self._remove(user_key, require_our_user)

        def attempt(pipeline: NodePipeline) -> None:
            found = cast("Fields", pipeline.hgetall(cart_key))
            # the user is gone by now, so other lines than those seen with the user may be anybody's
            self._require_whole_cart(user_id, found, is_of_user=bool(user) and found == lines)
            pipeline.multi()
            if found:
                pipeline.unlink(cart_key)
                pipeline.execute()
                return
            # create the key and remove it at once, so that whoever watches it sees a change
            pipeline.hset(cart_key, "removed", "1")
            pipeline.unlink(cart_key)
            with suppress(NotFinishedError):  # a server without memory refuses this, and the addition as well
                pipeline.execute()

        optimistic(self.endpoint.at(cart_key), [cart_key], attempt)

    def remove_sku(self, sku_id: str) -> None:
        """Remove a SKU; carts keep their lines of it.

        Redis: WATCH, HGETALL, MULTI UNLINK EXEC; again when the key was changed meanwhile.
        """
        if not self._remove(self.keys.sku(sku_id), require_our_sku):
            raise _unknown("SKU", sku_id)

    def _remove(self, key: str, require_ours: Callable[[str, Fields], None]) -> bool:
        """Remove a record of ours and return whether there was one."""

        def attempt(pipeline: NodePipeline) -> bool:
            fields = cast("Fields", pipeline.hgetall(key))
            require_ours(key, fields)
            if fields:
                pipeline.multi()
                pipeline.unlink(key)
                pipeline.execute()
            return bool(fields)

        return optimistic(self.endpoint.at(key), [key], attempt)

    def _require_whole_cart(self, user_id: str, lines: Fields, *, is_of_user: bool) -> None:
        """Raise WrongKeyError for a cart that may be somebody else's, to be removed whole."""
        key = self.keys.cart(user_id)
        require_our_cart(key, lines)
        if is_of_user or not lines:
            return
        sku_keys = (self.keys.sku(name.decode()) for name in lines)  # ids, or the cart would not be ours
        if not any(fields for _, fields in ask_each(self.endpoint, sku_keys, _all_fields, skip_wrong_type=True)):
            advice = f"if it is yours, remove its lines with server-a cart remove {user_id} SKU"
            expected, got = "the cart of a user, or SKUs of ours in it", "neither: it may be anybody's"
            raise WrongKeyError(where=key, expected=expected, got=got, advice=advice)

    def _fields(self, key: str) -> Fields:
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


def _all_fields(pipeline: NodePipeline, key: str) -> object:
    return pipeline.hgetall(key)


def _unknown(noun: str, record_id: str) -> InvalidInputError:
    options = "--first-name … --last-name …" if noun == "user" else "--name … --price …"
    advice = f"add it with server-a {noun.lower()} add {record_id} {options}"
    where, expected = f"{noun} {record_id}", f"a {noun} that exists"
    return InvalidInputError(where=where, expected=expected, got="none of that id", advice=advice)
