"""What options take: whole numbers, seconds, ways to log in."""

from __future__ import annotations

import re

import click

from shared.fields import spelled_number
from shared.text import typed_text

_WEEK_S = 7 * 24 * 60 * 60


class WholeNumber(click.ParamType[int]):
    """A whole number in ASCII digits, bounds included, as `spelled_number` takes it: 1_000_000, 1,000,000, 1e6, 5m.

    Python's `int` would also take other scripts' digits.
    """

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number that a text spells."""
        text = str(value)
        number = spelled_number(text)
        if number is None or not self._least <= number <= self._most:
            self.fail(f"{typed_text(text)} is not a whole number from {self._least} to {self._most}.", param, ctx)
        return number


class WholeNumberOrAuto(WholeNumber):
    """A whole number, or `auto`, which becomes 0."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number that a text spells."""
        return 0 if value in ("auto", 0) else super().convert(value, param, ctx)


class Seconds(click.ParamType[float]):
    """Seconds, at most three decimals, at most a week; neither a sign, an exponent nor NaN."""

    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that a text spells."""
        text = str(value)
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{0,3})?", text) or float(text) > _WEEK_S:
            self.fail(f"{typed_text(text)} is not a number of seconds from 0 to {_WEEK_S}.", param, ctx)
        return float(text)


class Way(click.Choice[str]):
    """One of a few words; what else is typed there may be a password."""

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Return what is wrong, without what was given."""
        return (
            f"what was given is none of {', '.join(map(str, self.choices))}; it is not shown, as it may be a password"
        )
