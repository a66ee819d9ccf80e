"""Background values: what a feature is when it is unknown, for explanations of single predictions.

A graph has 50 values of each feature in its metadata. They are quantiles of the training rows, in an order of their own
for each feature: so no row of the training data is in the artifact, and features that are unknown are independent
(Strumbelj and Kononenko, "Explaining prediction models and individual predictions with feature contributions",
Knowledge and Information Systems 2014).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rondo.contracts.model_metadata import BACKGROUND
from rondo.trainer.preparation.inputs import check_columns, number, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature

VALUES = 50
# More rows move a quantile by less than the next value.
_MOST_ROWS = 10_000


def background(features: Mapping[str, Feature], rows: pl.DataFrame, seed: int) -> dict[str, str]:
    """Return the entry of the metadata: by feature a list of numbers or texts, null where one is missing."""
    sample = rows if rows.height <= _MOST_ROWS else rows[np.linspace(0, rows.height - 1, _MOST_ROWS).astype(np.int64)]
    rng = np.random.default_rng(seed)
    check_columns(features, rows)
    columns = {
        name: text(sample, name) if feature.type == "category" else pl.Series(number(sample, name))
        for name, feature in features.items()
    }
    found = {name: _json(rng.permutation(_quantiles(values))) for name, values in columns.items()}
    return {BACKGROUND: json.dumps(found, ensure_ascii=False)}


def _quantiles(values: pl.Series) -> NDArray[Any]:
    """Return values in the middle of 50 equal parts of the sorted ones. NaN is the largest."""
    places = ((np.arange(VALUES) + 0.5) / VALUES * len(values)).astype(np.int64)
    # NumPy would compare texts as objects of Python.
    return values.sort().gather(places).to_numpy()


def _json(values: NDArray[Any]) -> list[float | str | None]:
    """Return the values as JSON has them: the shortest number that float32 reads back as the same."""
    return [_number(value) if isinstance(value, np.float32) else value or None for value in values]


def _number(value: np.float32) -> float | None:
    return float(str(value)) if math.isfinite(value) else None
