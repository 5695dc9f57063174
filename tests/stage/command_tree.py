"""What both contract tests of command lines need: every command of both programs, by the words that call it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import click

import server_a.cli
import server_b.cli
from shared.program.group import all_commands
from tests.stage.programs import Name

GROUPS: dict[Name, click.Group] = {"server-a": server_a.cli.group, "server-b": server_b.cli.group}


@cache
def commands() -> dict[tuple[Name, str], click.Command]:
    """Return every command that does something, by its program and the words behind it, such as `user add`."""
    return {
        (program, " ".join(words)): command for program, group in GROUPS.items() for words, command in _leaves(group)
    }


def _leaves(group: click.Group, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in all_commands(group).items():
        if isinstance(command, click.Group):
            yield from _leaves(command, *words, name)
        else:
            yield (*words, name), command


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Return a command's options by their long names."""
    return {
        name: param
        for param in command.params
        if isinstance(param, click.Option)
        for name in param.opts
        if name.startswith("--")
    }
