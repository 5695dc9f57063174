"""What every container of ours is denied, as the engine tells from outside, running or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.stage.engine import USERS

# What the one-shots need to give files to their readers. They are root, have no network, and end.
_ONE_SHOTS = {"passwords": {"CHOWN", "DAC_OVERRIDE", "FOWNER"}, "certificates": {"CHOWN", "DAC_OVERRIDE"}}
_USERS = {
    **{program: f"{user}:{user}" for program, user in USERS.items()},
    "passwords": "root",
    "page": f"{USERS['server-b']}:{USERS['server-b']}",
    "gate": f"{USERS['server-a']}:{USERS['server-a']}",
    "certificates": "",
}

Containers = Mapping[str, Sequence[Mapping[str, Any]]]


def check_confined(containers: Containers) -> None:
    """Check user, file system, capabilities, privileges and limits of each, by service."""
    for service, several in containers.items():
        for container in several:
            host = container["HostConfig"]
            assert container["Config"]["User"] == _USERS.get(service, "redis"), service
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"], service
            added = {name.removeprefix("CAP_") for name in host["CapAdd"] or ()}
            assert added == _ONE_SHOTS.get(service, set()), service
            assert host["SecurityOpt"] == ["no-new-privileges:true"], service
            assert host["Memory"] > 0, service
            assert host["PidsLimit"] > 0, service
            assert host.get("Init") or service == "certificates", service
            assert not host["Privileged"], service
            published = [each["HostIp"] for several in (host["PortBindings"] or {}).values() for each in several]
            assert published == (["127.0.0.1"] if service == "page" else []), service
            assert service not in _ONE_SHOTS or host["NetworkMode"] == "none", service


def networks_of(containers: Containers, service: str) -> set[str]:
    """Return the names of the networks that a service's containers are in, without the project's name."""
    return {
        name.rpartition("_")[2]
        for container in containers[service]
        for name in container["NetworkSettings"]["Networks"]
    }
