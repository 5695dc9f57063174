"""A relay that counts connections and turns: the round trips a program waits for, seen from outside.

A turn of a connection begins when the client sends its first bytes, or sends bytes after it has received some. The
turns of all connections, added up, are the program's round trips.

What a client sends without waiting must count as one turn, however fast the server answers the first part of it.
Therefore replies can be kept back until the connection has been quiet for a moment: by then the client has sent all
that it sends without an answer. Delaying every byte by a fixed time was rejected: it takes longer, and a reply that
comes in two parts can count twice.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby

from tests.stage.relay import Direction, Pair, Relay

# Longer than a client needs between two batches that it sends without waiting, also on a busy machine.
QUIET_S = 0.02
LONG_QUIET_S = 0.2  # for a test whose bound leaves no turn to a client that is held up in between
_KEPT_BYTES = 65_536
_SHOWN_BYTES = 40
_SHOWN_COMMANDS = 8
_SHOWN_TURNS = 40
# A command as clients send it: an array, the name, and the first argument if it has one.
_COMMAND = re.compile(rb"\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n(?:\$\d+\r\n([^\r]*)\r\n)?")


@dataclass
class Turn:
    """What a client sent in one turn.

    Attributes:
        size: Bytes.
        start: The first of them, up to 64 KiB.
    """

    size: int = 0
    start: bytes = b""

    def add(self, data: bytes) -> None:
        """Add what came next."""
        self.size += len(data)
        self.start += data[: _KEPT_BYTES - len(self.start)]

    def commands(self) -> list[str]:
        """Return the commands with their first arguments; none when they are encrypted."""
        found = (b" ".join(match.groups(b"")[:2]) for match in _COMMAND.finditer(self.start))
        return [command.strip().decode(errors="backslashreplace") for command in found]

    def __str__(self) -> str:
        """Return the commands, the first of each row of the same name, or the first bytes; and the size."""
        rows = [list(row) for _, row in groupby(self.commands(), key=lambda command: command.split(" ")[0])]
        named = [row[0] if len(row) == 1 else f"{len(row)} x {row[0]}" for row in rows[:_SHOWN_COMMANDS]]
        named += ["..."] if len(rows) > _SHOWN_COMMANDS else []
        return f"{', '.join(named) or repr(self.start[:_SHOWN_BYTES])} ({self.size:,} bytes)"


@dataclass
class Conversation:
    """One connection.

    Attributes:
        pair: Its two ends.
        turns: What the client sent, by turn.
        held: Replies that are kept back.
        heard_s: The monotonic clock when bytes last came from either end.
    """

    pair: Pair
    turns: list[Turn] = field(default_factory=list)
    held: bytes = b""
    heard_s: float = 0.0
    _is_answered: bool = True

    def send(self, data: bytes) -> None:
        """Note what the client sent."""
        if self._is_answered:
            self.turns.append(Turn())
            self._is_answered = False
        self.turns[-1].add(data)

    def answer(self) -> None:
        """Note that the client was sent something: what it sends from now on is a new turn."""
        self._is_answered = True

    def __str__(self) -> str:
        """Return the first turns, one a line, below a heading."""
        carried = self.pair.carried
        heading = f"{len(self.turns)} turns, {carried['to_server']:,} bytes sent, {carried['to_client']:,} received"
        shown = [f"  {number:>4}  {turn}" for number, turn in enumerate(self.turns[:_SHOWN_TURNS], start=1)]
        left = len(self.turns) - len(shown)
        return "\n".join([heading, *shown, *([f"  and {left} more"] if left else [])])


class TurnCounter(Relay):
    """A relay that counts; its text lists connections and turns, for the message of a test that fails.

    Attributes:
        conversations: Every connection so far, in the order of their beginning.
        open_at_once: The most connections that were open at the same time.
    """

    def __init__(self, server_port: int, *, quiet_s: float = 0.0) -> None:
        """Open the relay.

        Args:
            server_port: Where the server is.
            quiet_s: How long a connection must be quiet before its client gets the replies. With 0 it gets them at
                once: enough to count connections, but a client that sends without waiting shows too many turns.
        """
        self.conversations: dict[Pair, Conversation] = {}
        self.open_at_once = 0
        self._quiet_s = quiet_s
        super().__init__(server_port)

    @property
    def turns(self) -> int:
        """The turns of all connections, added up."""
        return sum(len(conversation.turns) for conversation in list(self.conversations.values()))

    @property
    def carried(self) -> dict[Direction, int]:
        """The bytes of all connections, by direction."""
        pairs = list(self.conversations)
        return {
            "to_server": sum(pair.carried["to_server"] for pair in pairs),
            "to_client": sum(pair.carried["to_client"] for pair in pairs),
        }

    def times(self, command: str) -> int:
        """Return in how many turns a command was sent, named with or without its first argument."""
        turns = [turn for conversation in list(self.conversations.values()) for turn in list(conversation.turns)]
        return sum(any(f"{sent} ".startswith(f"{command} ") for sent in turn.commands()) for turn in turns)

    def __str__(self) -> str:
        """Return every connection with its turns."""
        said = [f"{self.connections} connections, {self.open_at_once} at once, {self.turns} turns"]
        conversations = list(self.conversations.values())
        said += [f"connection {number}: {each}" for number, each in enumerate(conversations, start=1)]
        return "\n".join(said)

    def opened(self, pair: Pair) -> None:
        """Begin to count the turns of a connection."""
        self.conversations[pair] = Conversation(pair)
        self.open_at_once = max(self.open_at_once, len(self.pairs))

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Count bytes that came, and forward them; replies when it is time for them."""
        conversation = self.conversations[pair]
        conversation.heard_s = time.monotonic()
        if direction == "to_server":
            conversation.send(data)
            self.forward(pair, data, direction)
        else:
            conversation.held += data

    def next_due_s(self) -> float | None:
        """Return when the next replies are due."""
        due = [self._due_s(conversation) for conversation in self._holding()]
        return max(0.0, min(due)) if due else None

    def carry_due(self) -> None:
        """Hand out the replies of connections that have been quiet."""
        for conversation in self._holding():
            if self._due_s(conversation) <= 0:
                try:
                    self._hand_out(conversation)
                except OSError:  # the client had enough of a long reply
                    self.drop(conversation.pair)

    def drop(self, pair: Pair, *, keep_server: bool = False) -> None:
        """Close a connection; the client gets what the server had said."""
        if pair in self.pairs:
            with suppress(OSError):  # most often it is the client who hung up
                self._hand_out(self.conversations[pair])
        super().drop(pair, keep_server=keep_server)

    def _holding(self) -> list[Conversation]:
        return [self.conversations[pair] for pair in self.pairs if self.conversations[pair].held]

    def _due_s(self, conversation: Conversation) -> float:
        return conversation.heard_s + self._quiet_s - time.monotonic()

    def _hand_out(self, conversation: Conversation) -> None:
        data, conversation.held = conversation.held, b""
        if data:
            conversation.answer()
            self.forward(conversation.pair, data, "to_client")
