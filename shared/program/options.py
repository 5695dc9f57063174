"""What the two command lines have in common: options, their variables and types, and what each command gets of them.

Nothing here imports redis or structlog: `--help` must come back at once, so commands import them when they run.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from shared import __version__
from shared.endpoint.settings import DEFAULT_URL, EndpointSettings
from shared.endpoint.url import EndpointUrl, parse_url
from shared.errors import InvalidInputError
from shared.keys import ID_PATTERN, RESERVED_NAMESPACES, Keyspace

F = TypeVar("F", bound=Callable[..., Any])

_WEEK_S = 7 * 24 * 60 * 60


@dataclass(frozen=True)
class CommonSettings:
    """The options that every command of both programs takes.

    Attributes:
        log_level: `debug`, `info`, `warning` or `error`.
        log_format: `console` or `json`; None for console on a terminal and JSON lines otherwise.
    """

    endpoint: EndpointSettings
    keys: Keyspace
    log_level: str
    log_format: str | None


def option(program: str, name: str, *more_names: str, **attributes: Any) -> Callable[[F], F]:
    """Return a click option that also reads its variable, such as SERVER_A_COUNT for `--count`.

    Args:
        program: `server-a` or `server-b`.
        name: The option's name with its dashes.
        more_names: As for `click.option`, such as the name of the parameter.
        attributes: As for `click.option`.
    """
    attributes.setdefault("show_default", attributes.get("default") is not None and not attributes.get("is_flag"))
    attributes.setdefault("envvar", variable(program, name))
    return click.option(name, *more_names, show_envvar=True, **attributes)


def json_option(program: str, each: str = "") -> Callable[[F], F]:
    """Return the `--json` option; a command that prints several objects says what each one is for."""
    scope = f" {each}, on one line" if each else ""
    return option(program, "--json", "as_json", is_flag=True, help=f"Print one JSON object{scope}.")


class WholeNumber(click.ParamType[int]):
    """A whole number in ASCII digits, between bounds; Python's `int` would also take other scripts' digits and _."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        """Set the bounds, both included."""
        self._least = least
        self._most = most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number that a text spells."""
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and self._least <= int(text) <= self._most):
            self.fail(f"{text!r} is not a whole number from {self._least} to {self._most}.", param, ctx)
        return int(text)


class Seconds(click.ParamType[float]):
    """Seconds, at most three decimals, at most a week; neither a sign, an exponent nor NaN."""

    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that a text spells."""
        text = str(value)
        whole, _, decimals = text.partition(".")
        is_plain = all(part.isascii() and part.isdigit() for part in (whole, decimals or "0"))
        if not (is_plain and len(whole) <= 6 and len(decimals) <= 3 and float(text) <= _WEEK_S):
            self.fail(f"{text!r} is not a number of seconds from 0 to {_WEEK_S}.", param, ctx)
        return float(text)


def variable(program: str, option_name: str) -> str:
    """Return the environment variable of an option."""
    return f"{program}{option_name.removeprefix('-')}".replace("-", "_").upper()


def endpoint_options(program: str) -> Callable[[F], F]:
    """Return a decorator that adds the common options and hands them over as one `CommonSettings`, first argument."""
    prefix = program.replace("-", "_").upper()
    options = [
        option(
            program,
            "--url",
            default=DEFAULT_URL,
            envvar=[f"{prefix}_REDIS_URL", "REDIS_URL"],
            callback=url_of_option,
            help="Endpoint: redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://.",
        ),
        option(program, "--password-file", metavar="FILE", help="Its first line is the password."),
        option(program, "--auth", type=click.Choice(["key", "entra"]), default="key", help="How to authenticate."),
        option(program, "--tls-ca", metavar="FILE", help="Certificate authorities to trust, PEM."),
        option(program, "--tls-cert", metavar="FILE", help="Our own certificate, PEM."),
        option(program, "--tls-key", metavar="FILE", help="The key of --tls-cert, PEM."),
        option(program, "--tls-insecure", is_flag=True, help="Verify no certificate and no host name."),
        option(program, "--namespace", default="", callback=_check_namespace, help="Put in front of every key."),
        option(
            program,
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="info",
            help="Least level to log, on stderr.",
        ),
        option(program, "--log-format", type=click.Choice(["console", "json"]), help="Default: by terminal."),
    ]

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_common(**arguments: Any) -> object:
            common = CommonSettings(
                endpoint=EndpointSettings(
                    program=program,
                    # a variable alone: as an option it would stand in the process list
                    password=os.environ.get(f"{prefix}_PASSWORD"),
                    **{name: arguments.pop(name) for name in _ENDPOINT_ARGUMENTS},
                ),
                keys=Keyspace(arguments.pop("namespace")),
                log_level=arguments.pop("log_level"),
                log_format=arguments.pop("log_format"),
            )
            _warn_about_tls(common.endpoint)
            return function(common, **arguments)

        for add_option in reversed(options):
            with_common = add_option(with_common)
        return with_common  # type: ignore[return-value]

    return decorate


_ENDPOINT_ARGUMENTS = ("url", "password_file", "auth", "tls_ca", "tls_cert", "tls_key", "tls_insecure")


def _warn_about_tls(endpoint: EndpointSettings) -> None:
    """Say on stderr, whatever the log level, which TLS options take protection away or do nothing."""
    is_tls = endpoint.url.is_tls
    if endpoint.tls_insecure and is_tls:
        warning = "--tls-insecure: neither the server's certificate nor its host name is verified"
        click.echo(f"{endpoint.program}: warning: {warning}", err=True)
    elif not is_tls and (endpoint.tls_insecure or endpoint.tls_ca or endpoint.tls_cert):
        warning = "TLS options do nothing: the URL is not rediss://"
        click.echo(f"{endpoint.program}: warning: {warning}", err=True)


def url_of_option(_context: click.Context, parameter: click.Parameter, text: str | None) -> EndpointUrl | None:
    """Return the parsed value of a URL option; the error never quotes what may be part of a password."""
    try:
        return None if text is None else parse_url(text)
    except InvalidInputError as error:
        if parameter.name != "url":  # that one may come from a variable, so its error says just "URL"
            error.where = parameter.opts[0]
        raise


def _check_namespace(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    import re

    if text and not re.fullmatch(ID_PATTERN, text):
        raise InvalidInputError(where="--namespace", expected="1 to 64 of A-Z a-z 0-9 _ -", got=repr(text))
    if text in RESERVED_NAMESPACES:
        raise InvalidInputError(where="--namespace", expected="a name that begins no key of ours", got=repr(text))
    return text


def main_group(program: str, summary: str) -> click.Group:
    """Return the group that a program's commands are added to, with `--version`."""
    group = click.Group(program, help=summary, no_args_is_help=True, context_settings={"max_content_width": 110})
    return click.version_option(__version__, prog_name=program, message="%(prog)s %(version)s")(group)
