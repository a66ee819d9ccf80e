"""A model in a rollout, on the store in memory and on real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.registry.rollout.scenario import RolloutScenario

if TYPE_CHECKING:
    from tests.registry.rollout.scenario import Make
    from tests.registry.scenarios import Backend


@pytest.fixture
def platform(store: Backend, trained: Make) -> RolloutScenario:
    return RolloutScenario(store, trained)
