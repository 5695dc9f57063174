"""A run as the command that begins it or goes on with it, as one types it into a shell; a password is never in it."""

from __future__ import annotations

import shlex

from server_a.run.settings import RunSettings
from shared.endpoint.settings import EndpointSettings
from shared.errors import EndpointUnreachableError, HandoverError, NotFinishedError
from shared.program.options import CommonSettings

_NUMBERS = ("count", "segment_values", "users", "skus", "carts", "seed", "retain_days")


def begin_command(common: CommonSettings, settings: RunSettings) -> str:
    """Return the command that began a run."""
    given = {f"--{name.replace('_', '-')}": getattr(settings, name) for name in _NUMBERS}
    return _command(common, settings, {name: str(number) for name, number in given.items() if number is not None})


def resume_command(common: CommonSettings, settings: RunSettings, run_id: str) -> str:
    """Return the command that goes on with a run."""
    return _command(common, settings, {"--resume": run_id})


def with_resume_advice(
    error: HandoverError, common: CommonSettings, settings: RunSettings, run_id: str
) -> HandoverError:
    """Return an error that ended a run, with the command that goes on with it."""
    advice = f"go on with: {resume_command(common, settings, run_id)}"
    kind = EndpointUnreachableError if isinstance(error, EndpointUnreachableError) else NotFinishedError
    return kind(
        where=error.where,
        expected=error.expected,
        got=error.got,
        advice=f"{error.advice}; {advice}" if error.advice else advice,
    )


def _command(common: CommonSettings, settings: RunSettings, first: dict[str, str]) -> str:
    endpoint = common.endpoint
    options = {
        **first,
        "--url": "" if endpoint.url == EndpointSettings.url else endpoint.url.without_password(),
        "--password-file": endpoint.password_file,
        "--auth": "" if endpoint.auth == "key" else endpoint.auth,
        "--tls-ca": endpoint.tls_ca,
        "--tls-cert": endpoint.tls_cert,
        "--tls-key": endpoint.tls_key,
        "--namespace": common.keys.namespace,
        "--values": settings.values,
        "--min-replicas": str(settings.min_replicas or ""),
    }
    flags = {"--tls-insecure": endpoint.tls_insecure, "--overwrite": settings.overwrite}
    words = [word for name, value in options.items() if value for word in (name, value)]
    return shlex.join(["server-a", "run", *words, *(name for name, is_given in flags.items() if is_given)])
