"""The group of a program's commands; some are imported when they are called or listed, and not before.

As in "Lazily Loading Subcommands" of click's documentation, but with functions in place of names of modules, so that
type checker and import contracts see what is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from shared import __version__
from shared.program.help import SectionedCommand
from shared.text import can_be_shown

_SETTINGS = {"max_content_width": 110, "help_option_names": ["-h", "--help"]}


class CommandGroup(click.Group):
    """A group that says where its commands' options stand."""

    command_class = SectionedCommand

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an option of a command that was given before the command ends with how to write it."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            words, command = self._called(ctx, given)
            if command is None or not any(error.option_name in each.opts for each in command.params):
                raise
            called = " ".join([ctx.command_path, *words])
            sentence = f"Options stand after the command: {called} {error.option_name} …"
            raise click.UsageError(sentence, ctx) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was called; a name that is none's is shown only if it can be no password."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            if can_be_shown(args[0]):
                raise
            raise click.UsageError("No such command as was given, which may be a password", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the whole first sentence of each; click's own list cuts it where the line ends."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(limit=1_000)) for name, each in found if each])

    def _called(self, ctx: click.Context, given: list[str]) -> tuple[list[str], click.Command | None]:
        """Return the words of the command that was called, as far as they are known, and the command."""
        words: list[str] = []
        command: click.Command | None = self
        for word in given:
            found = command.get_command(ctx, word) if isinstance(command, click.Group) else None
            if found is not None:
                words.append(word)
                command = found
        return words, None if isinstance(command, click.Group) else command


class ProgramGroup(CommandGroup):
    """All commands of one program.

    Attributes:
        later: Imports a command and returns it, by the command's name.
    """

    def __init__(self, program: str, summary: str, later: Mapping[str, Callable[[], click.Command]]) -> None:
        super().__init__(program, help=summary, no_args_is_help=True, context_settings=_SETTINGS)
        self.later = later

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, for `--help` and completion."""
        return sorted({*super().list_commands(ctx), *self.later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, imported now if it has not been."""
        if cmd_name not in self.commands and cmd_name in self.later:
            self.add_command(self.later[cmd_name](), cmd_name)
        return super().get_command(ctx, cmd_name)


def main_group(
    program: str, summary: str, later: Mapping[str, Callable[[], click.Command]] | None = None
) -> click.Group:
    """Return the group that a program's commands are added to, with `--version`."""
    group = ProgramGroup(program, summary, later or {})
    return click.version_option(__version__, prog_name=program, message="%(prog)s %(version)s")(group)


def all_commands(group: click.Group) -> dict[str, click.Command]:
    """Return every command of a group by its name, imported."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}
