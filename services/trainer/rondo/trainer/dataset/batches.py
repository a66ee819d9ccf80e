"""Rows of published batches. If a row was published several times, only its last publication counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rondo.trainer.dataset.columns import TIME, feature, inexact_marks, label, outsides, pop_inexact, required_sent
from rondo.trainer.errors import ColumnMissingError, InexactIntegerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rondo.contracts.spec.model import ModelSpec

# Ingestion writes the id of each row's batch into this column.
BATCH_ID = "batch_id"
# No column of a dataset has a dot in its name.
_PUBLICATION, _OUTSIDE = "published.order", "published.outside"


def published_rows(spec: ModelSpec, table: pl.LazyFrame, publications: Mapping[str, int]) -> pl.LazyFrame:
    """Return entity, event time, label and features of each row, and helper columns for `latest_publication`.

    Features that are joined from other datasets are not in it.

    `publications` maps batches to their place in the order of publishing.

    Raises:
        ColumnMissingError: the table lacks a column that the spec names and that is no optional feature.

    """
    data, present = spec.data, table.collect_schema()
    if missing := [
        name for name in (data.entity, data.event_time, data.label, *required_sent(spec)) if name not in present
    ]:
        raise ColumnMissingError(data.dataset, missing)
    return table.select(
        pl.col(data.entity).cast(pl.String),
        pl.col(data.event_time).cast(TIME),
        label(spec, pl.col(data.label), present[data.label]).alias(data.label),
        *(feature(name, described, name, present) for name, described in spec.features.items() if described.is_sent),
        *inexact_marks(spec, present),
        publication_order(publications, present).alias(_PUBLICATION),
    )


def latest_publication(spec: ModelSpec, published: pl.DataFrame) -> pl.DataFrame:
    """Keep the last published version of each row. Within one batch the last version in the order of values counts.

    Rows that a request could not have are then dropped, because the model never predicts them: the dataset, or an
    earlier spec, may allow more values than the model does. A row that was corrected to a value outside the limits is
    dropped as well.

    Raises:
        InexactIntegerError: an `int` feature of such a row has a value that float32 can't hold exactly.

    """
    key = spec.data.row_key
    ordered = published.sort(*key, _PUBLICATION, spec.data.label, *_sent(spec))
    latest = ordered.unique(key, keep="last", maintain_order=True).drop(_PUBLICATION)
    rows, inexact = pop_inexact(_within_limits(spec, latest))
    if inexact:
        raise InexactIntegerError(spec.data.dataset, inexact)
    return rows


def _within_limits(spec: ModelSpec, published: pl.DataFrame) -> pl.DataFrame:
    outside = list(outsides(spec).values())
    if not outside:
        return published
    mask = published.select(pl.any_horizontal(outside).alias(_OUTSIDE))[_OUTSIDE]
    # A filter would copy all rows.
    return published.filter(~mask) if mask.any() else published


def _sent(spec: ModelSpec) -> list[str]:
    return [name for name, described in spec.features.items() if described.is_sent]


def publication_order(publications: Mapping[str, int], present: Iterable[str]) -> pl.Expr:
    """Return the position of each row's batch. An unknown batch, for example of another writer, comes first."""
    unknown = pl.lit(-1, pl.Int64)
    if BATCH_ID not in present or not publications:
        return unknown
    old, new = list(publications), list(publications.values())
    return pl.col(BATCH_ID).replace_strict(old, new, default=-1, return_dtype=pl.Int64)
