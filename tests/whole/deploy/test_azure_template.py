"""deploy/azure: read by a parser and held against what the management libraries know. It was never deployed by us."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from tests.stage.azure_models import MODELS, Shape, api_version
from tests.stage.azure_templates import ASSIGNMENTS, AZURE, ROOT, parsed

FILES = sorted((AZURE / "infra").glob("*.bicep"))
# Every resource has these, or Bicep gives them a meaning of its own.
_OF_BICEP = {"parent", "scope", "dependsOn", "name", "location", "tags"}
# Properties of a preview that the installed library does not have yet: by type, the version with them and their path.
# Held against https://learn.microsoft.com/azure/redis/configure-access-permissions instead, read in November 2026.
OF_PREVIEWS = {ASSIGNMENTS: ("2026-05-01-preview", "properties.accessString")}
# Types whose libraries would be heavy for what little the template says of them.
UNCHECKED = {
    "Microsoft.Resources/resourceGroups": set(),
    "Microsoft.ManagedIdentity/userAssignedIdentities": set(),
    "Microsoft.Authorization/roleAssignments": {"properties"},
}


def resources() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the name, the type with its version, and the body of each resource that the template makes."""
    for path in FILES:
        for name, resource in parsed(path).get("resources", {}).items():
            if not resource["existing"]:
                yield name, f"{resource['type']}@{resource['api_version']}", resource["config"]


def objections(where: str, value: Any, shape: Shape) -> Iterator[str]:
    """Yield what a value says that its model does not know."""
    match value:
        case {"operator": {"type": "conditional", "operands": {"true_value": first, "false_value": second}}}:
            yield from objections(where, first, shape)
            yield from objections(where, second, shape)
        case {"operator": _} | {"function": _}:
            return
        case dict() if shape.properties is not None:
            for name, inner in value.items():
                if name not in shape.properties:
                    yield f"{where} has no property {name}"
                else:
                    yield from objections(f"{where}.{name}", inner, shape.properties[name])
        case list():
            for inner in value:
                yield from objections(where, inner, shape)
        case str() if shape.values is not None and re.fullmatch(r"[A-Z]\w*", value) and value not in shape.values:
            yield f"{where} can't be {value}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_syntax(path: Path) -> None:
    assert parsed(path)["parameters"]


@pytest.mark.parametrize(("name", "type_text", "body"), list(resources()))
def test_properties_are_those_of_the_management_libraries(name: str, type_text: str, body: dict[str, Any]) -> None:
    resource_type, _, version = type_text.partition("@")
    if resource_type in UNCHECKED:
        assert set(body) - _OF_BICEP <= UNCHECKED[resource_type]
        return
    shape = Shape.of_resource(resource_type)
    own = {key: value for key, value in body.items() if key not in _OF_BICEP}
    preview, path = OF_PREVIEWS.get(resource_type, ("", ""))
    if version != preview:
        assert version == api_version(resource_type)
        assert not list(objections(name, own, shape))
        return
    folder, _, added = path.rpartition(".")
    assert list(objections(name, own, shape)) == [f"{name}.{folder} has no property {added}"]


@pytest.mark.parametrize(("resource_type", "preview"), OF_PREVIEWS.items())
def test_a_preview_is_marked_until_the_library_has_it(resource_type: str, preview: tuple[str, str]) -> None:
    """When this fails, the library has the property: take it out of `OF_PREVIEWS`, and the mark from the pages."""
    version, path = preview
    folder, _, added = path.rpartition(".")
    shape = Shape.of_resource(resource_type).properties
    assert shape
    inner = shape[folder].properties
    assert inner
    assert added not in inner
    assert version > api_version(resource_type)
    assert "management library does not have" in (AZURE / "README.md").read_text("utf-8")


def test_the_check_finds_what_is_wrong() -> None:
    redis = Shape.of_resource("Microsoft.Cache/redisEnterprise/databases")
    wrong = {"properties": {"evictionPolicy": "NeverEvict", "accessKeys": "Disabled"}}
    assert list(objections("database", wrong, redis)) == [
        "database.properties.evictionPolicy can't be NeverEvict",
        "database.properties has no property accessKeys",
    ]
    app = Shape.of_resource("Microsoft.App/containerApps")
    deep = {"properties": {"template": {"scale": {"rules": [{"custom": {"kind": "cpu"}}], "least": 1}}}}
    assert list(objections("app", deep, app)) == [
        "app.properties.template.scale.rules.custom has no property kind",
        "app.properties.template.scale has no property least",
    ]


def test_every_checked_type_is_used() -> None:
    used = {type_text.partition("@")[0] for _, type_text, _ in resources()}
    assert used == set(MODELS) | set(UNCHECKED)


def test_modules_get_exactly_their_parameters() -> None:
    main = parsed(AZURE / "infra" / "main.bicep")
    assert main["modules"]
    for module in main["modules"].values():
        body = module["config"].get("config", module["config"])  # one with a condition is a level deeper
        given = set(body["params"])
        assert given == set(parsed(AZURE / "infra" / module["detail"]["path"])["parameters"])


def test_outputs_that_are_used_exist() -> None:
    text = (AZURE / "infra" / "main.bicep").read_text("utf-8")
    used = set(re.findall(r"\b(\w+)\.outputs\.(\w+)", text))
    assert used
    for module, output in used:
        assert output in parsed(AZURE / "infra" / f"{module}.bicep")["outputs"]


def test_parameters_come_from_azd() -> None:
    main = parsed(AZURE / "infra" / "main.bicep")
    given = json.loads((AZURE / "infra" / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert set(given) == set(main["parameters"])
    page = (AZURE / "README.md").read_text("utf-8")
    for value in given.values():
        variable = re.match(r"\$\{(\w+)", value["value"])
        assert variable
        if variable.group(1).startswith("HANDOVER_"):
            assert f"`{variable.group(1)}`" in page


def test_names_of_limited_length() -> None:
    """A job's and an app's name has 32 characters at most, and `uniqueString` gives 13."""
    programs = parsed(AZURE / "infra" / "programs.bicep")
    for name in ("job", "app", "environment"):
        assert len(programs["resources"][name]["config"]["name"].replace("${suffix}", "x" * 13)) <= 32


def test_azd_builds_images_that_exist() -> None:
    text = (AZURE / "azure.yaml").read_text("utf-8")
    project = re.findall(r"project: (\S+)", text)
    assert len(project) == 2
    for folder, dockerfile in zip(project, re.findall(r"path: (\S+/Dockerfile)", text), strict=True):
        assert (AZURE / folder / dockerfile).resolve() == ROOT / dockerfile
    services = set(re.findall(r"^  (server-[ab]):$", text, re.MULTILINE))
    tags = re.findall(r"'azd-service-name': '([\w-]+)'", (AZURE / "infra" / "programs.bicep").read_text("utf-8"))
    assert services == set(tags)


def test_the_images_run_without_arguments_which_the_one_before_the_first_deployment_would_not_know() -> None:
    programs = parsed(AZURE / "infra" / "programs.bicep")["resources"]
    for name, folder in (("job", "server_a"), ("app", "server_b")):
        containers = programs[name]["config"]["properties"]["template"]["containers"]
        assert [set(container) & {"args", "command"} for container in containers] == [set()]
        assert (ROOT / folder / "Dockerfile").read_text("utf-8").rstrip().endswith('CMD ["run"]')


def test_the_live_page_is_off_and_gets_the_name_that_it_is_visited_by() -> None:
    parameters = json.loads((AZURE / "infra" / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert parameters["page"]["value"] == "${HANDOVER_PAGE=false}"
    assert "module livePage 'page.bicep' = if (page)" in (AZURE / "infra" / "main.bicep").read_text("utf-8")
    page = parsed(AZURE / "infra" / "page.bicep")["resources"]["page"]["config"]
    (container,) = page["properties"]["template"]["containers"]
    assert container["args"] == ["page", "--listen", "0.0.0.0:8080"]
    assert page["properties"]["configuration"]["ingress"]["targetPort"] == 8080
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["SERVER_B_ALLOW_HOST"] == f"{page['name']}.${{environmentDomain}}"
    assert "EXTRAS=azure-page" in (AZURE / "azure.yaml").read_text("utf-8")


def test_kedas_scaler_gets_what_its_documentation_asks_for() -> None:
    """https://keda.sh/docs/2.20/scalers/redis-streams/, which wants activationLagCount where lagCount is given."""
    scaler = parsed(AZURE / "infra" / "programs.bicep")["variables"]["lagRule"]["value"]["custom"]
    assert scaler["type"] == "redis-streams"
    assert scaler["metadata"] == {
        "address": "redisAddress", "enableTLS": "true", "stream": Keyspace().signals(),
        "consumerGroup": CONSUMER_GROUP, "lagCount": "1", "activationLagCount": "0",
    }  # fmt: skip
    assert scaler["auth"] == [{"secretRef": "redis-key", "triggerParameter": "password"}]


def test_page_and_project_ask_for_the_same_azd() -> None:
    wanted = re.search(r'azd: ">= ([\d.]+)"', (AZURE / "azure.yaml").read_text("utf-8"))
    assert wanted
    assert f" {wanted[1]} or newer" in (AZURE / "README.md").read_text("utf-8")


def test_page_says_that_it_was_not_run() -> None:
    assert "was never deployed" in (AZURE / "README.md").read_text("utf-8")
