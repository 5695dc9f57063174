"""deploy/azure: both programs with all rights, or with the rules of deploy/acl. It was never deployed by us."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.stage.azure_templates import ASSIGNMENTS, AZURE, ROOT, parsed
from tests.stage.raw import call
from tests.stage.servers import NewServer

RULES = ROOT / "deploy" / "acl"


@pytest.mark.redis_server
@pytest.mark.parametrize("policy", ["OSSCluster", "EnterpriseCluster", "NoCluster"])
@pytest.mark.parametrize("user", ["server-a", "server-b"])
def test_the_access_strings_are_the_rules_of_deploy_acl(user: str, policy: str, new_server: NewServer) -> None:
    """What Bicep makes of the files at compile time, worked out here as its functions are documented, fits a server."""
    path = AZURE / "infra" / "least-rights.bicep"
    variable = f"rulesOf{user[-1].upper()}"
    trimmed = parsed(path)["variables"][variable]["value"]["function"]
    replaced = trimmed["parameters"]["string_to_trim"]["function"]
    loaded = replaced["parameters"]["original_string"]["function"]
    assert [each["type"] for each in (trimmed, replaced, loaded)] == ["trim", "replace", "load_text_content"]
    file = (path.parent / loaded["parameters"]["file_path"]).resolve()
    assert file == RULES / f"{user}.acl"
    removed = replaced["parameters"]["old_string"]
    assert file.read_text().count(removed) == 1
    rules = file.read_text().replace(removed, replaced["parameters"]["new_string"]).strip()
    assert not set(rules.split()) & {"user", "reset", "on"}
    assert ">" not in rules
    body = parsed(path)["resources"][f"server{user[-1].upper()}Uses"]["config"]["properties"]
    assert body["accessString"] == f"${{{variable}}}${{addition}}"
    addition = re.search(r"addition = clusteringPolicy == '(\w+)' \? '([^']*)' : ''", path.read_text("utf-8"))
    assert addition
    rules += addition[2] if addition[1] == policy else ""
    server = new_server("redis7")
    call(server, "ACL", "SETUSER", user, *rules.split())
    allowed = call(server, "ACL", "DRYRUN", user, "CLUSTER", "SLOTS")
    assert (allowed == b"OK") == (policy == "OSSCluster")
    assert call(server, "ACL", "DRYRUN", user, "FLUSHALL") != b"OK"
    assert call(server, "ACL", "DRYRUN", user, "TIME") == b"OK"


def test_one_of_two_modules_gives_access() -> None:
    """The service allows one assignment for each identity and database."""
    modules = parsed(AZURE / "infra" / "main.bicep")["modules"]
    text = (AZURE / "infra" / "main.bicep").read_text("utf-8")
    with_access = {
        name
        for name, module in modules.items()
        if ASSIGNMENTS in (AZURE / "infra" / module["detail"]["path"]).read_text("utf-8")
    }
    assert with_access == {"allRights", "onlyLeastRights"}
    conditions = re.findall(r"^module (\w+) '[\w.-]+' = if \((!?)leastRights\)", text, re.MULTILINE)
    assert dict(conditions) == {"allRights": "!", "onlyLeastRights": ""}
    assert set(modules["programs"]["config"]["dependsOn"]) == with_access
    # a file that names a resource twice is refused, so each assignment stands in a file of its own
    for module in ("all-rights", "least-rights"):
        names = [body["name"] for body in _assignments(AZURE / "infra" / f"{module}.bicep")]
        assert names == ["servera", "serverb"]


def _assignments(path: Path) -> list[dict[str, Any]]:
    return [each["config"] for each in parsed(path)["resources"].values() if each["type"] == ASSIGNMENTS]
