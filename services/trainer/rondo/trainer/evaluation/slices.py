"""Metrics by the values of a column, for the gates, and as a reference for the monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from rondo.chassis.profiles.slices import MOST_COLUMNS, MOST_VALUES, texts
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.training_evidence import PerformanceFigure, SliceMetrics, SliceReference
from rondo.trainer.evaluation.metrics.metrics import compute_all
from rondo.trainer.evaluation.reference_blocks import of_slice_losses
from rondo.trainer.evaluation.reference_profile import MAX_CATEGORY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.tasks.base import FittedTask
    from rondo.trainer.evaluation.metrics.scored import Scored

# If a column has more values, only the largest slices are evaluated: smaller ones have too few rows for a verdict.
MAX_SLICES = 1_000
# A column may be called `count`. None has a dot in its name.
_ROWS = "slice.rows"


def evaluate_slices(values: pl.Series, scored: Scored, metrics: tuple[str, ...]) -> Iterator[SliceMetrics]:
    """Yield the metrics of the rows with each value. A missing value is the text "". Shape of `values`: `[rows]`."""
    text = values.cast(pl.String).fill_null("")
    counted = text.value_counts(sort=False, name=_ROWS).filter(
        pl.col(values.name).str.len_chars() <= MAX_CATEGORY_CHARACTERS
    )
    largest = counted.sort([_ROWS, values.name], descending=[True, False]).head(MAX_SLICES)
    for value in sorted(largest[values.name].to_list()):
        chosen = (text == value).to_numpy()
        part = scored.take(chosen)
        yield SliceMetrics(column=values.name, value=value, rows=len(part), metrics=compute_all(metrics, part))


def reference_slices(
    spec: ModelSpec, rows: pl.DataFrame, task: FittedTask, counted: pa.Table
) -> Iterator[SliceReference]:
    """Yield the slices of the holdout with `gates.min_slice_rows` rows or more, at most the largest 50 of each column.

    `counted` are the same rows, in order of event time, as a performance sketch counts them. Parts of dates are in no
    inference log, so such a column has no slices.
    """
    gates, kind = spec.gates, task_named(task.task)
    sketch, losses = kind.group_sketch(task), kind.losses(task, counted, kind.largest_loss(task, counted))
    fairness = (gates.fairness.by,) if gates.fairness else ()
    for column in [*dict.fromkeys((*fairness, *gates.slices))][:MOST_COLUMNS]:
        if column not in spec.features:
            continue
        values = _texts(rows[column], is_category=spec.features[column].type == "category")
        sizes = values.value_counts(sort=False, name=_ROWS).filter(
            (pl.col(_ROWS) >= gates.min_slice_rows) & (pl.col(values.name).str.len_chars() <= MAX_CATEGORY_CHARACTERS)
        )
        largest = sizes.sort([_ROWS, values.name], descending=[True, False]).head(MOST_VALUES)
        for value in sorted(largest[values.name].to_list()):
            chosen = (values == value).to_numpy()
            mine = counted.filter(pa.array(chosen))
            found = sketch.figures(sketch.count(mine)).items()
            figures = {name: PerformanceFigure(value=each.value, error=each.error) for name, each in found}
            loss = of_slice_losses(losses[chosen])
            yield SliceReference(column=column, value=value, rows=mine.num_rows, performance=figures, loss=loss)


def _texts(column: pl.Series, *, is_category: bool) -> pl.Series:
    stored = column.cast(pl.String if is_category else pl.Float32)
    arrow = stored.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pl.Series(column.name, texts(arrow).to_pylist(), pl.String)
