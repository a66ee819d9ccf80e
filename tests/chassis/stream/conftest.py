"""Topics of a test of streams."""

from __future__ import annotations

import pytest

from tests.chassis.stream.copies import Topics


@pytest.fixture
def topics(kafka: str) -> Topics:
    return Topics(kafka)
