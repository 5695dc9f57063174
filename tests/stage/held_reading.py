"""A link on which a reading stands still in the midst of a list, for as long as a test wants to look at it."""

from __future__ import annotations

from tests.stage.relay import Direction, Pair, Relay


class HeldReading(Relay):
    """Holds back the values on every connection that asks for chunks, past so many bytes of them, until `release`.

    All other connections, on which a reader tells how far it is, go on.

    Attributes:
        pings: How many came, one a second on the connection that watches the list.
        scripts: How many came.
    """

    def __init__(self, server_port: int, *, after_bytes: int) -> None:
        """Open the link."""
        self._after_bytes = after_bytes
        self._readings: list[Pair] = []
        self._held: list[tuple[Pair, bytes]] = []
        self._is_released = False
        self.pings = self.scripts = 0
        super().__init__(server_port)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Forward bytes, or hold them back."""
        if direction == "to_server":
            self.pings += data.count(b"PING")
            self.scripts += data.count(b"EVAL")
        if direction == "to_server" and b"LRANGE" in data and pair not in self._readings:
            self._readings.append(pair)
        is_value = direction == "to_client" and pair in self._readings
        if is_value and not self._is_released and pair.carried["to_client"] >= self._after_bytes:
            self._held.append((pair, data))
        else:
            self.forward(pair, data, direction)

    def release(self) -> None:
        """Let all of it go on."""
        self.order(self._let_go)

    def _let_go(self) -> None:
        self._is_released = True
        for pair, data in self._held:
            self.forward(pair, data, "to_client")
        self._held.clear()
