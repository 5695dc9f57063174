"""Hypothesis for the tests of pure parts: no deadline, since a busy machine is no fault of the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("handover", deadline=None)
settings.load_profile("handover")
