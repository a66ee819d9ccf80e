"""The log of a version: the size of its rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from rondo.serving.prediction_log.batch import row_bytes
from rondo.serving.requests.rows import Rows

from tests.serving.builders import CLASSES, INTERVAL, MULTICLASS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)


def batch(version: LoadedVersion, *carriers: str) -> Any:
    rows = len(carriers)
    numbers = np.ones(rows, "f4")
    columns = {
        "distance": numbers, "seats": numbers, "night": numbers, "carrier": np.array(carriers, dtype=np.object_),
    }  # fmt: skip
    source: Any = None
    ids, nothing = [f"r{row}" for row in range(rows)], [None] * rows
    outputs = version.scorer.score(columns)
    return version.log.batch(Rows(ids, nothing, nothing, columns, source), outputs, NOW)


def test_the_size_of_a_row_is_its_texts_and_8_bytes_for_each_other_value(
    version: Callable[..., LoadedVersion],
) -> None:
    # Two times, three numbers, and the outputs; the ids have two characters.
    rows = batch(version(fitted=INTERVAL), "x" * 100, "ü", "")
    assert row_bytes(rows).tolist() == [100 + 2 + 64, 2 + 2 + 64, 2 + 64]
    rows = batch(version(fitted=MULTICLASS), "")
    assert row_bytes(rows).tolist() == [2 + 48 + len(CLASSES[2]) + 8 * 3]
