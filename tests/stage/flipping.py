"""A link that changes one byte of what passes, as a faulty network card or memory does."""

from __future__ import annotations

import re

from tests.stage.relay import Direction, Pair, Relay


class FlippingLink(Relay):
    """A link that changes one byte of one field of the nth XADD.

    Attributes:
        changed: The field as it was and as it went on; empty until then.
    """

    def __init__(self, server_port: int, field: str, place: int, digit: bytes, *, nth: int = 1) -> None:
        """Open the link; `place` says which byte of the field's value becomes `digit`, or another one if it is that."""
        self._pattern = re.compile(rb"(\$%d\r\n%b\r\n\$[0-9]+\r\n)([^\r]+)" % (len(field), field.encode()))
        self._place = place
        self._digit = digit
        self._nth = nth
        self.changed: tuple[bytes, ...] = ()
        super().__init__(server_port)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Forward bytes, with the change when it is due."""
        if direction == "to_server":
            before, *commands = data.split(b"XADD")  # several may come together
            for place in range(len(commands)):
                self._nth -= 1
                if self._nth == 0:
                    commands[place] = self._pattern.sub(self._change, commands[place], count=1)
            data = b"XADD".join([before, *commands])
        self.forward(pair, data, direction)

    def _change(self, match: re.Match[bytes]) -> bytes:
        value = bytearray(match[2])
        place = self._place % len(value)
        value[place] = self._digit[0] if value[place] != self._digit[0] else self._digit[0] ^ 1
        self.changed = (match[2], bytes(value))
        return match[1] + bytes(value)
