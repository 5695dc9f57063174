"""The commands that look for the sample's records and write them, packed as the protocol sends them.

What does not depend on a record is packed once: the generated names, and all but the number of a user's key. Packing
each command by itself was rejected, because it takes longer than the server's work.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from server_a.shop.sample import FIRST_NAME, NAMES, Sample, name_places, sample_cart, sample_sku
from shared.keys import Keyspace
from shared.shop.records import User

_EXISTS = b"$6\r\nEXISTS\r\n"
_EXISTS_ONE = b"*2\r\n" + _EXISTS
_HSET_ONE, _HSET_TWO, _HSET_THREE = (b"*%d\r\n$4\r\nHSET\r\n" % (2 + 2 * fields) for fields in (1, 2, 3))
_HSET = {1: _HSET_ONE, 2: _HSET_TWO, 3: _HSET_THREE}


class SampleCommands:
    """Packs commands for records of one sample, which are given by their numbers in ascending order.

    Keys are bulk strings: a key as the protocol sends it, with its length; `text_of` returns the key itself.
    """

    def __init__(self, keys: Keyspace, sample: Sample) -> None:
        self._sample = sample
        self._sku, self._user, self._cart = (key("").encode() for key in (keys.sku, keys.user, keys.cart))
        self._names = [_bulks(User("", *name).encode()) for name in NAMES]
        self._first_name = _bulks(User("", *FIRST_NAME).encode())

    def keys(self, records: Sequence[int]) -> list[bytes]:
        """Return the keys of records."""
        skus, users, carts = self._by_kind(records)
        found = [_bulk(self._sku + sample_sku(self._sample.seed, number).sku_id.encode()) for number in skus]
        return [*found, *_numbered(self._user, users), *_numbered(self._cart, carts)]

    def how_many_exist(self, keys: Sequence[bytes]) -> bytes:
        """Return one EXISTS of all these keys, which are on one server; the reply is how many of them are there."""
        return b"*%d\r\n%b%b" % (1 + len(keys), _EXISTS, b"".join(keys))

    def exist(self, keys: Iterable[bytes]) -> bytes:
        """Return an EXISTS for each key."""
        return _EXISTS_ONE + _EXISTS_ONE.join(keys)

    def hset(self, records: Sequence[int]) -> bytes:
        """Return the HSET of each record."""
        seed, names = self._sample.seed, self._names
        skus, users, carts = self._by_kind(records)
        key = iter(self.keys(records))
        packed = [_HSET_TWO + next(key) + _bulks(sample_sku(seed, number).encode()) for number in skus]
        if users and users[0] == 1:
            packed.append(_HSET_TWO + next(key) + self._first_name)
            del users[0]
        packed += [_HSET_TWO + next(key) + names[place] for place in name_places(seed, users)]
        for number in carts:
            lines = sample_cart(seed, number, skus=self._sample.skus)
            packed.append(_HSET[len(lines)] + next(key) + _bulks(lines))
        return b"".join(packed)

    def _by_kind(self, records: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
        """Return the numbers of the SKUs, users and carts among records, each counted from 1."""
        first_user, first_cart = self._sample.skus, self._sample.skus + self._sample.users
        users_at, carts_at = bisect_left(records, first_user), bisect_left(records, first_cart)
        skus = [record + 1 for record in records[:users_at]]
        users = [record + 1 - first_user for record in records[users_at:carts_at]]
        return skus, users, [record + 1 - first_cart for record in records[carts_at:]]


def text_of(key: bytes) -> str:
    """Return the key that a bulk string holds."""
    return key[key.index(b"\n") + 1 : -2].decode()


def _numbered(prefix: bytes, numbers: list[int]) -> Iterator[bytes]:
    """Yield keys that end in these numbers, which ascend; all of one length are made from one template."""
    start = 0
    while start < len(numbers):
        digits = len(str(numbers[start]))
        end = bisect_left(numbers, 10**digits, start)
        template = b"$%d\r\n%b%%d\r\n" % (len(prefix) + digits, prefix.replace(b"%", b"%%"))
        yield from [template % number for number in numbers[start:end]]
        start = end


def _bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def _bulks(fields: Mapping[str, str | int]) -> bytes:
    return b"".join(_bulk(str(part).encode()) for pair in fields.items() for part in pair)
