"""What the two command lines share: options, their variables and types, and the settings that each command gets.

Nothing here imports redis or structlog, which take long: commands import them when they run, so `--help` is fast.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from shared.endpoint.given_files import hold_streams
from shared.endpoint.settings import DEFAULT_URL, EndpointSettings
from shared.endpoint.url import EndpointUrl, parse_url
from shared.errors import InvalidInputError
from shared.keys import ID_PATTERN, RESERVED_NAMESPACES, Keyspace
from shared.program.kinds import Way
from shared.program.screen import screen
from shared.program.warnings import tell_warning, warn
from shared.text import typed_text

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class CommonSettings:
    """The options that every command of both programs takes."""

    endpoint: EndpointSettings
    keys: Keyspace
    log_level: str
    log_format: str | None  # `console` or `json`; None for console on a terminal and JSON lines otherwise


def option(program: str, name: str, *more_names: str, **attributes: Any) -> Callable[[F], F]:
    """Return a click option that also reads its variable, such as SERVER_A_COUNT for `--count`."""
    attributes.setdefault("show_default", attributes.get("default") is not None and not attributes.get("is_flag"))
    attributes.setdefault("envvar", variable(program, name))
    if attributes.get("metavar") in _NAMES_OF_SOMETHING:
        attributes.setdefault("callback", _check_not_blank)
    return click.option(name, *more_names, show_envvar=True, **attributes)


_NAMES_OF_SOMETHING = ("FILE", "RUN_ID", "NAME")


def json_option(program: str, each: str = "") -> Callable[[F], F]:
    """Return the `--json` option; a command that prints several objects says what each one is for."""
    scope = f" {each}, on one line" if each else ""
    return option(program, "--json", "as_json", is_flag=True, help=f"Print one JSON object{scope}.")


def variable(program: str, option_name: str) -> str:
    """Return the environment variable of an option."""
    return f"{program}{option_name.removeprefix('-')}".replace("-", "_").upper()


def endpoint_options(program: str) -> Callable[[F], F]:
    """Return a decorator that adds the common options and passes them as one `CommonSettings`, first argument."""
    prefix = program.replace("-", "_").upper()
    url_help = "Endpoint: redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://."
    password_help = f"Its first line is the password; or set {prefix}_PASSWORD, or write it in the URL."
    levels = Way(["debug", "info", "warning", "error"], case_sensitive=False)
    formats = Way(["console", "json"], case_sensitive=False)
    add = functools.partial(option, program)
    options = [
        add(
            "--url",
            default=DEFAULT_URL,
            envvar=[f"{prefix}_REDIS_URL", "REDIS_URL"],
            callback=url_of_option,
            help=url_help,
        ),
        add("--password-file", metavar="FILE", help=password_help),
        add("--sentinel-password-file", metavar="FILE", help="The same, for the Sentinels of the URL."),
        add("--auth", type=Way(["key", "entra"]), default="key", help="How to authenticate."),
        add("--tls-ca", metavar="FILE", help="Certificate authorities to trust, PEM."),
        add("--tls-cert", metavar="FILE", help="Our own certificate, PEM."),
        add("--tls-key", metavar="FILE", help="The key of --tls-cert, PEM."),
        add("--tls-insecure", is_flag=True, help="Verify no certificate and no host name."),
        add("--namespace", default="", callback=_check_namespace, help="Put in front of every key."),
        add("--quiet", "-q", is_flag=True, help="No log below error, no progress; results stay."),
        add("--log-level", type=levels, default="info", help="Least level to log, on stderr."),
        add("--log-format", type=formats, help="Default: console on a terminal, else json."),
    ]

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_common(**arguments: Any) -> object:
            common = CommonSettings(
                endpoint=EndpointSettings(
                    program=program,
                    warn=tell_warning,
                    # no option, because the process list shows options
                    password=os.environ.get(f"{prefix}_PASSWORD"),
                    sentinel_password=os.environ.get(f"{prefix}_SENTINEL_PASSWORD"),
                    **{name: arguments.pop(name) for name in _ENDPOINT_ARGUMENTS},
                ),
                keys=Keyspace(arguments.pop("namespace")),
                log_level="error" if (quiet := arguments.pop("quiet")) else arguments["log_level"],
                log_format=arguments.pop("log_format"),
            )
            del arguments["log_level"]
            screen.is_left_alone = quiet or common.log_format == "json"
            warn(common.endpoint)
            hold_streams(common.endpoint)
            return function(common, **arguments)

        for add_option in reversed(options):
            with_common = add_option(with_common)
        return with_common  # type: ignore[return-value]

    return decorate


_ENDPOINT_ARGUMENTS = (
    *("url", "password_file", "sentinel_password_file", "auth"),
    *("tls_ca", "tls_cert", "tls_key", "tls_insecure"),
)


def url_of_option(context: click.Context, parameter: click.Parameter, text: str | None) -> EndpointUrl | None:
    """Return the parsed value of a URL option; the error never quotes what may be part of a password."""
    if context.resilient_parsing:
        return None
    if context.get_parameter_source(parameter.name or "") is not ParameterSource.COMMANDLINE:
        text = _of_first_variable(parameter, text)
    try:
        return None if text is None else parse_url(text)
    except InvalidInputError as error:
        if parameter.name != "url":  # that one may come from a variable, so its error says just "URL"
            error.where = parameter.opts[0]
        source = f"it comes from {_source_of(context, parameter)}"
        error.advice = f"{error.advice}; {source}" if error.advice else source
        raise


def _source_of(context: click.Context, parameter: click.Parameter) -> str:
    """Return the option or the variable that a value comes from."""
    is_typed = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    found = next((name for name in _variables(parameter) if name in os.environ), None)
    return found if found and not is_typed else parameter.opts[0]


def _variables(parameter: click.Parameter) -> Sequence[str]:
    return [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or []


def _of_first_variable(parameter: click.Parameter, text: str | None) -> str | None:
    """Return an empty text if that is what the first variable that is set holds: click takes it for one that is not.

    Whoever starts a program with `REDIS_URL=$WRONG_NAME` means another server than the one on localhost.
    """
    found = next((os.environ[name] for name in _variables(parameter) if name in os.environ), None)
    return "" if found == "" else text


def _check_not_blank(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Refuse the name of something that is blank, as of `--tls-ca "$UNSET"`: what it should name would be left out."""
    source = context.get_parameter_source(parameter.name or "")
    if text is not None and not text.strip() and source is not ParameterSource.DEFAULT:
        expected, advice = (
            f"{parameter.metavar or 'a name'}, or not to be given",
            "is a variable of your shell not set?",
        )
        where = _source_of(context, parameter)
        raise InvalidInputError(where=where, expected=expected, got="a blank text", advice=advice)
    return text


def _check_namespace(context: click.Context, parameter: click.Parameter, text: str) -> str:
    if context.resilient_parsing:
        return text
    _check_not_blank(context, parameter, text)
    if text and not re.fullmatch(ID_PATTERN, text):
        raise InvalidInputError(where="--namespace", expected="1 to 64 of A-Z a-z 0-9 _ -", got=typed_text(text))
    if text in RESERVED_NAMESPACES:
        raise InvalidInputError(where="--namespace", expected="a name that begins no key of ours", got=typed_text(text))
    return text
