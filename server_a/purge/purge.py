"""`server-a purge`: what it finds and removes, in which order.

One scan finds all kinds of keys: over millions of others each one more would last as long again. What proves another
key is removed after it: users and SKUs after the carts, and the signals, which prove lists without a state, last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from server_a.purge.proofs import Unit, unit_of
from server_a.purge.streams import find_changed_signals, go_through_streams
from server_a.purge.survey import EXAMPLES, Survey
from server_a.purge.sweep import Sweep
from server_a.run.lost_states import LostStates
from shared.check.permissions import ask_permissions, permissions_of
from shared.check.requirements import SERVER_A_PURGE
from shared.endpoint.changed_signals import Changed
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.scanning import Sought, names_with, scan
from shared.endpoint.together import ask_each, portions
from shared.errors import NotAllowedError
from shared.keys import Keyspace
from shared.program.progress import Progress

_KINDS = {"state", "segment", "run", "result", "reading", "canary"}
_PROVING_KINDS = {"user", "sku"}
_SHOP_KINDS = {"cart", *_PROVING_KINDS}
_STREAM_KINDS = {"signals", "dead_letters"}


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
        """Return what would be removed; nothing is written.

        Redis: SCAN of the whole database, once; with the shop two in the same round trips. For each key with a name of
        ours what `Sweep` and `LostStates` send; TIME.
        """
        survey = Survey()
        self._scan_through(_KINDS | (_SHOP_KINDS if self.with_shop else set()), survey, removes=False)
        self._add_streams(survey, find_changed_signals(self.endpoint, self.keys), removes=False)
        return survey

    def remove(self, found: Survey) -> Survey:
        """Remove keys of the kinds that a survey found and return how many; after a lost connection, purge again.

        Each key is looked at again. Redis: no SCAN where the survey remembers the names; else one as `survey`, and
        another one for users and SKUs.
        """
        survey, kinds = Survey(), found.kinds.keys() - _STREAM_KINDS
        changed = find_changed_signals(self.endpoint, self.keys)
        for round_kinds in (kinds - _PROVING_KINDS, kinds & _PROVING_KINDS):
            if found.is_remembered:
                names = [(kind, name) for kind in sorted(round_kinds) for name in found.names[kind]]
                with Progress("Removing", len(names), unit="keys") as progress:
                    self._go_through(names, survey, removes=True, progress=progress)
            elif round_kinds:
                self._scan_through(round_kinds, survey, removes=True)
        self._add_streams(survey, changed, removes=True)
        return survey

    def _scan_through(self, kinds: set[str], survey: Survey, *, removes: bool) -> None:
        total = sum(int(client.dbsize()) for client in self.endpoint.primaries())
        with Progress("Removing" if removes else "Looking", total, unit="keys") as progress:
            names = scan(self.endpoint, *self._sought(kinds), passed=progress.add)
            ours = ((kind, name) for name in names if (kind := self.keys.kind_of(name)) in kinds)
            self._go_through(ours, survey, removes=removes)

    def _sought(self, kinds: set[str]) -> list[Sought]:
        """Return what to scan for: names of the shop may be anybody's in millions, but not those of hashes."""
        prefix = self.keys.prefix
        others = [Sought(names_with(self.keys.beginnings()))] if kinds & _KINDS else []
        shop = [f"{prefix}{kind}:" for kind in sorted(kinds & _SHOP_KINDS)]
        return [*others, Sought(names_with(shop), "hash")] if shop else others

    def _go_through(
        self,
        names: Iterable[tuple[str | None, str]],
        survey: Survey,
        *,
        removes: bool,
        progress: Progress | None = None,
    ) -> None:
        """Look at keys, a thousand at a time, count those that are ours, or remove them."""
        sweep = Sweep(self.endpoint, removes=removes)
        server_ms = self.endpoint.server_us(self.keys.signals()) // 1_000
        for portion in portions(names):
            for unit, ours in sweep.go_through(self._units(portion, server_ms)):
                survey.add(unit.kind, unit.key, ours)
            self._add_lost_lists([name for kind, name in portion if kind == "segment"], survey, removes=removes)
            if progress is not None:
                progress.add(len(portion))

    def _units(self, names: Iterable[tuple[str | None, str]], server_ms: int) -> Iterator[Unit]:
        for kind, name in names:
            if kind in _SHOP_KINDS:
                from server_a.purge.shop import shop_unit  # decimal numbers take a while to import

                yield shop_unit(self.keys, str(kind), name)
            elif (unit := unit_of(self.keys, name, server_ms=server_ms)) is not None:
                yield unit

    def _add_lost_lists(self, names: list[str], survey: Survey, *, removes: bool) -> None:
        """Find lists of ours whose state is gone; a list with a state is removed with it."""
        kinds = dict(ask_each(self.endpoint, names, lambda pipeline, key: pipeline.type(key)))
        for name in (name for name in names if kinds[name] not in (b"list", b"none")):
            survey.add("segment", name, [])
        lost = LostStates(self.endpoint, self.keys)
        numbers = {_number(name): name for name in names if kinds[name] == b"list"}
        without_state = lost.without_state(list(numbers))
        end = lost.recognise(
            sorted(without_state), lambda found: [("UNLINK", self.keys.segment(found.number))] if removes else []
        )
        ours = {found.number for found in end}
        for number in without_state:
            survey.add("segment", numbers[number], [numbers[number]] if number in ours else [])

    def _add_streams(self, survey: Survey, changed: Changed, *, removes: bool) -> None:
        for kind, found in go_through_streams(self.endpoint, self.keys, changed, removes=removes):
            if found.is_ours and found.groups:
                survey.emptied[found.key] = found.groups
            else:
                survey.add(kind, found.key, [found.key] if found.is_ours else [])


def _number(key: str) -> int:
    last = key.rpartition(":")[2]
    return int(last) if last.isdigit() else 1
