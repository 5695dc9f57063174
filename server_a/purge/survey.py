"""What a purge found: how many keys of each kind, with examples, as it is shown before anything is removed.

The names are remembered as long as they are not too many: then the removal needs no second scan, and removes no key
that was not shown. Whoever has more keys than that pays for a second scan, in bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.text import joined_lines, shown_text, stored_text

EXAMPLES = 3
MAX_REMEMBERED = 100_000
_SHOWN = {
    "segment": "lists without a state",
    "state": "states, with their lists",
    "run": "records of runs",
    "result": "results",
    "reading": "how far readings are",
    "signals": "stream of signals",
    "dead_letters": "stream of dead letters",
    "canary": "probe keys",
    "user": "users",
    "sku": "SKUs",
    "cart": "carts",
}
_ENDING_NOTE = (
    "Lists that are being written are left; they end within the hour. So are names that a server-b has by --consumer, "
    "which end within five seconds."
)
_SHOP_NOTE = "Users, SKUs and carts are left; --shop removes those with exactly our fields."
_CART_NOTE = (
    "Such carts may be anybody's. If they are yours: server-a cart show USER, and for each line server-a cart remove "
    "USER SKU"
)


@dataclass
class Tally:
    """What was found of one kind."""

    keys: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, keys: int, example: str) -> None:
        """Count keys, and keep the example if it is one of the first."""
        self.keys += keys
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


@dataclass
class Survey:
    """What was found, by kind, and how many keys have names of ours and hold something else.

    Attributes:
        emptied: Streams of ours that stay, without their entries, with the groups that others have in them.
        carts: Those that stay because nothing tells whose they are.
        names: By kind, what a removal has to look at again; empty where it was more than `MAX_REMEMBERED`.
    """

    kinds: dict[str, Tally] = field(default_factory=dict)
    emptied: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    foreign: Tally = field(default_factory=Tally)
    carts: Tally = field(default_factory=Tally)
    names: dict[str, list[str]] = field(default_factory=dict)
    is_remembered: bool = True
    _remembered: int = 0

    @property
    def keys(self) -> int:
        """How many keys are ours."""
        return sum(tally.keys for tally in self.kinds.values())

    def add(self, kind: str, key: str, ours: list[str]) -> None:
        """Count a key of this kind and those removed with it; one of which nothing is ours counts as foreign."""
        if ours:
            self.kinds.setdefault(kind, Tally()).add(len(ours), key)
            self._remember(kind, key)
        else:
            (self.carts if kind == "cart" else self.foreign).add(1, key)

    def _remember(self, kind: str, key: str) -> None:
        self._remembered += 1
        if self._remembered > MAX_REMEMBERED:
            self.is_remembered = False
            self.names.clear()
        else:
            self.names.setdefault(kind, []).append(key)

    def text(self, *, with_shop: bool) -> str:
        """Return the survey as people read it."""
        found = [(self.kinds[kind], shown) for kind, shown in _SHOWN.items() if kind in self.kinds]
        lines = [_line(tally, shown) for tally, shown in found]
        lines += [_emptied_line(key, groups) for key, groups in self.emptied.items()]
        lines = lines or ["Nothing of ours was found."]
        if self.carts.keys:
            what = "with names of carts of ours that stay, without the user and all SKUs of ours that prove them"
            lines += [_line(self.carts, what), _CART_NOTE]
        if self.foreign.keys:
            lines.append(_line(self.foreign, "with names of ours that hold something else, and stay"))
        return joined_lines([*lines, _ENDING_NOTE] + ([] if with_shop else [_SHOP_NOTE]))


def _line(tally: Tally, shown: str) -> str:
    more = ", …" if tally.keys > len(tally.examples) else ""
    return f"{tally.keys:>9,} {'key' if tally.keys == 1 else 'keys'}: {shown} ({', '.join(tally.examples)}{more})"


def _emptied_line(key: str, groups: tuple[bytes, ...]) -> str:
    names = ", ".join(shown_text(stored_text(name)) for name in groups[:EXAMPLES])
    more = ", …" if len(groups) > EXAMPLES else ""
    return f"{1:>9,} key: stream that is emptied and stays, since others have groups in it ({key}: {names}{more})"
