"""The variation of the columns and the losses of a reference over stretches of rows. The monitor compares with it.

A stretch is short if there are few rows, so that the monitor can compose the blocks that it needs of whole stretches.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.chassis.profiles.autocorrelation import autocorrelation_time, autocorrelation_time_of_bins
from rondo.chassis.profiles.binning import Binning
from rondo.chassis.profiles.components import OUT_OF_RANGE, UNSEEN, components
from rondo.chassis.profiles.projections import Projector, projection_name
from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.training_evidence import (
    CategoricalProfile,
    ColumnBlocks,
    LossReference,
    NumericProfile,
    Projections,
    ReferenceBlocks,
    UnknownProfile,
)
from rondo.trainer.evaluation.reference_profile import as_numbers, feature_column, numeric
from rondo.trainer.evaluation.unseen_categories import shares_unseen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.training_evidence import FeatureProfile
    from rondo.trainer.evaluation.metrics.scored import Scored

MOST_STRETCHES = 512
# There may be hundreds of slices, so each has fewer stretches.
MOST_STRETCHES_OF_SLICE = 128
# The standard error of a correlation of this many rows is 0.003.
_ROWS_OF_AUTOCORRELATION = 1 << 17
# The evidence is a JSON document, so digits cost space. The noise of a component is far above this precision.
_DECIMALS = 9
PROJECTIONS = 8
_DECIMALS_OF_WEIGHTS = 6


def of_features(
    profiles: Mapping[str, FeatureProfile], rows: pl.DataFrame
) -> tuple[ReferenceBlocks, Projections | None]:
    """Return the blocks of the profiled features, and projections of them, for rows in order of event time."""
    columns = (
        (name, feature_column(rows[name], is_category=isinstance(profile, CategoricalProfile)))
        for name, profile in profiles.items()
    )
    return of_columns(profiles, columns, rows.height)


def of_columns(
    profiles: Mapping[str, FeatureProfile], arrays: Iterable[tuple[str, pa.Array]], rows: int
) -> tuple[ReferenceBlocks, Projections | None]:
    """Return the same as `of_features`, from names and columns of `feature_column` in the order of the profiles."""
    weights, stretch = draw(profiles), _stretch(rows)
    projector = Projector.of(profiles, weights)
    projected = projector.zeros(rows)
    columns: dict[str, ColumnBlocks] = {}
    # One column at a time, because the bins of all rows and columns may exceed the memory.
    for column, (_, values) in zip(Binning.of_columns(profiles, {}).columns, arrays, strict=True):
        profile = profiles[column.name]
        bins = column.bins(pa.table({column.column: values}))
        projector.add(projected, column.name, bins)
        found = _column_blocks(profile, bins, stretch)
        means = found.means | _beyond_others(values, stretch, profile)
        columns[column.name] = found.model_copy(update={"means": means})
    return ReferenceBlocks(rows=stretch, columns=columns), _projections(weights, projected.T.copy(), stretch)


def of_outputs(profiles: Mapping[str, FeatureProfile], scored: Scored, *, refitted: bool = False) -> ReferenceBlocks:
    """Return the blocks of the profiled outputs for scored rows in order of event time.

    If the model is refitted, the served model is another one, and is surer of the same rows. Only the latest stretch is
    returned then, and the monitor extends this reference by the first live rows.
    """
    labels = pa.array(scored.task.labels, pa.string())
    values = {name: pa.array(scored.outputs[name]) for name in profiles}
    columns = {
        f"{OUTPUT}{name}": labels.take(values[name]) if isinstance(profile, CategoricalProfile) else values[name]
        for name, profile in profiles.items()
    }
    table, stretch, binning = pa.table(columns), _stretch(len(scored)), Binning.of_columns({}, profiles)
    blocks = {
        name: _column_blocks(profile, column.bins(table), stretch)
        for (name, profile), column in zip(profiles.items(), binning.columns, strict=True)
    }
    return ReferenceBlocks(rows=stretch, columns=_latest(blocks) if refitted else blocks)


def _latest(blocks: Mapping[str, ColumnBlocks]) -> dict[str, ColumnBlocks]:
    return {
        name: each.model_copy(update={"means": {part: means[-1:] for part, means in each.means.items()}})
        for name, each in blocks.items()
    }


def of_losses(fitted: FittedTask, counted: pa.Table) -> LossReference | None:
    """Return the reference of the losses of the holdout. None if it has no losses.

    `counted` has the columns of `contracts.tasks.sketches`, its rows in order of event time.
    """
    task = task_named(fitted.task)
    largest = task.largest_loss(fitted, counted)
    uncovered = task.uncovered(fitted, counted)
    bias = task.bias(fitted, counted, largest)
    beside = {"uncovered": uncovered, "bias": bias}
    known = {name: values for name, values in beside.items() if values is not None}
    found = np.array([task.losses(fitted, counted, largest), *known.values()])
    if (cut := _in_stretches(found, MOST_STRETCHES)) is None:
        return None
    rows, within, (means, *others) = cut
    return LossReference(
        rows=rows,
        autocorrelation_rows=within,
        means=means,
        largest=largest,
        **dict(zip(known, others, strict=True)),
    )


def of_slice_losses(losses: NDArray[np.float64]) -> LossReference | None:
    """Return the reference of the losses of a slice, in order of event time. None if no loss is finite."""
    if (cut := _in_stretches(losses[None], MOST_STRETCHES_OF_SLICE)) is None:
        return None
    rows, within, (means,) = cut
    return LossReference(rows=rows, autocorrelation_rows=within, means=means)


def _in_stretches(values: NDArray[np.float64], most: int) -> tuple[int, float, tuple[tuple[float, ...], ...]] | None:
    """Cut figures of rows, shape `[figures, rows]`, into at most `most` stretches. Rows with a NaN do not count.

    Returns the rows of a stretch, the autocorrelation time in rows, and the means of each figure.
    """
    found = values[:, np.isfinite(values).all(axis=0)]
    if not found.shape[1]:
        return None
    rows = _stretch(found.shape[1], most)
    found = found[:, found.shape[1] % rows :]
    within = autocorrelation_time(found, 1, below=rows)
    return rows, within, tuple(_rounded(each.reshape(-1, rows).mean(axis=1)) for each in found)


def draw(profiles: Mapping[str, FeatureProfile]) -> dict[str, tuple[float, ...]]:
    """Return the weights in the projections of each numeric feature that varies. Empty for fewer than two features.

    The weights of a projection are a random direction. It depends only on the names and edges of the features, so the
    same training has the same evidence.
    """
    edges = {
        name: profile.edges
        for name, profile in profiles.items()
        if isinstance(profile, NumericProfile) and sum(count > 0 for count in profile.counts) > 1
    }
    if len(edges) < 2:  # noqa: PLR2004 - with one, a projection is the feature
        return {}
    content = blake2b(json.dumps(edges).encode(), digest_size=8).digest()
    directions = np.random.default_rng(int.from_bytes(content)).standard_normal((len(edges), PROJECTIONS))
    directions /= np.sqrt((directions**2).sum(axis=0))
    rounded = np.round(directions, _DECIMALS_OF_WEIGHTS).tolist()
    return {name: tuple(row) for name, row in zip(edges, rounded, strict=True)}


def _stretch(rows: int, most: int = MOST_STRETCHES) -> int:
    return max(1, -(-rows // most))


def _projections(
    weights: dict[str, tuple[float, ...]], projected: NDArray[np.float32], stretch: int
) -> Projections | None:
    """Return profiles and blocks of the projected rows, shape `[projections, rows]`."""
    if not weights:
        return None
    profiles: dict[str, FeatureProfile] = {
        projection_name(number): numeric(values) for number, values in enumerate(projected, start=1)
    }
    blocks = {
        column.name: _column_blocks(profiles[column.name], column.bins_of(values), stretch)
        for column, values in zip(Binning.of_columns(profiles, {}).columns, projected, strict=True)
    }
    return Projections(weights=weights, profiles=profiles, blocks=blocks)


def _column_blocks(profile: FeatureProfile, bins: NDArray[np.int64], rows: int) -> ColumnBlocks:
    """Return the blocks of a column from the bins of its rows, in stretches of `rows` rows."""
    assert not isinstance(profile, UnknownProfile)  # noqa: S101 - made by this release
    watched, bins = components(profile), bins[len(bins) % rows :]
    size = len(watched.values)
    stretches = len(bins) // rows
    places = bins.reshape(stretches, rows) + size * np.arange(stretches)[:, None]
    counts = np.bincount(places.ravel(), minlength=stretches * size).reshape(stretches, size)
    found = watched.values[counts.any(axis=0)]
    # A component with the same value in every row has no autocorrelation.
    moving = np.flatnonzero((found != found[:1]).any(axis=0))
    latest = bins[-_ROWS_OF_AUTOCORRELATION:]
    within = autocorrelation_time_of_bins(watched.values[:, moving], latest, below=rows)
    means = zip(watched.names, watched.means(counts).T, strict=True)
    return ColumnBlocks(autocorrelation_rows=within, means={name: _rounded(values) for name, values in means})


def _beyond_others(values: pa.Array, rows: int, profile: FeatureProfile) -> dict[str, tuple[float, ...]]:
    """Return the share of each stretch with values that all other rows lack, by the name of the component."""
    if pa.types.is_dictionary(values.type):
        return {UNSEEN: _rounded(shares_unseen(values, rows))} if len(values) >= 2 * rows else {}
    assert isinstance(profile, NumericProfile)  # noqa: S101 - of the same column
    return _out_of_range(values, rows, profile)


def _out_of_range(values: pa.Array, rows: int, profile: NumericProfile) -> dict[str, tuple[float, ...]]:
    """Return the share of each stretch beyond the values of all other rows, by the name of the component.

    No row is beyond the values of all rows, and live rows are now and then. So each stretch is compared with the
    others, as a live one is. Only those with the least and the greatest value have such rows. Empty without a finite
    value, and where an outer bin of the profile has rows: infinite ones, or those near the greatest float32, above
    which there is no edge. The monitor counts such live rows as out of range, and ordinary ones beside them.
    """
    if profile.counts[0] or profile.counts[-1]:
        return {}
    found = as_numbers(values)
    known, first = np.isfinite(found), len(found) % rows
    if not known.any() or len(found) < 2 * rows:
        return {}
    of_all = bool(known.all())
    beyond = np.zeros(((len(found) - first) // rows, rows), np.bool_)
    for sign in (np.float32(1), np.float32(-1)):
        signed = sign * found if of_all else np.where(known, sign * found, np.float32(-np.inf))
        stretches = signed[first:].reshape(-1, rows)
        greatest = stretches.max(axis=1)
        at = int(greatest.argmax())
        others = max(np.delete(greatest, at).max(), signed[:first].max(initial=-np.inf))
        beyond[at] |= stretches[at] > others
    return {OUT_OF_RANGE: _rounded(beyond.mean(axis=1))}


def _rounded(means: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.round(means, _DECIMALS).tolist())
