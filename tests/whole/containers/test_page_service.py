"""The profile `page`: the live page in the plain project up to the verdict, and in each overlay as configuration."""

from __future__ import annotations

import json
import os
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.stage.confinement import check_confined
from tests.stage.containers import NewProject
from tests.stage.engine import ROOT, docker
from tests.stage.project import Project
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.kept_together("containers"), pytest.mark.timeout(900)]

OVERLAYS = sorted(path.stem for path in (ROOT / "deploy" / "compose").glob("*.yaml"))
OWN = {"SERVER_A_REDIS_URL": "rediss://a.example:10000", "SERVER_B_REDIS_URL": "rediss://b.example:10000"}


def _config(*files: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    words = [word for file in ("compose.yaml", *files) for word in ("-f", file)]
    asked = docker("compose", "--env-file", os.devnull, *words, "--profile", "page", "config", "--format=json", env=env)
    found: dict[str, Any] = json.loads(asked.stdout)
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _link(project: Project) -> str:
    found = re.search(r"http://localhost:\d+/\?token=\S+", project.log("page"))
    return found[0] if found else ""


def _status_of(request: urllib.request.Request | str) -> int:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - a link of http
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


def test_it_shows_the_verdict_to_whoever_has_the_link_in_its_log(new_project: NewProject, page_image: str) -> None:
    port = _free_port()
    project = new_project(env={"IMAGE_PAGE": page_image, "PAGE_PORT": str(port)})
    project.compose("--profile", "page", "up", "--no-build", "--detach")
    wait_until(lambda: bool(_link(project)), description="the page prints its link", timeout_s=120)
    link, address = _link(project), f"http://localhost:{port}/"
    assert link.startswith(address)
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    browser.open(link, timeout=10).close()

    def heading() -> str:
        with browser.open(address, timeout=10) as answer:
            return "".join(re.findall(r"<h1[^>]*>([^<]*)", answer.read().decode()))

    wait_until(lambda: "Verified" in heading(), description="the page shows the verdict", timeout_s=120)
    assert _status_of(address) == 403, "without the token"
    elsewhere = urllib.request.Request(link, headers={"Host": f"elsewhere.example:{port}"})  # noqa: S310 - as above
    assert _status_of(elsewhere) == 421
    wait_until(
        lambda: project.state("page")["Health"]["Status"] == "healthy", description="it is healthy", timeout_s=60
    )
    containers = project.containers()
    check_confined(containers)
    shown = str(containers) + project.compose("--profile", "page", "logs").stdout
    assert [word for word in project.passwords() if word in shown] == []


@pytest.mark.parametrize("overlay", ["", *OVERLAYS])
def test_it_is_in_every_overlay_and_for_this_host_alone(engine: None, overlay: str) -> None:
    files = [f"deploy/compose/{overlay}.yaml"] if overlay else []
    services = _config(*files, env=OWN if overlay == "azure" else {})["services"]
    page = services["page"]
    assert [(port["host_ip"], port["published"], port["target"]) for port in page["ports"]] == [
        ("127.0.0.1", "8080", 8080)
    ]
    extras = page["build"]["args"]["EXTRAS"]
    assert extras == ("azure-page" if overlay == "azure" else "page")
    assert f"!requirements/{extras}.lock\n" in (ROOT / ".dockerignore").read_text("utf-8")
    assert page["networks"].keys() <= services["server-b"]["networks"].keys()
    assert "SERVER_B_PASSWORD" not in {name for name, value in page["environment"].items() if value}
    if overlay != "azure":
        url = page["environment"]["SERVER_B_REDIS_URL"]
        assert (
            url.replace("//page@", "//server-b@").replace("asker-page", "asker-b")
            == (services["server-b"]["environment"]["SERVER_B_REDIS_URL"])
        )
        assert "page:10002" in services["passwords"]["command"]
        assert page["environment"]["SERVER_B_PASSWORD_FILE"] == "/run/handover/password"


def test_at_an_endpoint_of_your_own_it_gets_no_generated_password(engine: None) -> None:
    page = _config(env=OWN)["services"]["page"]
    assert page["environment"]["SERVER_B_REDIS_URL"] == OWN["SERVER_B_REDIS_URL"]
    assert not page["environment"].get("SERVER_B_PASSWORD_FILE")
