"""How the columns and the losses of a reference move from stretch to stretch, which the monitor compares with.

A stretch is short where rows are few, so that the monitor can cut the blocks that it needs from whole stretches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from rondo.chassis.profiles.autocorrelation import autocorrelation_time
from rondo.chassis.profiles.binning import Binning
from rondo.chassis.profiles.components import components
from rondo.contracts.events.logs import FEATURE, OUTPUT
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.training_evidence import (
    CategoricalProfile,
    ColumnBlocks,
    LossReference,
    NumericProfile,
    ReferenceBlocks,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import ColumnBins
    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.training_evidence import FeatureProfile
    from rondo.trainer.evaluation.metrics import Scored

MOST_STRETCHES = 512
# The evidence is a JSON document; a component's noise is far above this.
_DECIMALS = 9


def of_features(profiles: Mapping[str, FeatureProfile], rows: pl.DataFrame) -> ReferenceBlocks:
    """Return how the profiled features move over rows that are in order of event time."""
    columns = {f"{FEATURE}{name}": _column(profile, rows[name]) for name, profile in profiles.items()}
    return _blocks(Binning.of_columns(profiles, {}), profiles, pa.table(columns))


def of_outputs(profiles: Mapping[str, FeatureProfile], scored: Scored) -> ReferenceBlocks:
    """Return how the profiled outputs move over scored rows that are in order of event time."""
    labels = pa.array(scored.task.labels, pa.string())
    values = {name: pa.array(scored.outputs[name]) for name in profiles}
    columns = {
        f"{OUTPUT}{name}": labels.take(values[name]) if isinstance(profile, CategoricalProfile) else values[name]
        for name, profile in profiles.items()
    }
    return _blocks(Binning.of_columns({}, profiles), profiles, pa.table(columns))


def of_losses(fitted: FittedTask, counted: pa.Table) -> LossReference | None:
    """Return how the losses of the holdout move; None where it has none.

    `counted` has the columns of `contracts.tasks.sketches`, its rows in order of event time.
    """
    task = task_named(fitted.task)
    largest = task.largest_loss(fitted, counted)
    losses = task.losses(fitted, counted, largest)
    losses = losses[np.isfinite(losses)]
    if not len(losses):
        return None
    rows = _stretch(len(losses))
    losses = losses[len(losses) % rows :]
    memory = autocorrelation_time(losses[None, :], 1, below=rows)
    return LossReference(
        rows=rows, memory=memory, means=_rounded(losses.reshape(-1, rows).mean(axis=1)), largest=largest
    )


def _stretch(rows: int) -> int:
    return max(1, -(-rows // MOST_STRETCHES))


def _column(profile: FeatureProfile, values: pl.Series) -> pa.ChunkedArray:
    stored = values.cast(pl.Float32 if isinstance(profile, NumericProfile) else pl.String)
    return pa.chunked_array([stored.to_arrow(compat_level=pl.CompatLevel.oldest())])


def _blocks(binning: Binning, profiles: Mapping[str, FeatureProfile], table: pa.Table) -> ReferenceBlocks:
    rows = _stretch(table.num_rows)
    # One column at a time: the bins of all rows and columns may not fit memory.
    columns = {
        name: _column_blocks(profile, column, table, rows)
        for (name, profile), column in zip(profiles.items(), binning.columns, strict=True)
        if isinstance(profile, NumericProfile | CategoricalProfile)
    }
    return ReferenceBlocks(rows=rows, columns=columns)


def _column_blocks(
    profile: NumericProfile | CategoricalProfile, column: ColumnBins, table: pa.Table, rows: int
) -> ColumnBlocks:
    bins = column.bins(table)[table.num_rows % rows :]
    stretches = len(bins) // rows
    places = bins.reshape(stretches, rows) + column.size * np.arange(stretches)[:, None]
    counts = np.bincount(places.ravel(), minlength=stretches * column.size).reshape(stretches, column.size)
    watched = components(profile)
    found = watched.values[counts.any(axis=0)]
    # One component at a time for memory's sake; one that has the same value in every row remembers nothing.
    moving = np.flatnonzero((found != found[:1]).any(axis=0))
    times = (autocorrelation_time(watched.values[:, at][bins][None, :], 1, below=rows) for at in moving)
    means = zip(watched.names, watched.means(counts).T, strict=True)
    return ColumnBlocks(memory=max(times, default=1.0), means={name: _rounded(values) for name, values in means})


def _rounded(means: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.round(means, _DECIMALS).tolist())
