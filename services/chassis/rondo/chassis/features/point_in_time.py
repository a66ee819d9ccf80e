"""Joins features to rows as they were known at the time of each row: exactly one row out for each row in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.chassis.features.steps import AVAILABLE_AT, EVENT_TIME, TIME, key_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from rondo.contracts.spec.data import Feature
    from rondo.contracts.spec.dataset.source import SourceDataset

# No column of a spec has a dot in its name.
_ROW, _AT, _STEP = "join.row", "join.at", "join.step"


@dataclass(frozen=True)
class FeatureGroup:
    """Features that one join finds: of one source, by the same columns, and up to the same age.

    `on` are the columns of the rows, in the order of the source's entity. `columns` has the source's column of each
    feature. With `max_age` None a value of any age counts.
    """

    source: SourceDataset
    on: tuple[str, ...]
    max_age: timedelta | None
    columns: Mapping[str, str] = field(default_factory=dict)


def groups(features: Mapping[str, Feature], sources: Iterable[SourceDataset]) -> tuple[FeatureGroup, ...]:
    """Return the joins of a model's features, in the order of the first feature of each.

    Raises:
        KeyError: the source of a feature is not in `sources`.

    """
    known = {source.dataset: source for source in sources}
    found: dict[tuple[str, tuple[str, ...], timedelta | None], dict[str, str]] = {}
    for name, feature in features.items():
        if feature.source is not None:
            key = (feature.source, feature.on or known[feature.source].entity, feature.max_age)
            found.setdefault(key, {})[name] = feature.column or name
    return tuple(FeatureGroup(known[name], on, age, columns) for (name, on, age), columns in found.items())


def join(rows: pl.DataFrame, at: str, group: FeatureGroup, found: pl.DataFrame) -> pl.DataFrame:
    """Add the features of a group to `rows`, whose order is kept. `at` is the column with the time of each row.

    `found` are steps of the source that have a column of each feature by its name. A value is missing if the key or the
    time of the row is, if no step is available, or if the step is older than `max_age`. A step without a value is a
    missing value, too: no older one takes its place.
    """
    step, values = _step_of(rows, at, group, found), found.select(*group.columns)
    # A row of nulls behind the steps: polars takes rows by numbers faster if none of these is null.
    values = pl.concat([values, values.clear(1)])[step.fill_null(len(values))]
    return rows.with_columns(values)


def _step_of(rows: pl.DataFrame, at: str, group: FeatureGroup, found: pl.DataFrame) -> pl.Series:
    """Return the number of the step of each row. Null if it has none."""
    keys = key_columns(group.source)
    asked = rows.select(
        pl.col(at).cast(TIME).alias(_AT),
        *(pl.col(column).cast(pl.String).alias(key) for column, key in zip(group.on, keys, strict=True)),
    )
    # Only the columns of the join are sorted, and only where the rows are not: tables often are in order of time.
    in_order = asked[_AT].is_sorted()
    if not in_order:
        asked = asked.with_row_index(_ROW).sort(_AT)
    joined = asked.join_asof(
        found.select(*keys, AVAILABLE_AT, EVENT_TIME).with_row_index(_STEP),
        left_on=_AT,
        right_on=AVAILABLE_AT,
        by=keys,
        strategy="backward",
        check_sortedness=False,
    )
    step = pl.col(_STEP)
    if group.max_age is not None:
        step = pl.when(pl.col(_AT) - pl.col(EVENT_TIME) <= group.max_age).then(step)
    if in_order:
        return joined.select(step)[_STEP]
    place = np.empty(len(joined), np.uint32)
    place[joined[_ROW].to_numpy()] = np.arange(len(joined), dtype=np.uint32)
    return joined.select(step)[_STEP].gather(place)
