"""An authority for each test that needs certificates, and the options that make the programs trust it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stage.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority of the test's own."""
    return Authority(tmp_path)


@pytest.fixture
def trust(authority: Authority) -> tuple[str, str]:
    """The option by which the programs trust it."""
    return "--tls-ca", str(authority.file)
