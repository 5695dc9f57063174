"""Hypothesis for the tests of pure parts: it limits no time, since a busy machine is no fault of the code.

What `make fuzz` has found stays in tests/corpus, and every run of these tests tries it again.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase, MultiplexedDatabase, ReadOnlyDatabase

ROOT = Path(__file__).parents[2]
CORPUS = DirectoryBasedExampleDatabase(ROOT / "tests" / "corpus")
OWN = DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "examples")

settings.register_profile(
    "handover",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=MultiplexedDatabase(OWN, ReadOnlyDatabase(CORPUS)),
)
settings.register_profile("fuzz", settings.get_profile("handover"), max_examples=2_000, database=CORPUS)
settings.load_profile("handover")
