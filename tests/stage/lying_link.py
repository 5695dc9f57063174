"""A link to a real server that lies: replies to a command, or the nth of all, are replaced on their way.

Requests and replies are told apart by their form, so that a lie stands where its reply stood, also in a pipeline. The
server is not changed, and carries out what it is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.stage.relay import Direction, Pair, Relay

Lie = bytes | Callable[[], bytes]
"""What is said, or what returns that for each reply anew."""

_NAME_BYTES = 1_000  # of a request, which begins with its name


@dataclass(eq=False)
class _Talk:
    """What a connection has said and is not whole yet, and the commands whose replies are still to come."""

    requests: bytes = b""
    replies: bytes = b""
    commands: deque[str] = field(default_factory=deque)


class LyingLink(Relay):
    """A link to the server at a port of 127.0.0.1.

    Attributes:
        asked: The commands that were replied to, in order, over all connections.
        told: How many lies were told.
    """

    def __init__(self, server_port: int) -> None:
        """Open the link, which says the truth."""
        self._talks: dict[Pair, _Talk] = {}
        self._change: Callable[[bytes], bytes] | None = None
        self._about = ""
        self._nth = 0  # the reply, counted over all that are asked about, to lie in place of; 0 for each
        self._seen = 0
        self.asked: list[str] = []
        self.told = 0
        super().__init__(server_port)

    def lie(self, lie: Lie, *, about: str = "", nth: int = 0) -> None:
        """Say this in place of replies to a command; to any if it is empty; to the nth of them alone if that is given.

        The command is one word or two, such as `XINFO GROUPS`.
        """
        self.change(lambda _: lie if isinstance(lie, bytes) else lie(), about=about, nth=nth)

    def change(self, change: Callable[[bytes], bytes], *, about: str = "", nth: int = 0) -> None:
        """Say what `change` makes of the true replies that `lie` would replace."""

        def set_change() -> None:
            self._change, self._about, self._nth, self._seen = change, about, nth, 0

        self.order(set_change)

    def tell_the_truth(self) -> None:
        """End the lies."""
        self.order(lambda: setattr(self, "_change", None))

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Carry requests as they are, and replies one by one."""
        talk = self._talks.setdefault(pair, _Talk())
        if direction == "to_server":
            talk.requests += data
            start = 0
            while end := end_of_reply(talk.requests, start):
                talk.commands.append(_name(talk.requests[start : min(end, start + _NAME_BYTES)]))
                start = end
            talk.requests = talk.requests[start:]
            self.forward(pair, data, direction)
            return
        talk.replies += data
        said, start = [], 0
        while end := end_of_reply(talk.replies, start):
            said.append(self._said(talk.commands.popleft() if talk.commands else "", talk.replies[start:end]))
            start = end
        talk.replies = talk.replies[start:]
        self.forward(pair, b"".join(said), direction)

    def _said(self, command: str, reply: bytes) -> bytes:
        self.asked.append(command)
        if self._change is None or not (
            command == self._about or command.startswith(f"{self._about} ") or not self._about
        ):
            return reply
        self._seen += 1
        if self._nth not in (0, self._seen):
            return reply
        self.told += 1
        return self._change(reply)


def end_of_reply(data: bytes, start: int = 0) -> int:
    """Return where the reply, or request, that begins at `start` ends; 0 if it is not whole."""
    line_end = data.find(b"\r\n", start) + 2
    if line_end < 2:
        return 0
    kind, line = data[start : start + 1], data[start + 1 : line_end - 2]
    if kind == b"$" and int(line) >= 0:
        end = line_end + int(line) + 2
        return end if end <= len(data) else 0
    if kind == b"*":
        for _ in range(max(0, int(line))):
            line_end = end_of_reply(data, line_end)
            if not line_end:
                return 0
    return line_end


def _name(request: bytes) -> str:
    words = request.split(b"\r\n")[2:5:2]
    return " ".join(word[:40].decode("ascii", "replace") for word in words).upper()
