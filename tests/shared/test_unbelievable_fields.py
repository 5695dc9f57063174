"""Fields that don't fit each other, or that nothing of ours writes: each decoder says so, and nothing else happens."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from server_b.follow.checkpoint import Checkpoint, CheckpointFile
from shared.errors import InvalidInputError, WrongKeyError
from shared.ownership import is_verdict
from shared.program.verdict_file import VerdictFile
from shared.record import RunRecord, ShopCount, decode_attempts, decode_entry_id, decode_points
from shared.signal import Signal
from shared.state import SegmentState
from shared.tokens import MOST_AHEAD_MS, make_token, token_ms
from shared.verdict import SegmentVerdict

RUN_ID = "20261122T205801123Z-3f9a1c"
RECORD = RunRecord(RUN_ID, "numbers", 2_500, 1_000, 4, 1, 2, 1, 1, 86_400_000)
STATE = SegmentState(RUN_ID, RUN_ID, 1_000, "0" * 32)
SIGNAL = Signal(RUN_ID, RUN_ID, 1, 3, 1_000, "0" * 32)
VERDICT = SegmentVerdict("verified", RUN_ID, 1, 3, 1_000, "0" * 32, started_us=5, ended_us=9, taken_ms=7, lag_ms=3)
LONG = "9" * 5_000
DEEP = "[" * 1_000 + "]" * 1_000
NO_NUMBERS = [LONG, "-1", "1e3", "1.0", "0x10", " 1", "1\n", "٣", "", "NaN", "9" * 19, "\ud800", "1" + "\0", DEEP]


def raw(fields: dict[str, str]) -> dict[bytes, bytes]:
    """Return the fields of a hash in bytes."""
    return {name.encode(): value.encode("utf-8", "surrogatepass") for name, value in fields.items()}


@pytest.mark.parametrize("name", RunRecord.NUMBERS)
@pytest.mark.parametrize("value", NO_NUMBERS)
def test_a_record_without_a_number(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError):
        RunRecord.decode("run:r", raw(RECORD.encode() | {name: value}))


@pytest.mark.parametrize(
    "changes",
    [
        {"count": "100000000000", "segment_values": "1"},
        {"count": "100000000000", "segment_values": "999999"},
        {"count": "100001", "segment_values": "1"},
        {"count": "100000000001"},
        {"count": "0"},
        {"segment_values": "0"},
        {"segment_values": "100000001"},
        {"max_value_bytes": "1048577"},
        {"max_value_bytes": "999999999999"},
        {"retain_ms": "999999999999999999"},
        {"users": "100000001"},
        {"skus": "999999999999"},
        {"carts": "100000001"},
        {"overwrite": "2"},
        {"source": "lines"},
        {"run_id": "99991231T235959999Z-ffffff"},
        {"run_id": "20261322T205801123Z-3f9a1c"},
    ],
)
def test_a_record_whose_fields_do_not_fit(changes: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError):
        RunRecord.decode("run:r", raw(RECORD.encode() | changes))


@pytest.mark.parametrize(("looked", "kept"), [("0", "1"), ("5", "6"), ("300000001", "1"), (LONG, "0"), ("1", LONG)])
def test_a_count_of_the_shop_that_can_not_be(looked: str, kept: str) -> None:
    with pytest.raises(InvalidInputError):
        ShopCount.decode("run:r", raw({"shop_looked": looked, "shop_kept": kept}))


@pytest.mark.parametrize("text", [*NO_NUMBERS, "\udcff\udcfe", "1-", "-1", "1-1-1", f"{LONG}-1", "1-٣", "1-1\n"])
def test_a_signal_of_a_record_that_is_no_id(text: str) -> None:
    assert decode_entry_id(text.encode("utf-8", "surrogateescape" if "\udcff" in text else "surrogatepass")) == ""


@pytest.mark.parametrize("text", [DEEP, f"[[{LONG},1]]", "[[1e400,1]]", "{}", "[[1]]", "[[-1,1]]", "[[true,1]]", "nul"])
def test_points_that_are_none(text: str) -> None:
    assert decode_points(text.encode()) == []
    assert decode_attempts(text.encode()) == []


@pytest.mark.parametrize("value", [value for value in NO_NUMBERS if value != "٣"] + ["100000001", "999999999999"])
def test_a_state_with_another_count(value: str) -> None:
    fields = STATE.encode() | {"count": value}
    values = [fields[name].encode("utf-8", "surrogatepass") for name in SegmentState.FIELDS]
    with pytest.raises(WrongKeyError):
        SegmentState.decode("state", values)


@pytest.mark.parametrize("name", ["segment", "segments", "count"])
@pytest.mark.parametrize("value", [*NO_NUMBERS, "0", "100000001"])
def test_a_signal_without_a_number(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError):
        Signal.decode(raw(SIGNAL.encode() | {name: value}))


@pytest.mark.parametrize("days", [1.01, 2, 365, 365 * 1_000, 365 * 7_970])
def test_no_token_follows_one_of_another_day(days: float) -> None:
    now_ms = token_ms(RUN_ID)
    far = make_token(now_ms + int(days * MOST_AHEAD_MS))
    with pytest.raises(WrongKeyError):
        make_token(now_ms, after=far)
    near = make_token(now_ms + MOST_AHEAD_MS - 1)
    assert make_token(now_ms, after=near) > near


def verdicts() -> list[dict[str, Any]]:
    """Return fields of verdicts that nobody can believe."""
    numbers = ("segment", "segments", "count", "lag_ms", "started_us", "ended_us", "taken_ms", "deliveries")
    bad: list[Any] = [-1, 2**64, 1.5, True, "1", None, [], {}]
    changes: list[dict[str, Any]] = [{name: value} for name in numbers for value in bad]
    changes += [
        {"started_us": 10, "ended_us": 9},
        {"started_us": 1, "ended_us": 0},
        {"segment": 4},
        {"verdict": "maybe"},
        {"attempt": "99991231T235959999Z-ffffff"},
        {"digest": "0" * 31},
        {"outages": [[1, 2]] * 21},
        {"outages": [[1]]},
        {"first": [1]},
        {"witness": []},
        {"unknown": 1},
    ]
    return [asdict(VERDICT) | change for change in changes]


@pytest.mark.parametrize("fields", verdicts())
def test_a_verdict_that_can_not_be(fields: dict[str, Any]) -> None:
    assert SegmentVerdict.decode(json.dumps(fields).encode()) is None


@pytest.mark.parametrize("text", [DEEP, f'{{"count":{LONG}}}', "null", "[]", '"x"', "\udcff", "{", '{"verdict":NaN}'])
def test_json_that_is_no_verdict(text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    assert SegmentVerdict.decode(data) is None
    assert not is_verdict(b"1", data)


NO_IDS: list[Any] = ["", "1", f"{LONG}-1", 1, None, [], {}, "1-1\n"]
MANY = {f"20261122T205801123Z-{number:06x}": RUN_ID for number in range(1_001)}
NOT_REPORTED: list[Any] = [1, None, [], "x", {"a": "b"}, {RUN_ID: 1}, [[1, 2]], MANY]
NO_LINES = [DEEP, LONG, '{"run_id":1}', "[]", '{"run_id":"x","until_ms":1,"verdict":{}}', "\udcff"]
CHECKPOINT: dict[str, Any] = {"after": "1-1", "reported": {RUN_ID: RUN_ID}}


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        '{"after":' * 1_000,
        *(json.dumps(CHECKPOINT | {"after": value}) for value in NO_IDS),
        *(json.dumps(CHECKPOINT | {"reported": value}) for value in NOT_REPORTED),
        json.dumps(CHECKPOINT) + " " * 2_000_000,
        f'{{"after":"1-1","reported":{{}},"x":{LONG}}}',
        "null",
        "[]",
        "",
    ],
)
def test_a_checkpoint_that_is_none(tmp_path: Path, text: str) -> None:
    file = CheckpointFile(str(tmp_path), endpoint="redis://h:1/0", namespace="n")
    file.replace(file.prepare(Checkpoint("1-1", {RUN_ID: RUN_ID})))
    assert file.read() == Checkpoint("1-1", {RUN_ID: RUN_ID})
    file.path.write_text(text)
    with pytest.raises(InvalidInputError):
        file.read()


@pytest.mark.parametrize("text", NO_LINES)
def test_a_line_of_verdicts_that_is_none(tmp_path: Path, text: str) -> None:
    file = VerdictFile(str(tmp_path), endpoint="redis://h:1/0", namespace="n")
    file.path.parent.mkdir(parents=True, exist_ok=True)
    good = json.dumps({"run_id": RUN_ID, "until_ms": 2**62, "verdict": asdict(replace(VERDICT))})
    beyond = good.replace(str(2**62), str(2**64))
    file.path.write_bytes(f"{text}\n{beyond}\n{good}\n".encode("utf-8", "surrogateescape"))
    assert file.read() == {RUN_ID: {1: VERDICT}}
