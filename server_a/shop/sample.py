"""The sample shop: the records of the original exercise, then generated ones.

Record n depends only on the seed and n, so a larger shop contains the smaller one of the same seed; a cart also depends
on the number of SKUs, because it may only hold SKUs that exist. Python's `random` was rejected: seeding a generator for
each record costs ten times as much as mixing two numbers, and its sequences are not promised to stay the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from shared.shop.records import Sku

FIRST_GENERATED_SKU = 1001
MOST_CART_LINES = 3
MOST_PIECES = 5

FIRST_NAME = ("Parker", "Perry")
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
NAMES = [(first, last) for last in _LAST_NAMES.split() for first in _FIRST_NAMES.split()]
_ADJECTIVES = ("Compact", "Foldable", "Insulated", "Magnetic", "Portable", "Quiet", "Rugged", "Slim", "Wireless")
_PRODUCTS = ("Backpack", "Camera", "Charger", "Headset", "Lamp", "Microphone", "Mouse", "Notebook", "Speaker", "Tripod")

_MASK = (1 << 64) - 1
_USER_STREAM, _SKU_STREAM, _CART_STREAM = 1, 2, 3


@dataclass(frozen=True)
class Sample:
    """Which records of a seed's shop: the first `skus` SKUs, `users` users and `carts` carts.

    They are numbered from 0 in this order: SKUs come before the carts that hold them, users before the carts they own.
    """

    users: int
    skus: int
    carts: int
    seed: int

    @property
    def records(self) -> int:
        """How many records these are together."""
        return self.skus + self.users + self.carts


def sample_name(seed: int, number: int) -> tuple[str, str]:
    """Return first and last name of user `number`; there are 1,600 generated ones."""
    return FIRST_NAME if number == 1 else NAMES[name_places(seed, [number])[0]]


def name_places(seed: int, numbers: Iterable[int]) -> list[int]:
    """Return which of the generated names each of these users has, counted from 0."""
    return [mixed % len(NAMES) for mixed in _mixed_each(seed, _USER_STREAM, numbers)]


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
    return next(_mixed_each(seed, stream, [number]))


def _mixed_each(seed: int, stream: int, numbers: Iterable[int]) -> Iterator[int]:
    """Yield for each number 64 bits that look random and depend only on the three numbers.

    Source: SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    start = seed * 0xD1342543DE82EF95 + stream * 0xA0761D6478BD642F
    for number in numbers:
        bits = (start + number * 0x9E3779B97F4A7C15) & _MASK
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
        yield bits ^ (bits >> 31)
