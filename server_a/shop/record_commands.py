"""`server-a user` and `server-a sku`: create, show, list and remove records; one function makes both groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

import click

from shared.program.group import CommandGroup
from shared.program.options import CommonSettings, endpoint_options, option
from shared.program.output import say
from shared.shop.cart_text import money_text
from shared.shop.record_checks import checked_id, checked_name, checked_price
from shared.shop.records import Sku, User
from shared.text import joined_lines, shown_text

if TYPE_CHECKING:
    from server_a.shop.shop import Shop

PROGRAM = "server-a"
Record = TypeVar("Record", User, Sku)


def _record_group(
    name: str,
    noun: str,
    summary: str,
    *,
    helps: dict[str, tuple[str, str]],  # of each command: the text, and the arguments of the example
    options: dict[str, str],  # of `add`, with their help texts; all are required
    checked: Callable[..., Record],  # raises InvalidInputError for an option that is not valid
    sentence: Callable[[Record], str],
    text: Callable[[Shop, str], str],
    lines: Callable[[Shop], Iterable[str]],
    remove: Callable[[Shop, str], None],
    also_removed: str = "",
) -> click.Group:
    """Return the commands `add`, `show`, `list` and `remove` for one kind of record."""
    group = CommandGroup(name, help=summary)
    id_argument = click.argument("record_id", metavar="ID")
    id_name = f"{noun} ID"
    shown = {verb: f"{what}\n\nExample: server-a {name} {verb} {end}" for verb, (what, end) in helps.items()}

    def add_options(function: Callable[..., None]) -> Callable[..., None]:
        for option_name, description in reversed(options.items()):
            letter = option_name[2].upper()
            function = option(PROGRAM, option_name, required=True, metavar=letter, help=description)(function)
        return function

    @group.command("add", help=shown["add"])
    @id_argument
    @add_options
    @endpoint_options(PROGRAM)
    def add_record(common: CommonSettings, record_id: str, **texts: str) -> None:
        record = checked(checked_id(id_name, record_id), **texts)
        with _open_shop(common) as shop:
            is_new = shop.write(record)
        say(f"{'Added' if is_new else 'Changed'} {noun} {record_id}: {sentence(record)}.")

    @group.command("show", help=shown["show"])
    @id_argument
    @endpoint_options(PROGRAM)
    def show_record(common: CommonSettings, record_id: str) -> None:
        checked_id(id_name, record_id)
        with _open_shop(common) as shop:
            say(text(shop, record_id))

    @group.command("list", help=shown["list"])
    @endpoint_options(PROGRAM)
    def list_records(common: CommonSettings) -> None:
        with _open_shop(common) as shop:
            for line in lines(shop):
                say(line)

    @group.command("remove", help=shown["remove"])
    @id_argument
    @endpoint_options(PROGRAM)
    def remove_record(common: CommonSettings, record_id: str) -> None:
        checked_id(id_name, record_id)
        with _open_shop(common) as shop:
            remove(shop, record_id)
        say(f"Removed {noun} {record_id}{also_removed}.")

    return group


def _open_shop(common: CommonSettings) -> AbstractContextManager[Shop]:
    from server_a.shop.shop import open_shop  # when a command runs: redis takes 170 ms, and --help must be fast

    return open_shop(common)


def user_line(user: User) -> str:
    """Return a user as one line of a list."""
    return f"{user.user_id:<8}  {shown_text(user.full_name) or '(no name)'}"


def sku_line(sku: Sku) -> str:
    """Return a SKU as one line of a list, the price before the name so that prices are aligned."""
    return f"{sku.sku_id:<10}  {price_text(sku):>12}  {shown_text(sku.name) or '(no name)'}"


def price_text(sku: Sku) -> str:
    """Return the price of a SKU; `no price` when none can be read."""
    return "no price" if sku.price is None else money_text(sku.price)


def user_text(user: User) -> str:
    """Return a user with every field that is not empty, one a line, and the fields that someone else stored."""
    return _fields_text(f"User {user.user_id}:", user.encode().items(), user)


def sku_text(sku: Sku) -> str:
    """Return a SKU as `user_text` does a user; a price that can't be read is shown as it is stored."""
    price = "" if sku.price is None else money_text(sku.price)
    return _fields_text(f"SKU {sku.sku_id}:", [("name", sku.name), ("price", price)], sku)


def _fields_text(title: str, ours: Iterable[tuple[str, str]], record: User | Sku) -> str:
    fields = [*((name, value) for name, value in ours if value), *record.other_fields]
    shown = [(shown_text(name), shown_text(value) or "(empty)") for name, value in fields]
    width = max((len(name) for name, _ in shown), default=0)
    more = [f"  and {record.left_out:,} more fields"] if record.left_out else []
    return joined_lines([title, *(f"  {name:<{width}}  {value}" for name, value in shown), *more])


_ADD_ID = "\n\nID is 1 to 64 of A-Z a-z 0-9 _ - (after -- when it begins with -)."

user = _record_group(
    "user",
    "user",
    "Create, show, list and remove users.",
    helps={
        "add": (
            f"Create a user, or give an existing one another name.{_ADD_ID}",
            "2 --first-name Ada --last-name Lovelace",
        ),
        "show": ("Show a user with every field, also those that someone else stored.", "1"),
        "list": ("List all users, one a line.", ""),
        "remove": ("Remove a user, and the user's cart with it.", "2"),
    },
    options={"--first-name": "1 to 200 characters.", "--last-name": "1 to 200 characters."},
    checked=lambda user_id, first_name, last_name: User(
        user_id, checked_name("--first-name", first_name), checked_name("--last-name", last_name)
    ),
    sentence=lambda record: record.full_name,
    text=lambda shop, user_id: user_text(shop.user(user_id)),
    lines=lambda shop: map(user_line, shop.users()),
    remove=lambda shop, user_id: shop.remove_user(user_id),
    also_removed=" and their cart",
)

sku = _record_group(
    "sku",
    "SKU",
    "Create, show, list and remove SKUs: what the shop sells.",
    helps={
        "add": (
            f"Create a SKU, or give an existing one another name and price.{_ADD_ID}",
            'sku789 --name "USB-C Cable" --price 12.50',
        ),
        "show": ("Show a SKU with every field, also those that someone else stored.", "sku123"),
        "list": ("List all SKUs with their prices, one a line.", ""),
        "remove": ("Remove a SKU; carts that hold it show the line as no longer sold.", "sku789"),
    },
    options={"--name": "1 to 200 characters.", "--price": "0.00 to 999999999.99, at most two decimal places."},
    checked=lambda sku_id, name, price: Sku(sku_id, checked_name("--name", name), checked_price("--price", price)),
    sentence=lambda record: f"{record.name} at {price_text(record)}",
    text=lambda shop, sku_id: sku_text(shop.sku(sku_id)),
    lines=lambda shop: map(sku_line, shop.skus()),
    remove=lambda shop, sku_id: shop.remove_sku(sku_id),
)
