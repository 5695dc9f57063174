"""The command lines of the design: commands, options, arguments, variables, defaults, help and version.

`check` has tests of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points, version
from pathlib import Path

import click
import pytest

from demo.processes import program_environment
from demo.servers import Server
from server_a.run import settings as producer_defaults
from tests.stage.command_tree import GROUPS, commands, options_of
from tests.stage.programs import Name, run_program
from tests.stage.servers import NewServer, connect

COMMON_OPTIONS = (
    "--url --password-file --sentinel-password-file --auth --tls-ca --tls-cert --tls-key --tls-insecure --namespace "
    "--log-level --log-format --quiet"
)

# arguments, then options, as in the design
COMMAND_LINES: dict[tuple[Name, str], tuple[str, str]] = {
    ("server-a", "run"): (
        "",
        """--count --values --segment-values --writers --resume --repair --users --skus --carts --seed --overwrite
        --min-replicas --patience-s --await-verdict-s --retain-days --every --json""",
    ),
    ("server-a", "user add"): ("ID", "--first-name --last-name"),
    ("server-a", "user show"): ("ID", ""),
    ("server-a", "user list"): ("", ""),
    ("server-a", "user remove"): ("ID", ""),
    ("server-a", "sku add"): ("ID", "--name --price"),
    ("server-a", "sku show"): ("ID", ""),
    ("server-a", "sku list"): ("", ""),
    ("server-a", "sku remove"): ("ID", ""),
    ("server-a", "cart add"): ("USER SKU", "--quantity"),
    ("server-a", "cart remove"): ("USER SKU", "--quantity"),
    ("server-a", "cart show"): ("USER", ""),
    ("server-a", "status"): ("", "--json --watch"),
    ("server-a", "purge"): ("", "--dry-run --shop --yes"),
    ("server-b", "run"): (
        "",
        """--once --run --wait-s --consumer --claim-idle-ms --max-deliveries --settle-s --print-values
        --heartbeat-file --json""",
    ),
    ("server-b", "read"): ("", "--limit"),
    ("server-b", "explain"): ("RUN_ID", "--values --json"),
    ("server-b", "page"): ("", "--listen --allow-host --peer-url --peer-password-file --peer-tls-ca"),
    ("server-b", "report"): ("[RUN_ID]", "--html --json"),
    ("server-b", "status"): ("", "--json --watch"),
    # --json of `dead list` is more than the design has
    ("server-b", "dead list"): ("", "--json"),
    ("server-b", "dead retry"): ("[ORIGIN]...", ""),
    ("server-b", "dead drop"): ("[ORIGIN]...", ""),
}
LINES = list(COMMAND_LINES)


@dataclass(frozen=True)
class Help:
    """What `--help` printed, and which modules were imported for it."""

    text: str
    modules: frozenset[str]


@cache
def help_of(program: Name, words: str) -> Help:
    """Ask a command for its help, as a user does."""
    module = program.replace("-", "_")
    environment = program_environment(os.environ) | {"COLUMNS": "80", "PYTHONPROFILEIMPORTTIME": "1"}
    asked = subprocess.run(
        [sys.executable, "-m", module, *words.split(), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )
    imported = [line.rpartition("|")[2].strip() for line in asked.stderr.splitlines()]
    return Help(asked.stdout, frozenset(imported))


def test_the_commands_are_the_designs() -> None:
    assert {line for line in commands() if line[1] != "check"} == set(COMMAND_LINES)


@pytest.mark.parametrize("line", LINES, ids=" ".join)
class TestEveryCommand:
    def test_has_exactly_the_options_of_the_design(self, line: tuple[Name, str]) -> None:
        expected = {*COMMON_OPTIONS.split(), *COMMAND_LINES[line][1].split()}
        assert set(options_of(commands()[line])) == expected

    def test_shows_its_options_and_arguments(self, line: tuple[Name, str]) -> None:
        program, words = line
        arguments, options = COMMAND_LINES[line]
        shown = help_of(program, words).text
        usage = re.sub(r"\s+", " ", shown.partition("\n\n")[0])
        assert usage == f"Usage: {program} {words} [OPTIONS] {arguments}".strip()
        for name in [*options.split(), *COMMON_OPTIONS.split(), "--help"]:
            assert re.search(rf"^  (-\w, )?{name}\b", shown, re.MULTILINE), name

    def test_shows_the_variable_of_every_option(self, line: tuple[Name, str]) -> None:
        shown = re.sub(r"\s+", " ", help_of(*line).text)
        for name in options_of(commands()[line]):
            prefix = line[0].replace("-", "_").upper()
            own = f"{prefix}_REDIS_URL, REDIS_URL" if name == "--url" else prefix + name[1:].replace("-", "_").upper()
            assert f"[env var: {own}" in shown, name

    def test_has_an_example_that_can_be_copied(self, line: tuple[Name, str]) -> None:
        program, words = line
        found = re.search(rf"Example:\s+({program} {words}\b.*)", help_of(program, words).text)
        assert found, "no example on one line"
        example = shlex.split(found[1])[len(words.split()) + 1 :]
        context = commands()[line].make_context(words, example)
        assert context.params

    def test_helps_without_redis_and_structlog(self, line: tuple[Name, str]) -> None:
        modules = help_of(*line).modules
        assert "click" in modules
        assert not modules & {"redis", "hiredis", "structlog", "asyncio"}


@pytest.mark.parametrize("line", [("server-a", ""), ("server-a", "cart"), ("server-b", ""), ("server-b", "dead")])
def test_groups_show_their_commands(line: tuple[Name, str]) -> None:
    program, words = line
    shown = help_of(program, words)
    own = [other.removeprefix(words).split()[0] for of, other in LINES if of == program and other.startswith(words)]
    for name in own:
        assert re.search(rf"^  {name} ", shown.text, re.MULTILINE), name
    assert "..." not in shown.text.partition("Commands:")[2], "a sentence is cut"
    assert not shown.modules & {"redis", "hiredis", "structlog"}


@pytest.mark.parametrize("words", ["", "run", "status", "cart", "cart add"])
def test_h_is_help(words: str) -> None:
    asked = run_program("server-a", *words.split(), "-h")
    assert (asked.exit_code, asked.stdout) == (0, help_of("server-a", words).text)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("--url redis://u:s3cr7t9@h run", "server-a run --url …"),
        ("--count 5 --url redis://h run --json", "server-a run --count …"),
        ("--url redis://h user add 1", "server-a user add --url …"),
        ("user --url redis://h add 1", "server-a user add --url …"),
    ],
)
def test_an_option_before_its_command_is_told_where_it_stands(line: str, advice: str) -> None:
    asked = run_program("server-a", *line.split())
    assert (asked.exit_code, asked.stdout, asked.stderr.count("\n")) == (2, "", 1)
    assert f"Options stand after the command: {advice}" in asked.stderr
    assert "s3cr7t9" not in asked.stderr


@pytest.mark.parametrize("line", ["--no-such run", "--count 5", "--count 5 status"])
def test_an_option_of_no_such_command_is_not_known(line: str) -> None:
    asked = run_program("server-a", *line.split())
    assert asked.exit_code == 2
    assert "No such option" in asked.stderr


@pytest.mark.parametrize("program", GROUPS)
def test_version(program: Name) -> None:
    asked = run_program(program, "--version")
    assert (asked.exit_code, asked.stdout, asked.stderr) == (0, f"{program} {version('redis-handover')}\n", "")


@pytest.mark.parametrize("program", GROUPS)
def test_the_programs_are_installed_as_commands(program: Name) -> None:
    (script,) = entry_points(group="console_scripts", name=program)
    assert script.value == f"{program.replace('-', '_')}.__main__:main"


@pytest.fixture
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(program_environment(os.environ)):
        monkeypatch.delenv(name)


DEFAULTS: dict[tuple[Name, str], dict[str, object]] = {
    ("server-b", "run"): {
        "is_once": False,
        "run_id": "",
        "wait_s": None,
        "claim_idle_ms": 30_000,
        "max_deliveries": 5,
        "settle_s": 60,
        "print_values": 10,
        "heartbeat_file": None,
        "as_json": False,
    },
    ("server-b", "read"): {"limit": None},
    ("server-a", "run"): {
        "patience_s": 60,
        "await_verdict_s": 0,
        "min_replicas": 0,
        "overwrite": False,
        "repair": False,
        "values": None,
        "as_json": False,
    },
}


@pytest.mark.usefixtures("_no_variables")
@pytest.mark.parametrize("line", DEFAULTS, ids=" ".join)
def test_defaults(line: tuple[Name, str]) -> None:
    params = commands()[line].make_context(line[1], []).params
    assert {name: params[name] for name in DEFAULTS[line]} == DEFAULTS[line]
    assert str(params["url"]) == "redis://localhost:6379/0"
    assert params["namespace"] == ""


SECTIONS: dict[tuple[Name, str], dict[str, str]] = {
    ("server-a", "run"): {"What": "--count --values", "How": "--segment-values", "Connection": "--url --password-file"},
    ("server-b", "run"): {"What": "--once --run --wait-s", "How": "--consumer", "Connection": "--url"},
    ("server-a", "status"): {"What": "--watch", "How": "--json --quiet --log-level", "Connection": "--url"},
    ("server-a", "check"): {"What": "--count", "How": "--json --quiet", "Connection": "--url"},
    ("server-b", "page"): {"What": "--listen", "How": "--quiet --log-level", "Connection": "--url"},
    ("server-a", "user list"): {"How": "--quiet --log-level --log-format --help", "Connection": "--url"},
}


@pytest.mark.parametrize("line", SECTIONS, ids=" ".join)
def test_help_has_sections_with_what_people_want_first(line: tuple[Name, str]) -> None:
    found = re.split(r"^(What|How|Connection):$", help_of(*line).text, flags=re.MULTILINE)[1:]
    sections = dict(zip(found[::2], found[1::2], strict=True))
    assert list(sections) == list(SECTIONS[line])
    for title, first in SECTIONS[line].items():
        names = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", sections[title], re.MULTILINE)
        assert names[: len(first.split())] == first.split()


@pytest.mark.usefixtures("_no_variables")
def test_the_default_quantity_is_1() -> None:
    for words in ("cart add", "cart remove"):
        params = commands()["server-a", words].make_context(words, ["1", "sku123"]).params
        assert params["quantity"] == "1"


@pytest.mark.parametrize(("option", "number"), [("--users", "-1"), ("--skus", "100000001"), ("--carts", "-1")])
def test_a_shop_has_up_to_100_million_records_of_a_kind(option: str, number: str) -> None:
    with pytest.raises(click.BadParameter, match="from 0 to 100000000"):
        commands()["server-a", "run"].make_context("run", [option, number])


@pytest.mark.parametrize(
    ("option", "default"),
    [
        ("--count", "10000"),
        ("--segment-values", "1000000"),
        ("--writers", "auto"),
        ("--users", "1"),
        ("--skus", "2"),
        ("--carts", "1"),
        ("--seed", "1"),
        ("--patience-s", "60"),
        ("--retain-days", "7"),
    ],
)
def test_the_producers_defaults_are_shown(option: str, default: str) -> None:
    shown = re.sub(r"\s+", " ", help_of("server-a", "run").text)
    entry = shown.partition(" What:")[2].partition(f" {option} ")[2].partition(" --")[0]
    assert re.search(rf"default: {default}\b", entry)


def test_a_run_without_options_is_the_designs(valkey9: Server, namespace: str) -> None:
    summary = run_program("server-a", "run", "--json", server=valkey9, namespace=namespace).json()
    with connect(valkey9) as client:
        record = client.hgetall(f"{namespace}:run:{summary['run_id']}")
        ttl_s = client.ttl(f"{namespace}:run:{summary['run_id']}")
    kept = {name: int(record[name.encode()]) for name in ("count", "segment_values", "users", "skus", "carts", "seed")}
    assert kept == {"count": 10_000, "segment_values": 1_000_000, "users": 1, "skus": 2, "carts": 1, "seed": 1}
    assert int(record[b"retain_ms"]) == 7 * producer_defaults.DAY_MS
    assert isinstance(ttl_s, int)
    assert 7 * 86_400 - 60 <= ttl_s <= 7 * 86_400


def test_options_beat_variables_and_variables_beat_defaults(valkey9: Server, namespace: str) -> None:
    variables = {
        "SERVER_A_COUNT": "7",
        "SERVER_A_SEGMENT_VALUES": "3",
        "SERVER_A_USERS": "2",
        "SERVER_A_JSON": "1",
        "SERVER_B_SKUS": "9",
    }
    run = run_program("server-a", "run", "--count", "8", server=valkey9, namespace=namespace, env=variables).json()
    assert (run["count"], run["segments"], run["users"], run["skus"]) == (8, 3, 2, 2)


@pytest.mark.parametrize("count", ["2_000", "2,000", "2e3", "2k"])
def test_counts_are_spelled_as_people_do(valkey9: Server, namespace: str, count: str) -> None:
    options = {"server": valkey9, "namespace": namespace}
    assert run_program("server-a", "run", "--count", count, "--json", **options).json()["count"] == 2_000  # type: ignore[arg-type]
    variables = {"SERVER_A_COUNT": count, "SERVER_A_JSON": "1"}
    assert run_program("server-a", "run", env=variables, **options).json()["count"] == 2_000  # type: ignore[arg-type]
    assert run_program("server-b", "read", "--limit", count, **options).stdout.count("\n") == 2_000  # type: ignore[arg-type]
    added = run_program("server-a", "cart", "add", "1", "sku123", "--quantity", count, **options)  # type: ignore[arg-type]
    assert "Added 2,000 " in added.stdout


def test_variables_of_server_b(valkey9: Server, namespace: str) -> None:
    run_program("server-a", "run", "--count", "20", server=valkey9, namespace=namespace)
    variables = {"SERVER_B_ONCE": "1", "SERVER_B_WAIT_S": "30", "SERVER_B_CONSUMER": "B's name", "SERVER_B_JSON": "1"}
    report = run_program("server-b", "run", server=valkey9, namespace=namespace, env=variables).json()
    assert (report["consumer"], report["count"]) == ("B's name", 20)


def test_a_variable_that_does_not_fit_is_named() -> None:
    # a URL where nobody answers, for the day on which the variable is taken
    asked = run_program("server-a", "run", env={"SERVER_A_COUNT": "1e3x", "REDIS_URL": "redis://127.0.0.1:1/0"})
    assert asked.exit_code == 2
    assert "--count" in asked.stderr or "SERVER_A_COUNT" in asked.stderr


def test_the_default_consumer_is_host_and_process(valkey9: Server, namespace: str) -> None:
    ended = run_program("server-b", "run", "--once", "--wait-s", "0", server=valkey9, namespace=namespace)
    (consumer,) = re.findall(r'"consumer": "([^"]*)"', ended.stderr)
    assert re.fullmatch(re.escape(socket.gethostname()) + r"-[0-9]+-[0-9a-f]{4}", consumer)


@pytest.fixture
def closed_urls() -> Iterator[list[str]]:
    """Three URLs that nobody answers at, and nobody else can take meanwhile."""
    sockets = [socket.socket() for _ in range(3)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    yield [f"redis://127.0.0.1:{each.getsockname()[1]}/0" for each in sockets]
    for each in sockets:
        each.close()


def test_the_url_of_an_option_beats_our_variable_and_that_beats_redis_url(closed_urls: list[str]) -> None:
    option, own, everyones = closed_urls
    variables = {"REDIS_URL": everyones, "SERVER_A_REDIS_URL": "redis://server-a.invalid"}
    assert everyones in run_program("server-b", "read", env=variables).stderr
    assert own in run_program("server-b", "read", server=own, env=variables).stderr
    assert option in run_program("server-b", "read", "--url", option, server=own, env=variables).stderr


def test_a_password_file_beats_the_variable_and_that_beats_the_url(new_server: NewServer, tmp_path: Path) -> None:
    port = new_server("valkey9", "--requirepass", "right").port
    right_file, wrong_file = tmp_path / "right", tmp_path / "wrong"
    right_file.write_text("right\nsecond line\n")
    wrong_file.write_text("wrong\n")

    def exit_code(in_url: str, **variables: str) -> int:
        env = {f"SERVER_A_{name}": value for name, value in variables.items()}
        return run_program("server-a", "user", "list", server=f"redis://:{in_url}@127.0.0.1:{port}", env=env).exit_code

    assert exit_code("wrong", PASSWORD="right") == 0
    assert exit_code("right", PASSWORD="wrong") == 77
    assert exit_code("wrong", PASSWORD="wrong", PASSWORD_FILE=str(right_file)) == 0
    assert exit_code("right", PASSWORD="right", PASSWORD_FILE=str(wrong_file)) == 77


def test_a_password_stands_in_no_option() -> None:
    for line, command in commands().items():
        assert "--password" not in options_of(command), line


def test_json_options_are_flags() -> None:
    found = [options_of(command).get("--json") for command in commands().values()]
    options = [option for option in found if option is not None]
    assert len(options) == sum("--json" in own_options for _, own_options in COMMAND_LINES.values()) + 2  # and check's
    assert all(option.is_flag for option in options)
