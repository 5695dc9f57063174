"""Numbers that a server or proxy says of itself and that are none, or too large: `check` shows what it can."""

from __future__ import annotations

import pytest

from shared.check.examination import is_too_old
from shared.check.limits import limit_notes
from shared.check.memory import decode_memory, shown_bytes
from shared.fields import decimal_number

NO_NUMBERS = ["", "²", "①", "١٢", "1²", "-1", "+1", "1_0", "1\x00", "1,5", "0x10", "inf", "nan", "\x1b[2J"]
LARGE = ["9" * digits for digits in (19, 30, 310, 4_301, 5_000)]
STRANGE = [*NO_NUMBERS, *LARGE]


@pytest.mark.parametrize("text", STRANGE)
def test_what_is_no_number_is_none(text: str) -> None:
    assert decimal_number(text) is None
    assert decimal_number("0" + "1" * 17) == int("1" * 17)


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize("name", ["client-output-buffer-limit", "maxmemory-clients", "timeout"])
def test_limits(name: str, text: str) -> None:
    said = f"normal {text} {text} 60" if name == "client-output-buffer-limit" else text
    notes = limit_notes("node", {name: said}, asked_bytes=1_000)
    assert len(notes) == (name == "maxmemory-clients"), "only that one may be no number"


@pytest.mark.parametrize("text", STRANGE)
def test_versions(text: str) -> None:
    assert not is_too_old(text)
    assert not is_too_old(f"5.{text}")
    assert is_too_old(f"5.1.{text}"), "what does not count is not looked at"


@pytest.mark.parametrize("number", [-1, -(2**63), 2**63, 10**30, 10**400, 1.5, float("inf"), float("nan"), "9" * 5_000])
def test_memory(number: object) -> None:
    assert decode_memory("node", {"used_memory": number}) is None
    found = decode_memory("node", {"used_memory": 5, "maxmemory": number, "total_system_memory": number})
    assert found is not None
    assert (found.max_bytes, found.host_bytes) == (0, 0)
    assert shown_bytes(found.used_bytes) == "5 bytes"
