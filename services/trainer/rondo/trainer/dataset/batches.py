"""The rows of the published batches. An occurrence that was published twice counts once, as published last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rondo.trainer.dataset.columns import TIME, feature, occurrence, required
from rondo.trainer.errors import ColumnMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.contracts.spec.model import ModelSpec

# Ingestion names each row's batch in this column.
BATCH_ID = "batch_id"
# No column of a dataset has a dot in its name.
_PUBLICATION = "published.order"


def rows(spec: ModelSpec, table: pl.LazyFrame, publications: Mapping[str, int]) -> pl.LazyFrame:
    """Return entity, event time, label and features of each row, and what `newest` needs.

    `publications` are the batches with their place in the order of publishing.

    Raises:
        ColumnMissingError: a column that the spec names is not in the data, and is not an optional feature.

    """
    data, present = spec.data, set(table.collect_schema())
    if missing := [name for name in (data.entity, data.event_time, data.label, *required(spec)) if name not in present]:
        raise ColumnMissingError(data.dataset, missing)
    return table.select(
        pl.col(data.entity).cast(pl.String),
        pl.col(data.event_time).cast(TIME),
        pl.col(data.label).cast(pl.Float32),
        *(feature(name, described, name, present) for name, described in spec.features.items()),
        _order(publications, present),
    )


def newest(spec: ModelSpec, published: pl.DataFrame) -> pl.DataFrame:
    """Keep of each occurrence the row that was published last; within one batch the last in the order of values."""
    key = occurrence(spec)
    ordered = published.sort(*key, _PUBLICATION, spec.data.label, *spec.features)
    return ordered.unique(key, keep="last", maintain_order=True).drop(_PUBLICATION)


def _order(publications: Mapping[str, int], present: set[str]) -> pl.Expr:
    """A batch that nobody knows the place of (a foreign writer's, say) counts as older than all others."""
    unknown = pl.lit(-1, pl.Int64)
    if BATCH_ID not in present or not publications:
        return unknown.alias(_PUBLICATION)
    old, new = list(publications), list(publications.values())
    place = pl.col(BATCH_ID).replace_strict(old, new, default=-1, return_dtype=pl.Int64)
    return place.alias(_PUBLICATION)
