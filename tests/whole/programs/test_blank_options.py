"""Blank options and variables, as of a variable of the shell that is not set: said, never taken for something else."""

from __future__ import annotations

import pytest

from shared.endpoint.url import EXAMPLE
from tests.stage.inside import run_inside
from tests.stage.programs import Finished, Name
from tests.stage.sentences import require_sentence

NOBODY = "redis://127.0.0.1:1/0"
ANYWHERE = ("--password-file", "--sentinel-password-file", "--tls-ca", "--tls-cert", "--tls-key", "--namespace")
OWN: dict[tuple[Name, str], tuple[str, ...]] = {
    ("server-a", "run"): (*ANYWHERE, "--values", "--resume", "--count", "--writers", "--patience-s"),
    ("server-a", "check"): (*ANYWHERE, "--peer-password-file", "--peer-tls-ca", "--peer-url", "--count"),
    ("server-b", "run"): (*ANYWHERE, "--run", "--consumer", "--heartbeat-file", "--wait-s"),
    ("server-b", "page"): (*ANYWHERE, "--listen", "--peer-url"),
    ("server-b", "status"): (*ANYWHERE, "--auth", "--log-level", "--log-format"),
}
EACH = [(*line, option) for line, options in OWN.items() for option in options]


def _run(program: Name, command: str, *options: str, **variables: str) -> Finished:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        return run_inside(program, command, *options)


@pytest.mark.parametrize("blank", ["", " ", "\t"])
@pytest.mark.parametrize(("program", "command", "option"), EACH)
def test_an_option_that_is_blank(program: Name, command: str, option: str, blank: str) -> None:
    ended = _run(program, command, "--url", NOBODY, option, blank)
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended
    assert option in ended.stderr


@pytest.mark.parametrize(("program", "command", "option"), EACH)
def test_a_variable_that_is_blank(program: Name, command: str, option: str) -> None:
    """An empty one is not set, as everywhere; one with a blank in it is named."""
    name = f"{program}{option[1:]}".replace("-", "_").upper()
    ended = _run(program, command, "--url", NOBODY, **{name: " "})
    assert ended.exit_code == 2, ended
    assert name in ended.stderr or option in ended.stderr


URL_VARIABLES: list[tuple[dict[str, str], str]] = [
    ({"REDIS_URL": ""}, "REDIS_URL"),
    ({"REDIS_URL": " "}, "REDIS_URL"),
    ({"OWN": ""}, "OWN"),
    ({"OWN": "\t"}, "OWN"),
    ({"OWN": "", "REDIS_URL": NOBODY}, "OWN"),  # not the other one: ours was meant
    ({"OWN": '""'}, "OWN"),
    ({"OWN": f'"{EXAMPLE}"'}, "OWN"),
    ({"REDIS_URL": f"'{EXAMPLE}'"}, "REDIS_URL"),
]


@pytest.mark.parametrize(("variables", "named"), URL_VARIABLES)
@pytest.mark.parametrize(("program", "command"), [("server-a", "user list"), *OWN])
def test_a_url_that_is_empty_or_quoted(program: Name, command: str, variables: dict[str, str], named: str) -> None:
    own = f"{program.replace('-', '_').upper()}_REDIS_URL"
    given = {name.replace("OWN", own): value for name, value in variables.items()}
    words = command.split()
    ended = _run(program, words[0], *words[1:], **given)
    require_sentence(ended, 2, "URL: ", EXAMPLE, f"it comes from {named.replace('OWN', own)}\n")


@pytest.mark.parametrize("variables", [{"REDIS_URL": ""}, {"SERVER_A_REDIS_URL": ""}, {"SERVER_A_REDIS_URL": " "}])
def test_an_option_beats_a_blank_variable(variables: dict[str, str]) -> None:
    ended = _run("server-a", "status", "--url", NOBODY, **variables)
    assert ended.exit_code == 69, ended


def test_our_variable_beats_an_empty_one_of_everyones() -> None:
    ended = _run("server-a", "status", SERVER_A_REDIS_URL=NOBODY, REDIS_URL="")
    assert ended.exit_code == 69, ended


@pytest.mark.parametrize("variables", [{"SERVER_B_PEER_URL": ""}, {"SERVER_B_PEER_URL": " "}])
def test_a_peers_url(variables: dict[str, str]) -> None:
    ended = _run("server-b", "page", "--url", NOBODY, **variables)
    require_sentence(ended, 2, "--peer-url: ", "it comes from SERVER_B_PEER_URL\n")
