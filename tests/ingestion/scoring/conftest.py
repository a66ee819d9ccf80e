"""Scoring jobs with several small parts."""

from __future__ import annotations

import pytest
from rondo.ingestion.scoring import plan


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide data into parts of 50 rows."""
    monkeypatch.setattr(plan.divide, "__defaults__", (50, plan.TARGET_BYTES))
