"""What the Azure management libraries know of resource types: which properties there are, and which values they take.

Two generations of generated models are read, by what they carry for their own serialization: `_attribute_map` of the
older, the annotated fields of the newer.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

# Resource type, library, model.
MODELS = {
    "Microsoft.App/containerApps": ("appcontainers", "ContainerApp"),
    "Microsoft.App/jobs": ("appcontainers", "Job"),
    "Microsoft.App/managedEnvironments": ("appcontainers", "ManagedEnvironment"),
    "Microsoft.Cache/redisEnterprise": ("redisenterprise", "Cluster"),
    "Microsoft.Cache/redisEnterprise/databases": ("redisenterprise", "Database"),
    "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments": ("redisenterprise", "AccessPolicyAssignment"),
    "Microsoft.ContainerRegistry/registries": ("containerregistry", "Registry"),
    "Microsoft.OperationalInsights/workspaces": ("loganalytics", "Workspace"),
}
_MODEL_NAME = re.compile(r"_models\.(\w+)|^[\[{]?([A-Z]\w+)[\]}]?$")


@dataclass(frozen=True)
class Shape:
    """What is known of a value.

    Attributes:
        properties: Of an object with known ones, by name; None for anything else.
        values: That a text may have; None when any.
    """

    properties: Mapping[str, Shape] | None = None
    values: frozenset[str] | None = None

    @classmethod
    def of_resource(cls, resource_type: str) -> Self:
        """Return the shape of a resource."""
        library, model = MODELS[resource_type]
        return cls._of_model(importlib.import_module(f"azure.mgmt.{library}.models"), model)

    @classmethod
    def _of_model(cls, models: Any, name: str, seen: tuple[str, ...] = ()) -> Self:
        model = getattr(models, name, None)
        if model is None or name in seen:
            return cls()
        if issubclass(model, Enum):
            return cls(values=frozenset(member.value for member in model))
        tree: dict[str, Any] = {}
        for path, type_text in _fields(model):
            is_map = "dict[" in type_text or type_text.startswith("{")
            inner = [] if is_map else [first or second for first, second in _MODEL_NAME.findall(type_text)]
            shape = cls._of_model(models, inner[0], (*seen, name)) if len(inner) == 1 else cls()
            if type_text == "str":  # the older generation does not say which enumeration; by convention its name does
                shape = cls._of_enumeration(models, path[-1])
            node = tree
            for part in path[:-1]:
                node = node.setdefault(part, {})
            node[path[-1]] = shape
        return cls(properties=_shapes(tree, cls))

    @classmethod
    def _of_enumeration(cls, models: Any, property_name: str) -> Self:
        found = getattr(models, property_name[0].upper() + property_name[1:], None)
        if inspect.isclass(found) and issubclass(found, Enum):
            return cls(values=frozenset(member.value for member in found))
        return cls()


def api_version(resource_type: str) -> str:
    """Return the version of the interface that a library's models are of."""
    library = MODELS[resource_type][0]
    source = inspect.getsource(importlib.import_module(f"azure.mgmt.{library}._configuration"))
    found = re.search(r'"api_version", "([^"]+)"', source)
    assert found
    return found.group(1)


def _fields(model: Any) -> list[tuple[list[str], str]]:
    """Return the path of each property in JSON, and its type as text."""
    if hasattr(model, "_attribute_map"):
        return [(field["key"].split("."), field["type"]) for field in model._attribute_map.values()]
    annotations: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        annotations |= getattr(base, "__annotations__", {})
    model()  # the names in JSON are worked out when the first one is made
    return [([name._rest_name], str(annotations[attribute])) for attribute, name in model._attr_to_rest_field.items()]


def _shapes(tree: Mapping[str, Any], shape: type[Shape]) -> dict[str, Shape]:
    return {
        name: node if isinstance(node, Shape) else shape(properties=_shapes(node, shape)) for name, node in tree.items()
    }
