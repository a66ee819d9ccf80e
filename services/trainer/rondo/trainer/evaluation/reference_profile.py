"""The reference profile: what the rows of a training looked like, in fixed bins, for the monitor to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.contracts.events.profile import CategoricalProfile, NumericProfile
from rondo.trainer.evaluation import text_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.events.profile import FeatureProfile
    from rondo.contracts.spec.model import Feature

BINS = 20
# Categories beyond the most frequent ones are counted together.
MAX_CATEGORIES = 500
# A profile travels in an event, and takes at most half of it: with very many features, each has fewer bins or
# categories. What a feature takes beside them (its name, its keys), and what a bin takes (its edge, its count):
MAX_BYTES = 512 * 1024
_FRAME_BYTES, _BIN_BYTES = 150, 40


def of_features(features: Mapping[str, Feature], rows: pl.DataFrame) -> dict[str, FeatureProfile]:
    """Describe the rows of a training, holdout included, feature by feature."""
    room = MAX_BYTES // len(features) - _FRAME_BYTES
    return {name: _feature(feature, rows[name], room) for name, feature in features.items()}


def numeric(values: NDArray[np.float32], bins: int = BINS) -> NumericProfile:
    """Count values in bins that hold about as many each; NaN is missing. Equal edges are one."""
    present = values[~np.isnan(values)]
    finite = present[np.isfinite(present)]
    # "lower" takes edges from the data: an interpolated edge beside a frequent value would be a bin of rounding error.
    edges = np.unique(np.quantile(finite, np.arange(1, bins) / bins, method="lower")) if len(finite) else finite
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    return NumericProfile(
        edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), missing=len(values) - len(present)
    )


def categorical(values: pl.Series, room: int = MAX_BYTES) -> CategoricalProfile:
    """Count the categories, as many as take `room` bytes in JSON; null and the empty text are missing.

    One whose text is long is counted with the rare ones as `other`. The monitor takes every category that is not listed
    for one of those, so both count alike.
    """
    text = values.cast(pl.String).fill_null("").alias("category")
    present = text.filter(text != "")
    listed = _listed(present, room)
    other = present.len() - sum(listed.values())
    return CategoricalProfile(counts=listed, other=other, missing=text.len() - present.len())


def _listed(present: pl.Series, room: int) -> dict[str, int]:
    """Return the most frequent categories and their counts, in alphabetical order."""
    counted = present.value_counts().filter(pl.col("category").str.len_bytes() <= text_limits.MAX_BYTES)
    listed: dict[str, int] = {}
    for category, count in (
        counted.sort(["count", "category"], descending=[True, False]).head(MAX_CATEGORIES).iter_rows()
    ):
        room -= text_limits.json_bytes(category) + len(f":{count},")
        if room < 0:
            break
        listed[category] = count
    return dict(sorted(listed.items()))


def _feature(feature: Feature, values: pl.Series, room: int) -> FeatureProfile:
    if feature.type == "category":
        return categorical(values, room)
    bins = min(BINS, max(1, room // _BIN_BYTES))
    return numeric(values.cast(pl.Float32).fill_null(float("nan")).to_numpy(), bins)
