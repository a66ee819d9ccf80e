"""Background values: the values of unknown features, for explanations of single predictions.

A graph has 50 values of each feature in its metadata. They are quantiles of the training rows, in a separate random
order for each feature. So no row of the training data is in the artifact, and unknown features are independent
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
# With more rows a quantile moves by less than the distance to the next one.
_MOST_ROWS = 10_000


def background(features: Mapping[str, Feature], rows: pl.DataFrame, seed: int) -> dict[str, str]:
    """Return the entry of the metadata: for each feature a list of numbers or texts, null for a missing value."""
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
    """Return the middle value of each of 50 equal parts of the sorted values. NaN is the largest value."""
    places = ((np.arange(VALUES) + 0.5) / VALUES * len(values)).astype(np.int64)
    # NumPy would compare texts as Python objects, which is slow.
    return values.sort().gather(places).to_numpy()


def _json(values: NDArray[Any]) -> list[float | str | None]:
    """Return the values for JSON. A number is the shortest one that is read back as the same float32."""
    return [_number(value) if isinstance(value, np.float32) else value or None for value in values]


def _number(value: np.float32) -> float | None:
    return float(str(value)) if math.isfinite(value) else None
