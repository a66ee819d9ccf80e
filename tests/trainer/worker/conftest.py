"""The queue in memory and that of PostgreSQL."""

from __future__ import annotations

import pytest

from tests.trainer.worker.queues import Memory, Postgres


@pytest.fixture(params=["memory", "postgres"])
def backend(request: pytest.FixtureRequest) -> Memory | Postgres:
    return Memory() if request.param == "memory" else Postgres(request.getfixturevalue("store"))
