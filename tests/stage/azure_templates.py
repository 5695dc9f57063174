"""The Bicep files of deploy/azure, read by a parser."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from pycep import BicepParser

ROOT = Path(__file__).parents[2]
AZURE = ROOT / "deploy" / "azure"
ASSIGNMENTS = "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments"


def parsed(path: Path) -> dict[str, Any]:
    """Return what a parser makes of a Bicep file."""
    return cast("dict[str, Any]", BicepParser().parse(text=path.read_text("utf-8")))
