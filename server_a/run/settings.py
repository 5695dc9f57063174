"""What one run of the producer is to do, as given on the command line, and the commands that begin and resume it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import EndpointUnreachableError, HandoverError, NotFinishedError, WrongEndpointError
from shared.program.options import CommonSettings

EVERY = "--every"
DAY_MS = 24 * 60 * 60 * 1000
DEFAULT_SEGMENT_VALUES = 1_000_000
MAX_WRITERS = 64
EVERY_AWAIT_VERDICT_S = 60.0  # with --every, where --await-verdict-s is not given
# for a new run only: a resumed run takes from its record what is not given
DEFAULTS = {
    "count": 10_000,
    "segment_values": DEFAULT_SEGMENT_VALUES,
    "users": 1,
    "skus": 2,
    "carts": 1,
    "seed": 1,
    "retain_days": 7,
}


@dataclass(frozen=True)
class RunSettings:
    """The options of `server-a run`; None where an option was not given."""

    count: int | None = None  # how many numbers to write
    values: str | None = None  # file of lines to write instead of numbers; `-` is standard input
    segment_values: int | None = None  # most values in a segment
    resume: str | None = None  # ID of the run to go on with
    repair: bool = False  # whether to write segments again whose verdict failed
    users: int | None = None
    skus: int | None = None
    carts: int | None = None
    seed: int | None = None
    retain_days: int | None = None  # days that run, results and signals are kept
    overwrite: bool = False  # whether to replace a list that server-a did not write, and shop records that exist
    writers: int = 0  # processes that write segments; 0 for one for each primary, at most one a core
    min_replicas: int = 0  # replicas that must have each segment before it is signalled; 0 for none
    patience_s: float = 60  # seconds without a successful reply after which a lost endpoint is given up
    await_verdict_s: float = 0  # seconds to wait for server-b's verdict; 0 not to wait
    every: float | None = None  # seconds after a run's verdict until the next run begins; None for one run alone

    def number(self, name: str) -> int:
        """Return an option of a new run that has an entry in `DEFAULTS`."""
        given: int | None = getattr(self, name)
        return DEFAULTS[name] if given is None else given

    def shop_size(self) -> dict[str, int]:
        """Return the numbers of users, SKUs and carts of a new run."""
        return {name: self.number(name) for name in ("users", "skus", "carts")}


def begin_command(common: CommonSettings, settings: RunSettings) -> str:
    """Return the command that began a run; as all of these, it contains no password."""
    given = {f"--{name.replace('_', '-')}": getattr(settings, name) for name in DEFAULTS}
    every = {} if settings.every is None else {EVERY: f"{settings.every:g}"}  # first, where `is_of_every` looks for it
    numbers = {name: str(number) for name, number in given.items() if number is not None}
    return _command(common, settings, every | numbers)


def is_of_every(command: str) -> bool:
    """Tell whether a command that began a run, as its record holds it, hands over again and again."""
    return command.startswith(f"server-a run {EVERY} ")


def resume_command(common: CommonSettings, settings: RunSettings, run_id: str) -> str:
    """Return the command that goes on with a run."""
    return _command(common, settings, {"--resume": run_id})


def with_resume_advice(
    error: HandoverError, common: CommonSettings, settings: RunSettings, run_id: str
) -> HandoverError:
    """Return an error that ended a run, with the command that goes on with it as advice."""
    command = f"go on with: {resume_command(common, settings, run_id)}"
    advice = f"{error.advice}; {command}" if error.advice else command
    kinds = (EndpointUnreachableError, WrongEndpointError)
    kind = next((kind for kind in kinds if isinstance(error, kind)), NotFinishedError)
    return kind(where=error.where, expected=error.expected, got=error.got, advice=advice)


def _command(common: CommonSettings, settings: RunSettings, first: dict[str, str]) -> str:
    endpoint = common.endpoint
    options = {
        **first,
        "--url": endpoint.url.without_password(),
        # only what was read as a file: where none is, somebody may have typed the password itself
        "--password-file": endpoint.password_file if endpoint.auth == "key" else None,
        "--sentinel-password-file": endpoint.sentinel_password_file if endpoint.url.is_sentinel else None,
        "--auth": "" if endpoint.auth == "key" else endpoint.auth,
        "--tls-ca": endpoint.tls_ca,
        "--tls-cert": endpoint.tls_cert,
        "--tls-key": endpoint.tls_key,
        "--namespace": common.keys.namespace,
        "--values": settings.values,
        "--writers": str(settings.writers or ""),
        "--min-replicas": str(settings.min_replicas or ""),
    }
    flags = {"--tls-insecure": endpoint.tls_insecure, "--overwrite": settings.overwrite, "--repair": settings.repair}
    words = [word for name, value in options.items() if value for word in (name, value)]
    import shlex

    return shlex.join(["server-a", "run", *words, *(name for name, is_given in flags.items() if is_given)])
