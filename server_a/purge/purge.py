"""`server-a purge`: what it finds and removes, in which order.

A list without its state is proven by its signal, so states come first, then such lists, and the signals last. The keys
are gone through twice, to be counted and to be removed: they may be too many to be remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from server_a.purge.proofs import Unit, unit_of
from server_a.purge.streams import go_through_streams
from server_a.purge.sweep import Sweep, scan
from server_a.run.lost_states import LostStates
from shared.check.permissions import ask_permissions, permissions_of
from shared.check.requirements import SERVER_A_PURGE
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import portions
from shared.errors import NotAllowedError
from shared.keys import Keyspace
from shared.program.progress import Progress
from shared.text import joined_lines

EXAMPLES = 3
_SHOWN = {
    "segment": "lists without a state",
    "state": "states, with their lists",
    "run": "records of runs",
    "result": "results",
    "signals": "stream of signals",
    "dead_letters": "stream of dead letters",
    "canary": "probe keys",
    "user": "users",
    "sku": "SKUs",
    "cart": "carts",
}
_SHOP_KINDS = {"user", "sku", "cart"}
_STAGING_NOTE = "Lists that are being written are left; they end within the hour."
_SHOP_NOTE = "Users, SKUs and carts are left; --shop removes those with exactly our fields."


@dataclass
class Tally:
    """What was found of one kind."""

    keys: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class Survey:
    """What was found, by kind, and how many keys have names of ours and hold something else."""

    kinds: dict[str, Tally] = field(default_factory=dict)
    foreign: Tally = field(default_factory=Tally)

    @property
    def keys(self) -> int:
        """How many keys are ours."""
        return sum(tally.keys for tally in self.kinds.values())

    def add(self, kind: str, key: str, ours: list[str]) -> None:
        """Count a key of this kind and those removed with it; one of which nothing is ours counts as foreign."""
        tally = self.kinds.setdefault(kind, Tally()) if ours else self.foreign
        tally.keys += len(ours) or 1
        if len(tally.examples) < EXAMPLES:
            tally.examples.append(key)

    def text(self, *, with_shop: bool) -> str:
        """Return the survey as people read it."""
        found = [(self.kinds[kind], shown) for kind, shown in _SHOWN.items() if kind in self.kinds]
        lines = [_line(tally, shown) for tally, shown in found] or ["Nothing of ours was found."]
        if self.foreign.keys:
            lines.append(_line(self.foreign, "with names of ours that hold something else, and stay"))
        return joined_lines([*lines, _STAGING_NOTE] + ([] if with_shop else [_SHOP_NOTE]))


def _line(tally: Tally, shown: str) -> str:
    more = ", …" if tally.keys > len(tally.examples) else ""
    return f"{tally.keys:>9,} {'key' if tally.keys == 1 else 'keys'}: {shown} ({', '.join(tally.examples)}{more})"


class _Pass(NamedTuple):
    """One scan: kinds of keys and a glob pattern that matches their names, and few others."""

    kinds: set[str]
    pattern: str


@dataclass
class Purge:
    """Finds and removes what both programs wrote under a namespace."""

    endpoint: Endpoint
    keys: Keyspace
    with_shop: bool

    def require_permissions(self) -> None:
        """Raise NotAllowedError unless we may do all of it: half a purge would be worse than none."""
        needed = [item for item in SERVER_A_PURGE if item.is_needed or self.with_shop]
        answers = ask_permissions(self.endpoint, self.keys, permissions_of(needed, self.keys))
        denied = [answer.permission for answer in answers if isinstance(answer.error, NotAllowedError)]
        if denied:
            names = ", ".join(dict.fromkeys(f"{item.name} {item.key}".strip() for item in denied[:EXAMPLES]))
            raise NotAllowedError(
                where=self.endpoint.name, expected="permission for every command of purge", got=f"none for {names}",
                advice="it has an access rule of its own, deploy/acl/purge.acl",
            )  # fmt: skip

    def survey(self) -> Survey:
        """Return what would be removed; nothing is written. Redis: see `_go_through`."""
        return self._go_through(None)

    def remove(self, found: Survey) -> Survey:
        """Remove keys of the kinds that a survey found and return how many; after a lost connection, purge again.

        Redis: see `_go_through`.
        """
        return self._go_through(found)

    def _go_through(self, found: Survey | None) -> Survey:
        """Go through all kinds of keys to count them, or through those that were found to remove them.

        Redis: SCAN of the whole database, three times, with the shop five times; for each key with a name of ours what
        `Sweep` and `LostStates` send.
        """
        removes = found is not None
        sweep, survey = Sweep(self.endpoint, removes=removes), Survey()
        passes = [each for each in self._passes() if found is None or each.kinds & found.kinds.keys()]
        total = len(passes) * sum(int(client.dbsize()) for client in self.endpoint.primaries())
        with Progress("Removing" if removes else "Looking", total, unit="keys") as progress:
            for each in passes:
                if "segment" in each.kinds:
                    self._add_lost_lists(survey, each.pattern, progress, removes=removes)
                    continue
                for unit, ours in sweep.go_through(self._units(each, progress)):
                    survey.add(unit.kind, unit.key, ours)
        for kind, key, is_ours in go_through_streams(self.endpoint, self.keys, removes=removes):
            survey.add(kind, key, [key] if is_ours else [])
        return survey

    def _passes(self) -> list[_Pass]:
        """Return the scans in their order."""
        prefix = self.keys.prefix
        shop = [_Pass({"cart"}, f"{prefix}cart:*"), _Pass({"user", "sku"}, f"{prefix}[us][sk][eu]*:*")]
        others = [
            _Pass({"state", "result"}, f"{{{prefix}[bs]*}}:[sr]*"),
            _Pass({"segment"}, f"{prefix}biglist*"),
            _Pass({"run", "canary"}, f"{prefix}[cr][au]n*:[0-9]*Z-*"),
        ]
        return shop + others if self.with_shop else others

    def _units(self, asked: _Pass, progress: Progress) -> Iterator[Unit]:
        for key in scan(self.endpoint, asked.pattern, "hash", progress):
            kind = self.keys.kind_of(key) or ""
            if kind in asked.kinds and (unit := self._unit(kind, key)) is not None:
                yield unit

    def _unit(self, kind: str, key: str) -> Unit | None:
        if kind not in _SHOP_KINDS:
            return unit_of(self.keys, key)
        from server_a.purge.shop import shop_unit  # decimal numbers take a while to import

        return shop_unit(self.endpoint, self.keys, kind, key)

    def _add_lost_lists(self, survey: Survey, pattern: str, progress: Progress, *, removes: bool) -> None:
        """Find lists of ours whose state is gone."""
        lost = LostStates(self.endpoint, self.keys)
        names = (key for key in scan(self.endpoint, pattern, "list", progress))
        for portion in portions(key for key in names if self.keys.kind_of(key) == "segment"):
            numbers = {_number(key): key for key in portion}
            without_state = lost.without_state(list(numbers))
            ours = {
                found.number
                for found in lost.recognise(
                    sorted(without_state),
                    lambda found: [("UNLINK", self.keys.segment(found.number))] if removes else [],
                )
            }
            for number in without_state:
                survey.add("segment", numbers[number], [numbers[number]] if number in ours else [])


def _number(key: str) -> int:
    last = key.rpartition(":")[2]
    return int(last) if last.isdigit() else 1
