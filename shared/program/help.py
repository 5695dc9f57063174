"""`--help` of a command, in sections: what it does, how it does it, and the connection.

What a command is called for stands first. One list of thirty options, the connection's on top, hid it.
"""

from __future__ import annotations

import click

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
    """A command whose help is cut into sections."""

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


def _name(param: click.Parameter) -> str:
    return "help" if "--help" in param.opts else param.name or ""  # click itself names that one differently


def _section(name: str) -> str:
    if name in _CONNECTION:
        return "Connection"
    return "How" if name in _HOW or name in _OF_EVERY_COMMAND else "What"


def _place(name: str) -> int:
    return _OF_EVERY_COMMAND.index(name) + 1 if name in _OF_EVERY_COMMAND else 0
