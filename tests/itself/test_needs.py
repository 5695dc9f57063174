"""Markers say what a test needs: they decide over skipping, and whoever takes what needs something has the marker."""

from __future__ import annotations

import pytest

from tests.stage import needs

MARKERS_OF_FIXTURES = {
    "browser": {"chromium", "kept_together"},
    "engine": {"docker", "kept_together"},
    "formed_clusters": {"cluster", "kept_together"},
    "formed_group": {"cluster", "kept_together"},
    "formed_lone_node": {"cluster", "kept_together"},
    "formed_pair": {"cluster", "kept_together"},
    "redis7_cluster": {"cluster", "redis_server"},
}


@pytest.mark.parametrize("name", ["chromium", "docker", "redis_server", "root"])
def test_tests_without_what_they_need_are_skipped_on_a_laptop_and_fail_on_ci(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(needs._REASONS, name, lambda: "it is not here")
    request.node.add_marker(name)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="it is not here"):
        needs.pytest_runtest_setup(request.node)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="it is not here"):
        needs.pytest_runtest_setup(request.node)


def test_tests_that_need_nothing_run_everywhere(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in needs._REASONS:
        monkeypatch.setitem(needs._REASONS, name, lambda: "it is not here")
    needs.pytest_runtest_setup(request.node)


def test_whoever_takes_what_needs_something_has_the_marker(request: pytest.FixtureRequest) -> None:
    """Among the collected tests; Redis 7 is looked after where a test gets it, in `tests.stage.servers`."""
    unmarked = [
        f"{item.nodeid}: {fixture} needs {marker}"
        for item in request.session.items
        for fixture, markers in MARKERS_OF_FIXTURES.items()
        if isinstance(item, pytest.Function) and fixture in item.fixturenames
        for marker in markers
        if item.get_closest_marker(marker) is None
    ]
    assert not unmarked
