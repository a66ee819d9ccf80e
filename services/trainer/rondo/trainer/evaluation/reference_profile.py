"""Builds the reference profile: counts of the training rows in fixed bins, which the monitor compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.training_evidence import FeatureProfile

BINS = 20
# Rarer categories hold too few rows for a distance; they are counted together.
MAX_CATEGORIES = 500
# A longer text is free text, not a category.
MAX_CATEGORY_CHARACTERS = 256


def of_features(features: Mapping[str, Feature], rows: pl.DataFrame) -> dict[str, FeatureProfile]:
    """Profile the rows of a training, holdout included, feature by feature."""
    return {name: _feature(feature, rows[name]) for name, feature in features.items()}


def numeric(values: NDArray[np.float32]) -> NumericProfile:
    """Count values in bins of about equal counts; NaN is missing.

    Values that the training data lacks have bins of their own: below the least and above the greatest value, and beside
    each value that fills a bin alone. Otherwise a constant, or a feature that is mostly one value, would share its bin
    with every other value, and could not drift. There are at most `2 * BINS + 1` edges.
    """
    present = values[~np.isnan(values)]
    edges = _edges(present[np.isfinite(present)])
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    return NumericProfile(
        edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), missing=len(values) - len(present)
    )


def _edges(finite: NDArray[np.float32]) -> NDArray[np.float32]:
    if not len(finite):
        return finite
    # "lower" takes edges from the data: an interpolated edge beside a frequent value would be a bin of rounding error.
    quantiles = np.quantile(finite, np.arange(1, BINS) / BINS, method="lower")
    distinct, repeats = np.unique(quantiles, return_counts=True)
    upper_ends = np.append(distinct[repeats > 1], finite.max())
    with np.errstate(over="ignore"):  # above the greatest float32 there is nothing
        above = np.nextafter(upper_ends, np.float32(np.inf))
    return np.unique(np.concatenate([[finite.min()], distinct, above[np.isfinite(above)]]).astype(np.float32))


def categorical(values: pl.Series) -> CategoricalProfile:
    """Count the most frequent categories; null and the empty text are missing.

    Rare categories and long texts are counted as `other`. The monitor counts every category that is not listed as
    `other`, too.
    """
    text = values.cast(pl.String).fill_null("").alias("category")
    present = text.filter(text != "")
    counted = present.value_counts().filter(pl.col("category").str.len_chars() <= MAX_CATEGORY_CHARACTERS)
    listed = dict(counted.sort(["count", "category"], descending=[True, False]).head(MAX_CATEGORIES).iter_rows())
    other = present.len() - sum(listed.values())
    return CategoricalProfile(counts=dict(sorted(listed.items())), other=other, missing=text.len() - present.len())


def _feature(feature: Feature, values: pl.Series) -> FeatureProfile:
    if feature.type == "category":
        return categorical(values)
    return numeric(values.cast(pl.Float32).fill_null(float("nan")).to_numpy())
