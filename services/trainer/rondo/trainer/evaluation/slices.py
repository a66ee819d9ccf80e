"""Metrics by the values of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.training_evidence import SliceMetrics
from rondo.trainer.evaluation.metrics import compute_all
from rondo.trainer.evaluation.reference_profile import MAX_CATEGORY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.trainer.evaluation.metrics import Scored

# Of a column with more values, only the largest slices are evaluated: smaller ones have too few rows for a verdict.
MAX_SLICES = 1_000


def evaluate_slices(values: pl.Series, scored: Scored, metrics: tuple[str, ...]) -> Iterator[SliceMetrics]:
    """Yield the metrics of the rows with each value; a missing value is the text "". Shape of `values`: `[rows]`."""
    text = values.cast(pl.String).fill_null("")
    counted = text.value_counts(sort=False).filter(pl.col(values.name).str.len_chars() <= MAX_CATEGORY_CHARACTERS)
    largest = counted.sort(["count", values.name], descending=[True, False]).head(MAX_SLICES)
    for value in sorted(largest[values.name].to_list()):
        chosen = (text == value).to_numpy()
        part = scored.take(chosen)
        yield SliceMetrics(column=values.name, value=value, rows=len(part), metrics=compute_all(metrics, part))
