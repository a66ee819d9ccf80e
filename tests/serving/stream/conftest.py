"""Models for the tests of the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.serving.models.serving_table import ServedModels

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel


@pytest.fixture
def models(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModels:
    models = ServedModels()
    for name in ("quick", "slow", "slower"):
        models.swap(serve(version(model=name)))
    return models
