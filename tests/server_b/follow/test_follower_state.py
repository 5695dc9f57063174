"""What a follower keeps on its host: looked at before anything is read, held by one process, shown by `status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server_b.follow.checkpoint import Checkpoint
from server_b.follow.follower_state import FollowerState
from shared.errors import InvalidInputError, NotFinishedError
from shared.verdict import VERIFIED, SegmentVerdict
from tests.stage.faulty_link import FaultyLink
from tests.stage.following import Following, wait_for_report
from tests.stage.hand_over_in_process import DIGEST, RUN
from tests.stage.programs import StartProgram, run_program
from tests.stage.raw import call
from tests.stage.replicas import ReplicatedPair
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

VERDICT = SegmentVerdict(VERIFIED, RUN, 1, 1, 10, DIGEST)


def _file_in_the_way(folder: Path) -> Path:
    (folder / "handover").write_text("")
    return folder


def _file_above(folder: Path) -> Path:
    (folder / "state").write_text("")
    return folder / "state"


def _in_proc(_: Path) -> Path:
    return Path("/proc/handover-test")


@pytest.mark.parametrize("broken", [_file_in_the_way, _file_above, _in_proc])
@pytest.mark.parametrize("command", [("run", "--once", "--wait-s", "5"), ("run", "--run", RUN), ("check",)])
def test_a_state_folder_that_cannot_be_written_is_found_out_first(
    broken: Callable[[Path], Path], command: tuple[str, ...], following: Following, pair: ReplicatedPair, tmp_path: Path
) -> None:
    following.produce()
    env = {"XDG_STATE_HOME": str(broken(tmp_path))}
    with FaultyLink(pair.replica.port) as link:
        ended = run_program("server-b", *command, server=link.url, env=env)
        assert link.cuts == 0
    assert ended.exit_code == 2
    assert "XDG_STATE_HOME" in ended.stdout + ended.stderr
    assert "following a replica" not in ended.stderr


def test_a_verdict_that_was_reached_is_shown_though_it_cannot_be_kept(tmp_path: Path) -> None:
    state, shown = FollowerState(str(tmp_path), endpoint="redis://x", namespace=""), []
    for path in ("redis-x-*.verdicts",):
        assert not list(tmp_path.glob(path))
    with state.held() as checkpoint:
        assert checkpoint == Checkpoint()
        state.path.with_suffix(".verdicts").mkdir()
        with pytest.raises(InvalidInputError), state.noting(RUN, [VERDICT], Checkpoint("1-1"), retain_ms=1_000):
            shown.append(RUN)
    assert shown == [RUN]
    assert not state.path.exists()


def test_one_process_at_a_time_follows(following: Following, pair: ReplicatedPair, start_program: StartProgram) -> None:
    first = start_program("server-b", "run", "--json", server=pair.replica, env=following.env)
    wait_until(lambda: "following a replica" in first.errors(), description="the first one follows")
    second = run_program("server-b", "run", server=pair.replica, env=following.env)
    assert (second.exit_code, second.stdout) == (75, "")
    assert "another one, process" in second.stderr
    elsewhere = {"XDG_STATE_HOME": str(following.state_directory / "elsewhere")}
    run_id = following.produce()
    wait_for_report(first, run_id)
    third = run_program("server-b", "run", "--once", "--json", server=pair.replica, env=elsewhere)
    assert (third.exit_code, third.json()["run_id"]) == (0, run_id)


def test_status_on_the_followers_host_reads_its_verdicts(
    following: Following, pair: ReplicatedPair, tmp_path: Path
) -> None:
    run_id = following.produce(count=30, segment_values=10)
    following.follow()
    here = run_program("server-b", "status", "--json", server=pair.replica, env=following.env)
    assert here.exit_code == 0, here.stdout
    assert (here.json()["runs"][0]["run_id"], here.json()["runs"][0]["verdict"]) == (run_id, "verified")
    elsewhere = {"XDG_STATE_HOME": str(tmp_path / "other")}
    there = run_program("server-b", "status", "--json", server=pair.replica, env=elsewhere)
    assert (there.exit_code, there.json()["runs"][0]["verdict"]) == (75, "pending")


@pytest.mark.parametrize(("number", "keeps_state"), [(1, False), (2, False), (3, False), (1, True), (3, True)])
def test_a_follower_waits_for_a_segment_that_was_lost_after_it_was_verified(
    *, number: int, keeps_state: bool, following: Following, pair: ReplicatedPair
) -> None:
    """The report asks for the record once more, with all states after it; there it meets the loss."""
    run_id = following.produce(count=30, segment_values=10)
    name = "biglist" if number == 1 else f"biglist:{number}"

    def lose() -> None:
        call(pair.primary, "DEL", name, *([] if keeps_state else [f"{{{name}}}:state"]))
        following.wait_until_in_step()

    with FaultyLink(pair.replica.port) as link:
        link.at(b"max_value_bytes", lose, nth=4)
        with pytest.raises(NotFinishedError):
            following.follow(url=link.url, wait_s=1.0)
    assert following.replica.reports == []
    following.primary.produce(resume=run_id)
    following.wait_until_in_step()
    assert following.follow().verdict == "verified"
