"""Each promise taken out of our code by itself: the fault it is for then leaves a wrong list or a wrong verdict.

Each test runs real processes of a changed copy of our packages, and of an unchanged one, against a real server under
the same fault. What the one leaves must be wrong, and what the other leaves right: so each of these lines is needed,
and this suite would notice if it went.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.mutant_stage import COUNT, RUN, Trial, run_id_of
from tests.stage.mutants import Copy, Mutation
from tests.stage.servers import connect

NEWER_COUNT = 30_000


def a_newer_run_publishes_right_before(trial: Trial) -> str:
    with FaultyLink(trial.server.port) as link:
        link.at(resp("RENAME"), lambda: trial.produce(count=NEWER_COUNT))
        trial.copy.run("server-a", *RUN, url=link.url)
    return trial.wrong(count=NEWER_COUNT)


def another_run_writes_meanwhile(trial: Trial) -> str:
    lines = trial.folder / "lines.txt"
    lines.write_text("".join(f"line-{number}\n" for number in range(COUNT)), encoding="utf-8")
    with FaultyLink(trial.server.port) as link:
        # all of our values are written and none published; the other run ends where it would publish
        link.at(resp("RENAME"), lambda: trial.kill(resp("RENAME"), "server-a", "run", "--values", str(lines)))
        trial.produce(url=link.url)
    return trial.wrong()


def a_batch_comes_late(trial: Trial) -> str:
    with FaultyLink(trial.server.port) as link:
        link.hold(b"LPUSH", nth=20)
        trial.produce(url=link.url)
        link.deliver_held()
    return trial.left_for_ever() or trial.wrong()


def the_producer_is_killed(trial: Trial) -> str:
    trial.kill(b"LPUSH", "server-a", *RUN, nth=20)
    return trial.left_for_ever()


def nothing_happens(trial: Trial) -> str:
    trial.produce()
    return "the list will expire" if trial.client.ttl(trial.list_key) != -1 else trial.wrong()


def the_list_is_lost(trial: Trial) -> str:
    with FaultyLink(trial.server.port) as link:
        link.at(resp("XRANGE"), trial.lose_list)
        trial.produce(url=link.url)
    return trial.wrong()


def the_signal_is_lost(trial: Trial) -> str:
    with FaultyLink(trial.server.port) as link:
        link.at(resp("XRANGE"), lambda: trial.client.xtrim(trial.keys.signals(), maxlen=0, approximate=False))
        trial.produce(url=link.url)
    return trial.wrong()


def an_older_run_is_resumed(trial: Trial) -> str:
    run_id = run_id_of(trial.kill(b"LPUSH", "server-a", *RUN, nth=2))
    trial.produce(count=NEWER_COUNT)
    trial.copy.run("server-a", "run", "--resume", run_id, url=trial.server.url)
    return trial.wrong(count=NEWER_COUNT)


def somebody_makes_a_list_of_that_name(trial: Trial) -> str:
    with FaultyLink(trial.server.port) as link:
        link.at(resp("WATCH"), lambda: trial.client.rpush(trial.list_key, "theirs"))
        trial.copy.run("server-a", *RUN, url=link.url)
    return "" if trial.client.lrange(trial.list_key, 0, -1) == [b"theirs"] else "somebody's list is gone"


def a_value_is_changed(trial: Trial) -> str:
    trial.produce()
    trial.client.lset(trial.list_key, COUNT // 2, "0")
    return "" if trial.verdict() == "failed" else "a changed list is verified"


def a_value_is_changed_behind_the_reader(trial: Trial) -> str:
    trial.produce()
    with FaultyLink(trial.server.port) as link:
        # the server has read the first chunk, which this value is from, and changes a value of it then
        link.at_reply(b"\r\n%d\r\n" % (COUNT - 100), lambda: trial.client.lset(trial.list_key, 0, "0"))
        verdict = trial.verdict(url=link.url)
    return "" if verdict == "failed" else "a changed list is verified"


def the_consumer_is_killed_at_its_verdict(trial: Trial) -> str:
    result = trial.keys.result(trial.produce()["run_id"])
    trial.kill(resp("HSET", result), "server-b", "run", "--once", "--wait-s", "5")
    verdict = trial.verdict("--claim-idle-ms", "100")
    return "" if verdict == "verified" else f"the verdict is {verdict!r}"


def the_list_is_lost_after_its_verdict(trial: Trial) -> str:
    result = trial.keys.result(trial.produce()["run_id"])
    with FaultyLink(trial.server.port) as link:
        link.at(resp("HMGET", result), trial.lose_list, nth=2)  # the first is before it reads
        verdict = trial.verdict(url=link.url, wait_s=2)
    return "a list that is gone is verified" if verdict == "verified" else ""


PUBLISH, WRITER, AUDIT = "server_a/run/publish.py", "server_a/run/writer.py", "server_a/run/audit.py"
MUTANTS: dict[str, tuple[Callable[[Trial], str], Mutation]] = {
    "the state is not watched at the publication": (
        a_newer_run_publishes_right_before,
        Mutation(PUBLISH, "return [staging_key, state_key, segment_key], look", "return [staging_key], look"),
    ),
    "staging keys have no attempt": (
        another_run_writes_meanwhile,
        Mutation("shared/keys.py", ":staging:{attempt}", ":staging:"),
    ),
    "LPUSH in place of LPUSHX": (a_batch_comes_late, Mutation(WRITER, r'b"$6\r\nLPUSHX"', r'b"$5\r\nLPUSH"')),
    "staging keys have no time to live": (
        the_producer_is_killed,
        Mutation(WRITER, 'pack("EXPIRE", self.staging_key, STAGING_TTL_S)', 'pack("EXISTS", self.staging_key)'),
    ),
    "a published list keeps its time to live": (
        nothing_happens,
        Mutation(PUBLISH, "pipeline.persist(segment_key)", "pipeline.exists(segment_key)"),
    ),
    "no audit of lists": (
        the_list_is_lost,
        Mutation(AUDIT, "if found != mine or length != mine.count:", "if not mine:"),
    ),
    "no audit of signals": (the_signal_is_lost, Mutation(AUDIT, "self.signals.append(number)", "return")),
    "a newer run is not noticed": (
        an_older_run_is_resumed,
        Mutation("server_a/run/states.py", "(found.run_id, found.attempt) > newest:", "not newest:"),
    ),
    "every list of that name is taken for ours": (
        somebody_makes_a_list_of_that_name,
        Mutation(PUBLISH, 'return kind != b"none" and not (', 'return kind == b"" and not ('),
    ),
    "the digest is not compared": (
        a_value_is_changed,
        Mutation("server_b/segment/verifier.py", "if found == self.digest else", "if found else"),
    ),
    "the list is not watched while it is read": (
        a_value_is_changed_behind_the_reader,
        Mutation("server_b/segment/reader.py", "send_watch(self._key, self._state_key)", "send_watch(self._state_key)"),
    ),
    "XACK before the verdict": (
        the_consumer_is_killed_at_its_verdict,
        Mutation(
            "server_b/group/settling.py",
            "        watched, look = self._questions(delivery.signal)\n        if",
            "        self.acknowledge(entry)\n        watched, look = self._questions(delivery.signal)\n        if",
        ),
    ),
    "no look at the lists before the report": (
        the_list_is_lost_after_its_verdict,
        Mutation(
            "server_b/report/judgement.py",
            "if _is_outdated(run_id, verdict, states[number], is_cut=number in cut)",
            "if not verdict",
        ),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_promise_that_is_taken_out_is_missed(
    *, name: str, valkey9: Server, namespace: str, keys: Keyspace, tmp_path: Path
) -> None:
    scenario, mutation = MUTANTS[name]
    found = []
    with connect(valkey9) as client:
        for folder, mutations in (("as it is", ()), ("changed", (mutation,))):
            copy = Copy.make(tmp_path / folder, namespace, *mutations)
            found.append(scenario(Trial(copy, valkey9, client, keys, tmp_path)))
            client.delete(*client.scan_iter(match=f"*{namespace}:*", count=1_000))
    as_it_is, changed = found
    assert as_it_is == ""
    assert changed


def test_a_mutation_whose_text_has_moved_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="0 times"):
        Copy.make(tmp_path / "copy", "", Mutation(PUBLISH, "no such text", ""))
