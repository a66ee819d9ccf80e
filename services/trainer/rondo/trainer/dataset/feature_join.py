"""Joins features of other datasets to published rows, as they were known at the event time of each row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from rondo.chassis.features import point_in_time
from rondo.chassis.features.point_in_time import FeatureGroup, groups
from rondo.chassis.features.steps import available, steps
from rondo.trainer.dataset.batches import publication_order
from rondo.trainer.dataset.columns import TIME, feature, inexact_mark, pop_inexact, stored_type
from rondo.trainer.errors import InexactIntegerError, KnownAtTypeError, SourceUnknownError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rondo.contracts.spec.dataset.source import SourceDataset
    from rondo.contracts.spec.model import ModelSpec


@dataclass(frozen=True)
class SourceTable:
    """The table of a source. `rows` is None if nothing was published to it yet.

    `publications` maps its batches to their place in the order of publishing. All publications of a row count, because
    an earlier one may be what was known.
    """

    source: SourceDataset
    rows: pl.LazyFrame | None
    publications: Mapping[str, int] = field(default_factory=dict)


def with_joined(spec: ModelSpec, sources: Sequence[SourceTable], rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the features of other datasets, in the types of the model, and the marks of `pop_inexact`.

    The value of a feature is the one that was known at the row's event time. Rows and their order stay.

    Raises:
        SourceUnknownError: the event of the spec has nothing about a source.
        KnownAtTypeError: the column `known_at` of a source is stored as another type than a time.

    """
    known = {table.source.dataset: table for table in sources}
    if unknown := {each.source for each in spec.features.values() if each.source is not None} - known.keys():
        raise SourceUnknownError(min(unknown))
    for group in groups(spec.features, [table.source for table in sources]):
        rows = _joined(spec, group, known[group.source.dataset], rows)
    return rows


def exact(spec: ModelSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `with_joined` without the marks.

    Raises:
        InexactIntegerError: an `int` feature has a value that float32 can't hold exactly.

    """
    rows, inexact = pop_inexact(rows)
    if inexact:
        source = spec.features[inexact[0]].source
        raise InexactIntegerError(
            source or spec.data.dataset, [name for name in inexact if spec.features[name].source == source]
        )
    return rows


def _joined(spec: ModelSpec, group: FeatureGroup, table: SourceTable, rows: pl.DataFrame) -> pl.DataFrame:
    source, at = table.source, spec.data.event_time
    present = {} if table.rows is None else table.rows.collect_schema()
    # A table may lack columns: the declaration is newer than its rows. Then no row has a key, or none was ever known.
    needed = [*source.entity, source.event_time, *([] if source.known_at is None else [source.known_at])]
    if table.rows is None or rows.is_empty() or not present.keys() >= set(needed):
        types = ((name, stored_type(spec.features[name])) for name in group.columns)
        return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in types)
    if source.known_at is not None and not isinstance(present[source.known_at], pl.Datetime):
        raise KnownAtTypeError(source.dataset, source.known_at)
    values = {name: feature(name, spec.features[name], column, present) for name, column in group.columns.items()}
    for name, column in group.columns.items():
        if (mark := inexact_mark(name, spec.features[name], column, present)) is not None:
            values[mark.meta.output_name()] = mark
    found = available(
        _within_reach(group, table.rows, rows[at].min(), rows[at].max()),  # type: ignore[arg-type] # times
        source,
        values.values(),
        publication_order(table.publications, present),
    )
    group = replace(group, columns={name: name for name in values})
    return point_in_time.join(rows, at, group, steps(found, source).collect())


def _within_reach(group: FeatureGroup, rows: pl.LazyFrame, first: datetime, last: datetime) -> pl.LazyFrame:
    """Return the rows that may be the value at a time from `first` to `last`.

    A row that is too old for all of them replaces no younger one, so it can be left out.
    """
    event_time = pl.col(group.source.event_time).cast(TIME)
    if group.max_age is not None:
        rows = rows.filter(event_time >= pl.lit(first, TIME) - group.max_age)
    return rows.filter(event_time <= last)
