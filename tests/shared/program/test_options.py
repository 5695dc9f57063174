"""Numbers, seconds, variables and endings that both command lines share."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.endpoint.url import parse_url
from shared.errors import HandoverError, InvalidInputError, NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.program.ending import run_program
from shared.program.group import main_group
from shared.program.kinds import Seconds, WholeNumber
from shared.program.options import CommonSettings, endpoint_options, variable
from shared.text import quoted_text

NO_NUMBERS = [
    "",
    " ",
    "\u0663",
    "\uff11",
    "\u00b2",
    "\u2460",
    "NaN",
    "nan",
    "inf",
    "Infinity",
    "1e9",
    "1E9",
    "1e-1",
    "-1",
    "+1",
    "-0",
    "0x10",
    "1_000",
    "1,000",
    "1 000",
    " 1",
    "1\n",
    "9223372036854775808",
    "1" * 5_000,
    "true",
    "None",
]


SPELLED = {"1_000": 1_000, "1,000": 1_000, "1e9": 10**9, "1E9": 10**9}
NO_COUNTS = (
    "1.0 1. 1000000001 1e10 1e99 1,00 1,0000 1_00 _1 1_ ,1 1__000 1,000_000 10kk k m e6 1e 1.5 1.2345k 1g 1e-3 +1k"
)


@pytest.mark.parametrize(
    "text", [*(text for text in NO_NUMBERS if text not in SPELLED), *NO_COUNTS.split(), "1 k", "1\u212a", "1" * 5_000]
)
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        WholeNumber(0, 1_000_000_000).convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("0", 0), ("1", 1), ("007", 7), ("1000000000", 10**9), *SPELLED.items()],
        *[("1_000_000", 10**6), ("1,000,000", 10**6), ("1e6", 10**6), ("2.5E6", 2_500_000), ("1e0", 1)],
        *[("10k", 10_000), ("10K", 10_000), ("5m", 5_000_000), ("1.5M", 1_500_000), ("0k", 0), ("1,000k", 10**6)],
    ],
)
def test_whole_numbers(text: str, number: int) -> None:
    assert WholeNumber(0, 1_000_000_000).convert(text, None, None) == number


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_bounds_are_included(number: int, one: int, other: int) -> None:
    least, most = min(one, other), max(one, other)
    kind = WholeNumber(least, most)
    assert kind.convert(str(least), None, None) == least
    assert kind.convert(str(most), None, None) == most
    if least <= number <= most:
        assert kind.convert(str(number), None, None) == number
    else:
        with pytest.raises(click.BadParameter, match=f"from {least} to {most}"):
            kind.convert(str(number), None, None)


@pytest.mark.parametrize("text", [*NO_NUMBERS, ".5", ".", "1.2.3", "1.2345", "1.\u0663", "604800.001", "604801"])
def test_what_is_no_number_of_seconds_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Seconds().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("60", 60.0), ("0.5", 0.5), ("1.125", 1.125), ("604800", 604_800.0)]
)
def test_seconds(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("kind", [WholeNumber(0, 5), Seconds()])
def test_a_refusal_fits_on_a_line(kind: click.ParamType[float]) -> None:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert("\x1b[31m\n", None, None)
    assert caught.value.format_message().isprintable()


@pytest.mark.parametrize(
    ("program", "name", "expected"),
    [
        ("server-a", "--count", "SERVER_A_COUNT"),
        ("server-a", "--await-verdict-s", "SERVER_A_AWAIT_VERDICT_S"),
        ("server-b", "--claim-idle-ms", "SERVER_B_CLAIM_IDLE_MS"),
        ("server-b", "--password-file", "SERVER_B_PASSWORD_FILE"),
    ],
)
def test_variables(program: str, name: str, expected: str) -> None:
    assert variable(program, name) == expected


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "SERVER_A_REDIS_URL", "SERVER_A_PASSWORD", "SERVER_A_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)


def _common(*arguments: str) -> CommonSettings:
    """Return what a command is given for these options."""
    group = main_group("server-a", "A program.")
    given: list[CommonSettings] = []

    @group.command("look")
    @endpoint_options("server-a")
    def look(common: CommonSettings) -> None:
        given.append(common)

    group.main(["look", *arguments], standalone_mode=False)
    return given[0]


def test_common_defaults() -> None:
    common = _common()
    endpoint = common.endpoint
    assert (endpoint.url, endpoint.program, endpoint.auth) == (parse_url("redis://localhost:6379/0"), "server-a", "key")
    assert (endpoint.password, endpoint.password_file) == (None, None)
    assert (endpoint.tls_ca, endpoint.tls_cert, endpoint.tls_key, endpoint.tls_insecure) == (None, None, None, False)
    assert (common.keys, common.log_level, common.log_format) == (Keyspace(""), "info", None)


def test_the_url_of_an_option_beats_our_variables_and_that_beats_everyones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://everyone")
    assert _common().endpoint.url == parse_url("redis://everyone")
    monkeypatch.setenv("SERVER_B_REDIS_URL", "redis://the-other-program")
    assert _common().endpoint.url == parse_url("redis://everyone")
    monkeypatch.setenv("SERVER_A_REDIS_URL", "redis://ours")
    assert _common().endpoint.url == parse_url("redis://ours")
    assert _common("--url", "redis://option").endpoint.url == parse_url("redis://option")


def test_the_password_comes_from_a_variable_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_A_PASSWORD", "s3cr7t9")
    common = _common("--url", "redis://:s3cr7t9@h")
    assert common.endpoint.password == "s3cr7t9"
    assert "s3cr7t9" not in repr(common) + str(common)


def test_no_option_takes_a_password() -> None:
    with pytest.raises(click.NoSuchOption):
        _common("--password", "x")


@pytest.mark.parametrize("namespace", ["shop1", "A_b-9", "x" * 64])
def test_namespaces(namespace: str) -> None:
    assert _common("--namespace", namespace).keys == Keyspace(namespace)


@pytest.mark.parametrize("namespace", ["a:b", "a b", "{a}", "*", "é", "\u0663", "a\n", "x" * 65])
def test_other_namespaces_are_refused(namespace: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        _common("--namespace", namespace)
    assert caught.value.where == "--namespace"


def _ended(capsys: pytest.CaptureFixture[str], error: BaseException | None, *arguments: str) -> tuple[object, str, str]:
    """Return exit code, stdout and stderr of a program whose command raises an error."""
    group = main_group("server-a", "A program.")

    @group.command("go")
    @click.option("--number", type=WholeNumber(1, 5))
    def go(number: int | None) -> None:
        """Go."""
        click.echo(f"going {number}")
        if error is not None:
            raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["server-a", *arguments])
        with pytest.raises(SystemExit) as caught:
            run_program(group, "server-a")
    captured = capsys.readouterr()
    return caught.value.code or 0, captured.out, captured.err


def test_a_command_that_ends_well_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ended(capsys, None, "go", "--number", "3") == (0, "going 3\n", "")


@pytest.mark.parametrize("kind", [InvalidInputError, VerificationFailedError, NotFinishedError])
def test_an_error_is_one_sentence_and_its_exit_code(
    capsys: pytest.CaptureFixture[str], kind: type[HandoverError]
) -> None:
    error = kind(where="here", expected="this", got="that", advice="do so")
    assert _ended(capsys, error, "go") == (
        kind.exit_code,
        "going None\n",
        "server-a: here: expected this, got that; do so\n",
    )


def test_a_wrong_option_is_one_sentence_with_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _ended(capsys, None, "go", "--number", "6")
    assert (code, out) == (2, "")
    assert err == (
        "server-a: Invalid value for '--number': '6' is not a whole number from 1 to 5. (see server-a go --help)\n"
    )


@pytest.mark.parametrize("arguments", [("nonsense",), ("go", "--nonsense"), ("go", "nonsense"), ("--number", "1")])
def test_what_is_not_known_ends_with_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = _ended(capsys, None, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)


FORGOTTEN_URL = "redis://u:s3cr7t9@h:6379"


@pytest.mark.parametrize(
    "arguments",
    [
        ("go", FORGOTTEN_URL),
        ("go", "x", FORGOTTEN_URL, "y@z"),
        ("go", "redis://u:s3/cr7 @t9@h"),
        ("go", "redis://:s3cr7t9"),
        (FORGOTTEN_URL, "go"),
        ("go", "--number", FORGOTTEN_URL),
        ("go", "--number", f"redis://u:{'s3cr7t9' * 20}@h"),
        ("go", f"--number={FORGOTTEN_URL}"),
        ("go", f"--url={FORGOTTEN_URL}"),
    ],
)
def test_a_url_without_its_option_is_named_without_the_password(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, err = _ended(capsys, None, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not [part for part in ("s3", "cr7", "t9") if part in err], err


@pytest.mark.parametrize("got", [FORGOTTEN_URL, f"redis://u:{'s3cr7t9' * 20}@h"])
def test_a_url_in_the_place_of_an_id_is_named_without_the_password(
    capsys: pytest.CaptureFixture[str], got: str
) -> None:
    error = InvalidInputError(where="user ID", expected="an id", got=quoted_text(got), advice="write u@h")
    _code, _out, err = _ended(capsys, error, "go")
    assert err.startswith("server-a: user ID: expected an id, got 'redis://...")
    assert err.endswith("; write u@h\n")
    assert not [part for part in ("s3", "cr7", "t9") if part in err], err


def test_no_command_shows_the_help_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _ended(capsys, None)
    assert (code, out) == (2, "")
    assert err.startswith("Usage: server-a ")


def test_an_interruption_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    code, _out, err = _ended(capsys, KeyboardInterrupt(), "go")
    assert (code, err.strip()) == (130, "server-a: interrupted")
