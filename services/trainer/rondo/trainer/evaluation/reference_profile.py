"""Builds the reference profile: counts of the training rows in fixed bins, which the monitor compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from rondo.chassis.profiles.dictionary_codes import codes_of
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.training_evidence import FeatureProfile
    from rondo.trainer.evaluation.metrics.scored import Scored

BINS = 20
# The mean of fewer values is too uncertain, and further halving changes nothing.
_FEWEST_IN_TAIL, _MOST_HALVINGS = 30, 9
# No class is the empty text.
UNKNOWN_CLASS = ""
# Rarer categories hold too few rows for a distance. They are counted together.
MAX_CATEGORIES = 500
# A longer text is free text, not a category.
MAX_CATEGORY_CHARACTERS = 256
_ROWS = "rows"
_INFINITE = np.float32(np.inf)


def of_features(features: Mapping[str, Feature], rows: pl.DataFrame) -> dict[str, FeatureProfile]:
    """Profile the rows of a training, holdout included, feature by feature."""
    return {
        name: of_column(feature_column(rows[name], is_category=feature.type == "category"))
        for name, feature in features.items()
    }


def feature_column(values: pl.Series, *, is_category: bool) -> pa.Array:
    """Return dictionary-encoded texts, or float32. Null where a value is missing. Shape `[rows]`.

    Profile, blocks and hashes of a column then process each distinct text once, instead of the text of each row.
    """
    if not is_category:
        return values.cast(pl.Float32).to_arrow()
    if isinstance(values.dtype, pl.Enum):
        return values.to_arrow(compat_level=pl.CompatLevel.oldest())
    return values.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()


def of_column(values: pa.Array) -> FeatureProfile:
    """Profile a column that `feature_column` made."""
    if not pa.types.is_dictionary(values.type):
        return numeric(as_numbers(values))
    texts = pl.Series("category", values.dictionary.cast(pa.large_string()))
    counts = np.bincount(codes_of(values, len(texts)), minlength=len(texts) + 1)[: len(texts)]
    return _of_counts(texts, counts, len(values))


def as_numbers(values: pa.Array) -> NDArray[np.float32]:
    """Return float32 of Arrow as an array. Null becomes NaN. Without nulls it is not copied."""
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float32)


def of_outputs(scored: Scored) -> dict[str, FeatureProfile]:
    """Profile the outputs of a model on N rows, by name: those that are `watched`, without probabilities."""
    found: dict[str, FeatureProfile] = {}
    for output in task_named(scored.task.task).outputs(scored.task):
        if output.watched and output.kind == "number":
            found[output.name] = numeric(scored.outputs[output.name], fine_tails=True)
        elif output.watched and output.kind == "label":
            labels = pl.Series(output.name, scored.task.labels, pl.String)
            found[output.name] = categorical(labels.gather(scored.outputs[output.name].tolist()))
    return found


def counted_rows(scored: Scored) -> pa.Table:
    """Return predictions and outcomes as a performance sketch counts them (`contracts.tasks.sketches`)."""
    task, labels = task_named(scored.task.task), pa.array(scored.task.labels, pa.string())
    columns: dict[str, pa.Array] = {}
    for name, output in task.counted.items():
        if (found := scored.outputs.get(output)) is not None:
            columns[name] = labels.take(pa.array(found)) if name == "label" else pa.array(found, pa.float32())
    if task.labels(None, None).storage == "text":
        targets = pa.array(scored.targets.astype(np.int64), mask=scored.targets >= len(labels))
        # A class that the model does not know counts as wrong, whatever its name.
        columns["outcome_label"] = labels.take(targets).fill_null(UNKNOWN_CLASS)
    else:
        columns["outcome"] = pa.array(scored.targets, pa.float64())
    missing = (field for field in (*PREDICTED, *OBSERVED) if field.name not in columns)
    columns |= {field.name: pa.nulls(len(scored), field.type) for field in missing}
    return pa.table(columns, schema=pa.schema([*PREDICTED, *OBSERVED]))


def numeric(values: NDArray[np.float32], *, fine_tails: bool = False) -> NumericProfile:
    """Count values in bins of about equal counts. NaN is missing.

    With `fine_tails` the outer bins are halved towards either end, as long as they have enough values. If the live
    predictions move into a tail, the expected performance is that of the tail, and not that of a whole outer bin.

    Values that the training data lacks have separate bins: below the least and above the greatest value, and beside
    each value that fills a bin alone. Otherwise a constant, or a feature that mostly has one value, would share its bin
    with every other value, and could not drift. There are at most `2 * BINS + 1` edges, and 18 more with fine tails.
    """
    # The addition turns -0.0 into 0.0, so that an edge is written as 0.0. NaN is the last in the order.
    ordered = np.sort(values + np.float32(0))
    present = ordered[: np.searchsorted(ordered, np.float32(np.nan))]
    finite = present[np.searchsorted(present, -_INFINITE, "right") : np.searchsorted(present, _INFINITE)]
    edges = _edges(finite, _tails(len(finite)) if fine_tails else [])
    counts = np.diff(np.searchsorted(present, edges), prepend=0, append=len(present))
    return NumericProfile(
        edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), missing=len(values) - len(present)
    )


def _tails(count: int) -> list[float]:
    """Return the shares of `count` values that are below the additional edges of fine tails."""
    shares = [0.5**halving / BINS for halving in range(1, _MOST_HALVINGS + 1)]
    found = [share for share in shares if share * count >= _FEWEST_IN_TAIL]
    return [*found, *(1 - share for share in found)]


def _edges(ordered: NDArray[np.float32], tails: Sequence[float]) -> NDArray[np.float32]:
    """Return the edges of sorted finite values."""
    if not len(ordered):
        return np.empty(0, np.float32)
    shares = np.sort([*np.arange(BINS + 1) / BINS, *tails])
    # Edges are values of the data: an interpolated edge next to a frequent value would make a bin of rounding errors.
    least, *quantiles, greatest = ordered[((len(ordered) - 1) * shares).astype(np.int64)]
    distinct, repeats = np.unique(quantiles, return_counts=True)
    upper_ends = np.append(distinct[repeats > 1], greatest)
    with np.errstate(over="ignore"):  # no value is above the greatest float32
        above = np.nextafter(upper_ends, _INFINITE)
    return np.unique(np.concatenate([[least], distinct, above[np.isfinite(above)]]))


def categorical(values: pl.Series) -> CategoricalProfile:
    """Count the most frequent categories. Null and the empty text are missing.

    Rare categories and long texts are counted as `other`. The monitor counts every category that is not listed as
    `other`, too.
    """
    text = values.cast(pl.String).alias("category")
    counts = text.drop_nulls().value_counts(name=_ROWS)
    return _of_counts(counts["category"], counts[_ROWS].to_numpy(), text.len())


def _of_counts(texts: pl.Series, counts: NDArray[np.integer[Any]], rows: int) -> CategoricalProfile:
    """Return the profile of a column of `rows` rows from the count of each text. The remaining rows are missing."""
    present = pl.DataFrame({"category": texts, _ROWS: counts}).filter(pl.col("category") != "", pl.col(_ROWS) > 0)
    short = present.filter(pl.col("category").str.len_chars() <= MAX_CATEGORY_CHARACTERS)
    listed = dict(short.sort([_ROWS, "category"], descending=[True, False]).head(MAX_CATEGORIES).iter_rows())
    known = int(present[_ROWS].sum())
    return CategoricalProfile(
        counts=dict(sorted(listed.items())), other=known - sum(listed.values()), missing=rows - known
    )
