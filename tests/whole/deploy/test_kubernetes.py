"""deploy/kubernetes by the schemas of Kubernetes, deploy/keda by the names in KEDA's documentation; no cluster ran."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import kubernetes_validate
import pytest
import yaml

from server_b.lease import touch_heartbeat
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from tests.stage.command_tree import commands, options_of
from tests.stage.programs import Name

ROOT = Path(__file__).parents[3]
KUBERNETES, KEDA = ROOT / "deploy" / "kubernetes", ROOT / "deploy" / "keda"
MANIFESTS = sorted(KUBERNETES.glob("*.yaml"))
SCALED = sorted(KEDA.glob("scale-on-*.yaml"))
OLDEST = "1.30"
IDS: dict[Name, int] = {"server-a": 10001, "server-b": 10002}

# KEDA's custom resources come without a schema here, so only their names are held.
# https://keda.sh/docs/2.20/reference/scaledobject-spec/
OF_SCALED_OBJECT = {
    "scaleTargetRef", "pollingInterval", "cooldownPeriod", "initialCooldownPeriod", "idleReplicaCount",
    "minReplicaCount", "maxReplicaCount", "fallback", "advanced", "triggers",
}  # fmt: skip
OF_TRIGGER = {"type", "name", "metadata", "authenticationRef", "metricType", "useCachedMetrics"}
# https://keda.sh/docs/2.20/scalers/redis-streams/
OF_REDIS_STREAMS = {
    "address", "host", "port", "usernameFromEnv", "passwordFromEnv", "stream", "consumerGroup", "pendingEntriesCount",
    "streamLength", "lagCount", "activationLagCount", "enableTLS", "unsafeSsl", "databaseIndex",
}  # fmt: skip
PARAMETERS = {"username", "password", "tls", "ca", "cert", "key", "keyPassword"}


def read(path: Path) -> dict[str, Any]:
    """Return a manifest."""
    return cast("dict[str, Any]", yaml.safe_load(path.read_text("utf-8")))


def container(path: Path) -> dict[str, Any]:
    """Return the only container of a manifest."""
    (only,) = read(path)["spec"]["template"]["spec"]["containers"]
    return cast("dict[str, Any]", only)


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_fit_the_schemas(path: Path, version: str) -> None:
    """In the strict form, which knows no other property than those of the schema."""
    kubernetes_validate.validate(read(path), version, strict=True)


def test_the_schemas_find_what_is_wrong() -> None:
    for wrong in ({"runAsNotRoot": True}, {"runAsUser": "10002"}):
        manifest = read(KUBERNETES / "server-b.yaml")
        manifest["spec"]["template"]["spec"]["securityContext"] |= wrong
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(manifest, OLDEST, strict=True)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_the_pods_may_do_as_little_as_the_restricted_standard_asks(path: Path) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, and a read-only root file system."""
    pod, only = read(path)["spec"]["template"]["spec"], container(path)
    number = IDS[cast("Name", path.stem)]
    assert pod["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": number, "runAsGroup": number, "fsGroup": number,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert f"USER {number}:{number}" in (ROOT / path.stem.replace("-", "_") / "Dockerfile").read_text("utf-8")
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False
    assert {kind for volume in pod["volumes"] for kind in volume} == {"name", "secret", "emptyDir"}
    assert only["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in only["resources"]["limits"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_passwords_come_from_a_secret_that_only_the_program_reads(path: Path) -> None:
    pod, only = read(path)["spec"]["template"]["spec"], container(path)
    (secret,) = [volume for volume in pod["volumes"] if "secret" in volume]
    assert secret["secret"] == {"secretName": f"handover-{path.stem}", "defaultMode": 0o440}
    (mount,) = [mount for mount in only["volumeMounts"] if mount["name"] == secret["name"]]
    assert mount == {"name": "password", "mountPath": "/run/handover", "readOnly": True}
    variables = {each["name"]: each["value"] for each in only["env"]}
    prefix = path.stem.upper().replace("-", "_")
    assert variables[f"{prefix}_PASSWORD_FILE"] == "/run/handover/password"
    assert f"{prefix}_PASSWORD" not in variables
    assert re.fullmatch(rf"rediss?://{path.stem}@[\w.:/]+", variables[f"{prefix}_REDIS_URL"])


@pytest.mark.parametrize("program", IDS)
def test_variables_are_options_of_the_program(program: Name) -> None:
    variables = {
        variable
        for option in options_of(commands()[program, "run"]).values()
        for variable in ([option.envvar] if isinstance(option.envvar, str) else option.envvar or ())
    }
    used = {each["name"] for each in container(KUBERNETES / f"{program}.yaml")["env"]}
    assert used <= variables, used - variables


def test_the_probes_are_the_images_own_health_check() -> None:
    only, dockerfile = container(KUBERNETES / "server-b.yaml"), (ROOT / "server_b" / "Dockerfile").read_text("utf-8")
    written = re.search(r'CMD \["python", "-S", "-c", \\\n\s+"(.+)"\]', dockerfile)
    assert written
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert only[probe]["exec"]["command"] == ["python", "-S", "-c", written[1]]
    (folder,) = re.findall(r"SERVER_B_HEARTBEAT_FILE=(/\w+)/", dockerfile)
    assert folder in {mount["mountPath"] for mount in only["volumeMounts"]}


def test_a_probe_tells_a_fresh_heartbeat_from_an_old_one_and_from_none(tmp_path: Path) -> None:
    command = container(KUBERNETES / "server-b.yaml")["livenessProbe"]["exec"]["command"]
    heartbeat = tmp_path / "heartbeat"

    def probe() -> int:
        environment = {**os.environ, "SERVER_B_HEARTBEAT_FILE": str(heartbeat)}
        return subprocess.run(
            [sys.executable, *command[1:]], env=environment, capture_output=True, check=False
        ).returncode

    assert probe() != 0
    touch_heartbeat(str(heartbeat))
    assert probe() == 0
    os.utime(heartbeat, (0, 0))
    assert probe() != 0


@pytest.mark.parametrize("path", SCALED, ids=lambda path: path.name)
def test_keda_names_are_those_of_its_documentation(path: Path) -> None:
    scaled = read(path)
    assert (scaled["apiVersion"], scaled["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    spec = scaled["spec"]
    assert set(spec) <= OF_SCALED_OBJECT
    deployment = read(KUBERNETES / "server-b.yaml")
    assert (deployment["kind"], spec["scaleTargetRef"]) == ("Deployment", {"name": deployment["metadata"]["name"]})
    assert "replicas" not in deployment["spec"]
    for trigger in spec["triggers"]:
        assert set(trigger) <= OF_TRIGGER
        metadata = trigger["metadata"]
        assert (trigger["type"], set(metadata) - OF_REDIS_STREAMS) == ("redis-streams", set())
        assert all(isinstance(text, str) for text in metadata.values())  # KEDA takes texts alone
        assert (metadata["stream"], metadata["consumerGroup"]) == (Keyspace().signals(), CONSUMER_GROUP)
        # with both, KEDA would use the lag alone
        assert len({"lagCount", "pendingEntriesCount", "streamLength"} & set(metadata)) == 1
        # the page says of it both "required if lagCount is provided" and "Default: 0"
        assert metadata.get("activationLagCount") == ("0" if "lagCount" in metadata else None)
        authentication = read(KEDA / "authentication.yaml")
        assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}


def test_only_who_counts_pending_entries_too_scales_to_none() -> None:
    for path in SCALED:
        spec = read(path)["spec"]
        named = {name for trigger in spec["triggers"] for name in trigger["metadata"]}
        counted = {name for name in named if name.endswith("Count")} - {"activationLagCount"}
        assert (spec["minReplicaCount"] == 0) == (counted == {"lagCount", "pendingEntriesCount"})
        assert spec["minReplicaCount"] < spec["maxReplicaCount"]


def test_keda_logs_in_by_a_secret() -> None:
    """https://keda.sh/docs/2.20/concepts/authentication/."""
    authentication = read(KEDA / "authentication.yaml")
    assert (authentication["apiVersion"], authentication["kind"]) == ("keda.sh/v1alpha1", "TriggerAuthentication")
    (references,) = authentication["spec"].values()
    assert set(authentication["spec"]) == {"secretTargetRef"}
    assert all(set(each) == {"parameter", "name", "key"} for each in references)
    assert {each["parameter"] for each in references} <= PARAMETERS


def test_the_page_on_tls_mixes_no_two_ways() -> None:
    """KEDA's page: the parameters tls, ca and so on of a TriggerAuthentication don't go with enableTLS of a trigger."""
    (row,) = [line for line in (KEDA / "README.md").read_text("utf-8").splitlines() if line.startswith("| TLS |")]
    plain, own = row.split("For a certificate authority of your own")
    assert "enableTLS" in plain
    assert "enableTLS" not in own
    assert set(re.findall(r"parameter: (\w+)", own)) == {"tls", "ca"} <= PARAMETERS


def test_the_pages_say_that_no_cluster_ran_them() -> None:
    for page in (KUBERNETES / "README.md", KEDA / "README.md"):
        assert "No cluster has run" in page.read_text("utf-8")
    assert "no schema" in (KEDA / "README.md").read_text("utf-8")
