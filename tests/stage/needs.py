"""What a test needs besides Python packages. A marker says it; without it the test is skipped, but fails on CI.

A folder for each need was rejected: a test stands beside the others about the same part of the product.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from demo.servers import ServerStartError
from tests.stage.engine import docker
from tests.stage.network import Network


def missing(reason: str) -> NoReturn:
    """Skip the test on a laptop; fail it on CI, where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def redis_7(found: str | None) -> Path:
    """Return the redis-server found, once it has shown that it is Redis 7 and built with TLS.

    Raises:
        ServerStartError: It is not, or there is none.
    """
    if found is None:
        raise ServerStartError("no redis-server in PATH")
    version = _said_by(found, "--version")
    if not re.search(r"\bv=7\.", version):
        raise ServerStartError(f"{found} is not Redis 7, it says: {version.strip()}")
    # It reads a configuration up to the first directive that it does not know, and names that one.
    if "nonsense" not in _said_by(found, "-", stdin="tls-port 0\nnonsense 1\n"):
        raise ServerStartError(f"{found} is built without TLS")
    return Path(found)


def _said_by(program: str, argument: str, *, stdin: str = "") -> str:
    ended = subprocess.run(
        [program, argument], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return ended.stdout


def _why_no_redis_7() -> str:
    try:
        redis_7(shutil.which("redis-server"))
    except ServerStartError as error:
        return str(error)
    return ""


@cache
def _why_no_engine() -> str:
    if not shutil.which("docker"):
        return "docker is not installed"
    if docker("info", ok=False).returncode:
        return "no container engine answers `docker info`"
    if docker("compose", "version", ok=False).returncode:
        return "`docker compose` is not installed"
    return ""


@cache
def _why_no_hosts() -> str:
    try:
        network = Network()
        try:
            network.add_host(1).drop_nothing()
        finally:
            network.close()
    except OSError as error:
        return f"no hosts can be made here, which takes Linux, root, iproute2 and iptables: {error}"
    return ""


# The reason why what a marker stands for is missing; empty if it is there.
_REASONS: dict[str, Callable[[], str]] = {
    "chromium": lambda: "" if shutil.which("chromium") else "chromium is not in PATH",
    "docker": _why_no_engine,
    "redis_server": _why_no_redis_7,
    "root": _why_no_hosts,
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that a fixture runs once for each kind of server; all other markers stand at the tests."""
    for item in items:
        if isinstance(item, pytest.Function) and _takes_redis_7(item):
            item.add_marker(pytest.mark.redis_server)


def _takes_redis_7(item: pytest.Function) -> bool:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return "redis7" in {parameters.get("server_kind"), parameters.get("stage_kind")}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test that needs what is missing, before any of its fixtures is made."""
    for name, reason_of in _REASONS.items():
        if item.get_closest_marker(name) and (reason := reason_of()):
            missing(reason)
