"""The reference profile: what the rows of a training looked like, in fixed bins, for the monitor to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.contracts.profile import CategoricalProfile, FeatureProfile, NumericProfile, ReferenceProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec import Feature

BINS = 20
# A profile travels in an event; categories beyond the most frequent ones are counted together.
MAX_CATEGORIES = 500


def profile(
    features: Mapping[str, Feature],
    rows: pl.DataFrame,
    labels: NDArray[np.float32],
    scores: NDArray[np.float32],
    roc_auc: float,
) -> ReferenceProfile:
    """Describe the training rows, and the labels and scores (shape `[holdout rows]`) of the holdout.

    The score is taken from the holdout, because on rows that it was fitted to a model is surer than it will be.
    """
    return ReferenceProfile(
        rows=rows.height,
        features={name: _feature(feature, rows[name]) for name, feature in features.items()},
        score=numeric(scores),
        roc_auc=roc_auc,
        positive_rate=float(labels.mean(dtype=np.float64)),
    )


def numeric(values: NDArray[np.float32]) -> NumericProfile:
    """Count values in bins that hold about as many each; NaN is missing. Equal edges are one."""
    present = values[~np.isnan(values)]
    finite = present[np.isfinite(present)]
    # "lower" takes edges from the data: an interpolated edge beside a frequent value would be a bin of rounding error.
    edges = np.unique(np.quantile(finite, np.arange(1, BINS) / BINS, method="lower")) if len(finite) else finite
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    return NumericProfile(
        edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), missing=len(values) - len(present)
    )


def categorical(values: pl.Series) -> CategoricalProfile:
    """Count the categories; null and the empty text are missing."""
    text = values.cast(pl.String).fill_null("").alias("category")
    present = text.filter(text != "")
    counted = present.value_counts().sort(["count", "category"], descending=[True, False])
    listed = dict(counted.head(MAX_CATEGORIES).sort("category").iter_rows())
    other = present.len() - sum(listed.values())
    return CategoricalProfile(counts=listed, other=other, missing=text.len() - present.len())


def _feature(feature: Feature, values: pl.Series) -> FeatureProfile:
    if feature.type == "category":
        return categorical(values)
    return numeric(values.cast(pl.Float32).fill_null(float("nan")).to_numpy())
