"""A consumer name that the user gave, which another process may use too.

What is pending with a name is read first at each start, so two processes of one name would read each other's entries,
and each reading counts as a delivery: after five of them the entry would be given up, though its list is perfect.
Therefore a name has a token beside the stream, which the process that uses it renews. A token for each entry was
rejected: who takes an entry learns its id only then, so it would cost a round trip for each.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from server_b.group.scripts import NameUse
from server_b.group.signal_group import SignalGroup
from shared.errors import WrongEndpointError
from shared.ownership import foreign_error
from shared.stopping import StopRequest

KEEP_EVERY_S = 1.5
_LIVING_MS = 5_000
_LOOK_FOR_S = 6.0
_LOOK_EVERY_S = 0.5


@dataclass
class ConsumerName:
    """Our name in the group, if it was given."""

    group: SignalGroup
    stop: StopRequest
    _is_taken: bool = field(init=False, default=False)

    @property
    def is_given(self) -> bool:
        """Whether another process may use it too."""
        return bool(self.group.token)

    def take(self) -> None:
        """Take the name, waiting until one who had it and was killed is known to be dead; a stop ends the wait.

        A process that has no token, as one of an earlier version, is known by the group: it reads once a second.

        Raises WrongEndpointError if a living process uses the name, WrongKeyError if somebody else uses its key.

        Redis: EVAL and XINFO CONSUMERS, twice a second, for six seconds at most.
        """
        if self.is_given and not self._is_taken:
            self._take()
            self._is_taken = True

    def _take(self) -> None:
        began = time.monotonic()
        while True:
            use = self._keep()
            if use is NameUse.OURS_AFTER_ANOTHER:
                return
            idle_ms = self.group.idle_ms()
            waited_s = time.monotonic() - began
            is_silent = idle_ms is None or idle_ms >= _LIVING_MS
            if use is NameUse.OURS and is_silent:
                return
            was_used_since = idle_ms is not None and idle_ms < (waited_s - _LOOK_EVERY_S / 2) * 1_000
            if was_used_since or waited_s >= _LOOK_FOR_S:
                if use is NameUse.OURS:
                    self.group.leave()
                raise self._in_use()
            if self.stop.wait(_LOOK_EVERY_S):
                return

    def keep(self) -> None:
        """Keep the name, as is due every 1.5 seconds; WrongEndpointError if another process has taken it meanwhile."""
        if self.is_given and self._keep() is NameUse.OTHERS:
            raise self._in_use()

    def _keep(self) -> NameUse:
        use = self.group.keep_name()
        if use is NameUse.FOREIGN:
            key = self.group.keys.consumer(self.group.consumer)
            raise foreign_error(key, "no key, or the token of a server-b", "a key of somebody else's")
        return use

    def _in_use(self) -> WrongEndpointError:
        return WrongEndpointError(
            where=f"--consumer {self.group.consumer}", expected="a name of this process alone",
            got="one that another process uses now", advice="give another name, or none: a default one is unique",
        )  # fmt: skip
