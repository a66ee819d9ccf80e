"""A model with one version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.serving.models.loaded_version import ServedModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion


@pytest.fixture
def served(version: Callable[..., LoadedVersion]) -> ServedModel:
    return ServedModel("delay", 1, (version(1),), (1.0,))
