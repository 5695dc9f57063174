"""The sample shop: the records of the original exercise, then generated ones, and how they are written.

Record n depends only on the seed and n, so a larger shop contains the smaller one of the same seed; a cart also depends
on the number of SKUs, because it may only hold SKUs that exist. Python's `random` was rejected: seeding a generator for
each record costs ten times as much as mixing two numbers, and its sequences are not promised to stay the same.

Every command is an HSET with absolute values, so writing again changes nothing; fields and carts that people added
stay. A large shop is written in portions, so that a fault repeats one portion and not the whole shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import chain, islice

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command
from shared.endpoint.pipelined import send_pipelined
from shared.endpoint.retry import Retry
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.shop.records import Sku, User
from shared.stopping import StopRequest

PORTION_COMMANDS = 20_000
FIRST_GENERATED_SKU = 1001
MOST_CART_LINES = 3
MOST_PIECES = 5

_NAME = ("Parker", "Perry")
_SKUS = (Sku("sku123", "AirPods", Decimal("199.99")), Sku("sku456", "Mechanical Keyboard", Decimal("89.99")))
_FIRST_NAMES = (
    "Ada Alan Amina Anders Barbara Björn Carlos Chiara Claude Dana Edsger Elif Emeka Fatima Frances Grace Hana Hedy "
    "Igor Ines Jean José Katherine Kenji Leila Linus Mai Margaret Mateo Mei Niklaus Noor Olga Priya Radia Sofia Tariq "
    "Tim Uma Yuki"
)
_LAST_NAMES = (
    "Allen Baker Berg Chen Costa Diaz Dijkstra Evans Fischer Garcia Haddad Hamilton Hopper Ivanova Jansen Johnson Khan "
    "Kim Kowalski Lamarr Larsen Lopez Lovelace Mensah Meyer Moreau Müller Nakamura Nguyen Okafor Patel Perlman Rossi "
    "Santos Silva Tanaka Turing Weber Wirth Yilmaz"
)
_FIRST, _LAST = _FIRST_NAMES.split(), _LAST_NAMES.split()
_ADJECTIVES = ("Compact", "Foldable", "Insulated", "Magnetic", "Portable", "Quiet", "Rugged", "Slim", "Wireless")
_PRODUCTS = ("Backpack", "Camera", "Charger", "Headset", "Lamp", "Microphone", "Mouse", "Notebook", "Speaker", "Tripod")

_MASK = (1 << 64) - 1
_USER_STREAM, _SKU_STREAM, _CART_STREAM = 1, 2, 3


def check_shop_size(*, users: int, skus: int, carts: int) -> None:
    """Raise InvalidInputError if there are more carts than users, or carts but no SKUs."""
    if carts > users:
        expected, advice = f"at most the {users} of --users", "each cart has a user; raise --users or lower --carts"
        raise InvalidInputError(where="--carts", expected=expected, got=str(carts), advice=advice)
    if carts and not skus:
        advice = "carts hold SKUs; give --carts 0 too"
        raise InvalidInputError(where="--skus", expected="at least 1 with --carts", got="0", advice=advice)


def write_shop(
    endpoint: Endpoint,
    keys: Keyspace,
    *,
    users: int,
    skus: int,
    carts: int,
    seed: int,
    retry: Retry | None = None,
    stop: StopRequest | None = None,
) -> None:
    """Write the first `skus` SKUs, `users` users and `carts` carts of a seed's shop; see `check_shop_size`.

    Without `retry` a fault is raised; with it the portion is repeated. A stop request is noticed between two portions.

    Redis: One HSET a record, 1,000 a round trip, two in flight.
    """
    commands = _commands(keys, users=users, skus=skus, carts=carts, seed=seed)
    while portion := list(islice(commands, PORTION_COMMANDS)):
        if stop is not None:
            stop.check("shop")
        if retry is None:
            send_pipelined(endpoint, portion)
        else:
            retry.keep_trying(send_pipelined, endpoint, portion)


def _commands(keys: Keyspace, *, users: int, skus: int, carts: int, seed: int) -> Iterator[Command]:
    """Yield the HSET of each record: SKUs before the carts that hold them, users before the carts they own."""
    for number in range(1, skus + 1):
        sku = sample_sku(seed, number)
        yield "HSET", keys.sku(sku.sku_id), *_flat(sku.encode())
    for number in range(1, users + 1):
        yield "HSET", keys.user(str(number)), *_name_fields(*sample_name(seed, number))
    for number in range(1, carts + 1):
        yield "HSET", keys.cart(str(number)), *_flat(sample_cart(seed, number, skus=skus))


@cache  # of the 1,600 names, which halves the time that generating users takes
def _name_fields(first_name: str, last_name: str) -> tuple[str | int, ...]:
    return tuple(_flat(User("", first_name, last_name).encode()))


def _flat(fields: dict[str, str] | dict[str, int]) -> Iterator[str | int]:
    return chain.from_iterable(fields.items())


def sample_name(seed: int, number: int) -> tuple[str, str]:
    """Return first and last name of user `number`; there are 1,600 generated ones."""
    if number == 1:
        return _NAME
    mixed, first = divmod(_mixed(seed, _USER_STREAM, number), len(_FIRST))
    return _FIRST[first], _LAST[mixed % len(_LAST)]


def sample_sku(seed: int, number: int) -> Sku:
    """Return SKU `number`, counted from 1; the third one has the ID `sku1001`."""
    if number <= len(_SKUS):
        return _SKUS[number - 1]
    mixed, adjective = divmod(_mixed(seed, _SKU_STREAM, number), len(_ADJECTIVES))
    mixed, product = divmod(mixed, len(_PRODUCTS))
    name = f"{_ADJECTIVES[adjective]} {_PRODUCTS[product]}"
    return Sku(_sku_id(number), name, Decimal(f"{5 + mixed % 995}.99"))


def sample_cart(seed: int, number: int, *, skus: int) -> dict[str, int]:
    """Return the cart of user `number`, counted from 1: quantities by ID of a shop of at least one SKU."""
    if number == 1:
        return {sku.sku_id: 1 for sku in _SKUS[:skus]}
    mixed, lines = divmod(_mixed(seed, _CART_STREAM, number), MOST_CART_LINES)
    mixed, first = divmod(mixed, skus)
    cart = {}
    for line in range(min(lines + 1, skus)):
        mixed, pieces = divmod(mixed, MOST_PIECES)
        cart[_sku_id((first + line) % skus + 1)] = pieces + 1
    return cart


def _sku_id(number: int) -> str:
    if number <= len(_SKUS):
        return _SKUS[number - 1].sku_id
    return f"sku{FIRST_GENERATED_SKU + number - len(_SKUS) - 1}"


def _mixed(seed: int, stream: int, number: int) -> int:
    """Return 64 bits that look random and depend only on the three numbers.

    Source: SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    bits = (seed * 0xD1342543DE82EF95 + stream * 0xA0761D6478BD642F + number * 0x9E3779B97F4A7C15) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)
