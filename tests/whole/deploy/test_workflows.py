"""The workflows, read: least permissions, everything pinned, no step that a tag or a branch name can rewrite.

They were not run, since neither GitHub nor a registry is at hand; what they run is tested elsewhere: `make test`,
`make build` (test_packages.py), the scripts of deploy/release (test_release.py).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stage.engine import PROGRAMS

ROOT = Path(__file__).parents[3]
GITHUB = ROOT / ".github"
FILES = {path.stem: path for path in sorted(GITHUB.glob("workflows/*.yml"))}
ACTION = GITHUB / "actions" / "build-image" / "action.yml"
TEXTS = {path.name: path.read_text("utf-8") for path in (*FILES.values(), ACTION)}
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(path.read_text("utf-8")) for name, path in FILES.items()}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]
# Whatever is not here may read the repository at most.
MAY_WRITE = {
    ("release", "pypi"): {"attestations", "id-token"},
    ("release", "images"): {"attestations", "id-token", "packages"},
    ("release", "github"): {"contents"},
}
OWNERS = {"actions", "docker", "pypa"}


def _steps(workflow: str, job: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = WORKFLOWS[workflow]["jobs"][job].get("steps", [])
    return steps


def _all_steps() -> list[dict[str, Any]]:
    action: list[dict[str, Any]] = yaml.safe_load(ACTION.read_text("utf-8"))["runs"]["steps"]
    return [step for workflow, job in JOBS for step in _steps(workflow, job)] + action


@pytest.mark.parametrize("name", FILES)
def test_a_workflow_may_do_nothing_unless_its_jobs_say_so(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] in ({}, {"contents": "read"})


@pytest.mark.parametrize(("workflow", "job"), JOBS)
def test_a_job_may_write_what_it_must_and_no_more(workflow: str, job: str) -> None:
    asked = WORKFLOWS[workflow]["jobs"][job].get("permissions", WORKFLOWS[workflow]["permissions"])
    assert {name for name, right in asked.items() if right == "write"} == MAY_WRITE.get((workflow, job), set())
    assert {name for name, right in asked.items() if right == "read"} <= {"contents"}


@pytest.mark.parametrize(("workflow", "job"), JOBS)
def test_a_job_ends(workflow: str, job: str) -> None:
    found = WORKFLOWS[workflow]["jobs"][job]
    assert "timeout-minutes" in found or found["uses"] == "./.github/workflows/test.yml"


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_stands_by_its_commit_with_its_version_beside(name: str) -> None:
    for line in re.findall(r"uses: *(.+)", TEXTS[name]):
        if not line.startswith("./.github/"):
            found = re.fullmatch(r"([\w-]+)/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
            assert found, line
            assert found[1] in OWNERS


def test_one_action_has_one_version() -> None:
    pins = {pin for text in TEXTS.values() for pin in re.findall(r"uses: *([\w-]+/[\w-]+@.+)", text)}
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


def test_what_is_ours_exists() -> None:
    for line in re.findall(r"uses: *\./(\S+)", "".join(TEXTS.values())):
        assert (ROOT / line).is_file() or (ROOT / line / "action.yml").is_file()
    runs = "\n".join(step["run"] for step in _all_steps() if "run" in step)
    for script in re.findall(r"python3 (\S+)", runs):
        assert (ROOT / script).is_file()
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"\bmake (\w+)", runs):
        assert re.search(rf"^{target}: .*## ", makefile, re.MULTILINE)


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_called_latest_and_no_password_is_stored(name: str) -> None:
    assert "latest" not in TEXTS[name]
    assert "secrets." not in TEXTS[name]
    assert "pull_request_target" not in TEXTS[name]


def test_no_name_from_outside_becomes_part_of_a_script() -> None:
    """GitHub puts `${{ … }}` into a script as text: a branch called `$(…)` would be run. Variables are not."""
    assert [step["run"] for step in _all_steps() if "${{" in step.get("run", "")] == []


def test_a_checkout_leaves_no_token_behind() -> None:
    found = [step for step in _all_steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(found) >= 5
    assert all(step["with"]["persist-credentials"] is False for step in found)


def test_a_release_waits_for_its_checks() -> None:
    jobs = WORKFLOWS["release"]["jobs"]
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads `on` as true
    assert any("check_release.py" in step.get("run", "") for step in _steps("release", "check"))
    before = {
        name: set([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", []))
        for name, job in jobs.items()
    }
    assert before == {
        "check": set(), "test": {"check"}, "packages": {"check"}, "pypi": {"test", "packages"},
        "images": {"check", "test"}, "github": {"pypi", "images"},
    }  # fmt: skip
    assert jobs["pypi"]["environment"] == "pypi"


def test_each_image_is_for_both_architectures_with_provenance_and_parts() -> None:
    (build,) = (step["with"] for step in _all_steps() if step.get("uses", "").startswith("docker/build-push-action@"))
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["provenance"], build["sbom"]) == ("mode=max", True)
    assert build["tags"] == "${{ steps.name.outputs.tag }}"
    dockerfile = (ROOT / "server_a" / "Dockerfile").read_text("utf-8")
    given = {line.partition("=")[0] for line in build["build-args"].splitlines()}
    assert given <= set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE))
    for workflow, job in (("images", "build"), ("release", "images")):
        matrix = WORKFLOWS[workflow]["jobs"][job]["strategy"]["matrix"]
        assert set(matrix["program"]) == set(PROGRAMS)
        assert all((ROOT / "requirements" / f"{lock}.lock").is_file() for lock in matrix["lock"])


def test_the_step_that_names_an_image_gives_what_the_next_ones_take(tmp_path: Path) -> None:
    (step,) = (step for step in _all_steps() if step.get("id") == "name")
    given = {"OWNER": "Some-Org", "PROGRAM": "server-b", "LOCK": "azure", "VERSION": "1.2.3"}
    assert set(step["env"]) == set(given)
    env = {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(tmp_path / "output"), **given}
    subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], cwd=ROOT, env=env, check=True, timeout=30)
    name = "ghcr.io/some-org/handover-server-b"
    assert (tmp_path / "output").read_text() == f"tag={name}:1.2.3-azure\nname={name}\nfolder=server_b\n"
    assert set(re.findall(r"steps\.name\.outputs\.(\w+)", ACTION.read_text("utf-8"))) == {"tag", "name", "folder"}


def test_only_a_release_pushes() -> None:
    given = {
        (workflow, job): "token" in step["with"]
        for workflow, job in JOBS
        for step in _steps(workflow, job)
        if step.get("uses") == "./.github/actions/build-image"
    }
    assert given == {("images", "build"): False, ("release", "images"): True}


def test_the_bot_pins_the_digest_of_each_image_and_looks_into_each_file_that_names_one() -> None:
    bot = json.loads((GITHUB / "renovate.json").read_text("utf-8"))
    assert {"docker:pinDigests", "helpers:pinGitHubActionDigestsToSemver"} <= set(bot["extends"])
    assert {"docker-compose", "dockerfile", "github-actions"} <= set(bot["enabledManagers"])
    own = [pattern.strip("/") for pattern in bot["docker-compose"]["managerFilePatterns"]]
    patterns = [*own, r"(^|/)(?:docker-)?compose[^/]*\.ya?ml$"]  # the second one is the bot's own
    for path in [ROOT / "compose.yaml", *sorted((ROOT / "deploy").rglob("*.yaml"))]:
        if re.search(r"^ +image: (?!handover-)", path.read_text("utf-8"), re.MULTILINE):
            assert any(re.search(pattern, str(path.relative_to(ROOT))) for pattern in patterns), path
    (audit,) = bot["customManagers"]
    assert re.search(audit["matchStrings"][0].replace("?<", "?P<"), (ROOT / "Makefile").read_text("utf-8"))


def test_the_audit_reads_every_lock_and_fails_where_it_learns_nothing() -> None:
    (command,) = re.findall(r"^audit: .*\n\t(.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert "$(wildcard requirements/*.lock)" in command
    assert {"--strict", "--disable-pip", "--require-hashes"} <= set(command.split())
