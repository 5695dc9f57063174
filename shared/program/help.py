"""`--help` of a command, in sections: what it does, how it does it, and the connection.

What a command is called for stands first. One list of thirty options, the connection's on top, hid it.
"""

from __future__ import annotations

import click

from shared.text import can_be_shown

_CONNECTION = {
    *("url", "password_file", "sentinel_password_file", "auth", "namespace"),
    *("tls_ca", "tls_cert", "tls_key", "tls_insecure", "peer_url", "peer_password_file", "peer_tls_ca"),
}
_HOW = {
    *("segment_values", "writers", "overwrite", "min_replicas", "patience_s", "retain_days"),
    *("consumer", "claim_idle_ms", "max_deliveries", "settle_s", "heartbeat_file", "yes"),
}
_OF_EVERY_COMMAND = ("as_json", "quiet", "log_level", "log_format", "help")


class SectionedCommand(click.Command):
    """A command whose help is cut into sections; what it does not take is shown only if it can be no password."""

    allow_extra_args = True  # as far as click is concerned, which would quote them

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; refuse arguments that the command does not take."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            arguments = "argument" if len(rest) == 1 else "arguments"
            ctx.fail(f"Got unexpected extra {arguments} ({' '.join(map(_typed, rest))})")
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each in its section; in one of them as declared, those of every command last."""
        sections: dict[str, list[tuple[str, str]]] = {"What": [], "How": [], "Connection": []}
        in_order = sorted(self.get_params(ctx), key=lambda param: _place(_name(param)))
        for param in in_order:
            if (record := param.get_help_record(ctx)) is not None:
                sections[_section(_name(param))].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _typed(word: str) -> str:
    return word if can_be_shown(word) else "not shown, as it may be a password"


def _name(param: click.Parameter) -> str:
    return "help" if "--help" in param.opts else param.name or ""  # click itself names that one differently


def _section(name: str) -> str:
    if name in _CONNECTION:
        return "Connection"
    return "How" if name in _HOW or name in _OF_EVERY_COMMAND else "What"


def _place(name: str) -> int:
    return _OF_EVERY_COMMAND.index(name) + 1 if name in _OF_EVERY_COMMAND else 0
