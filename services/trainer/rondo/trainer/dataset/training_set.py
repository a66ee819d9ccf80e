"""Selects the rows that a model is trained on: published batches, and served predictions with their outcomes.

Everything is as it was known at `as_of`: an outcome that became known later does not count.

The same row (entity and event time) may be both published and served. The served row counts, because it has the
features as the model received them. A published row may have been corrected in hindsight.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from rondo.chassis.features.point_in_time import groups
from rondo.contracts.times import MOST_AHEAD
from rondo.trainer.dataset.batches import latest_publication, published_rows
from rondo.trainer.dataset.columns import BEGINNING, in_order, outsides, required, required_sent
from rondo.trainer.dataset.digest import digest_of
from rondo.trainer.dataset.feature_join import SourceTable, exact, with_joined
from rondo.trainer.dataset.label_join import served_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rondo.contracts.events.data import DataVersion
    from rondo.contracts.spec.dataset.source import SourceDataset
    from rondo.contracts.spec.model import ModelSpec


@dataclass(frozen=True)
class RowsLeftOut:
    """Labelled published rows of the window that are not used: their number, and for each feature that is a reason."""

    rows: int
    by_feature: Mapping[str, int]


@dataclass(frozen=True)
class TrainingSet:
    """Labelled rows in order of event time, and their origin.

    `rows` has the spec's entity, event time, label (float64 or text, as its task stores it) and features: numbers as
    float32, categories as text, missing values as null. Its event times are after `since` (None: no bound) and up to
    `until`. `left_out` are published rows that would count if they had all required features. `sources` are the
    datasets from which features are joined.
    """

    rows: pl.DataFrame
    data: tuple[DataVersion, ...]
    as_of: datetime
    since: datetime | None
    until: datetime
    left_out: RowsLeftOut | None = None
    outside: RowsLeftOut | None = None
    sources: tuple[SourceDataset, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The digest of the rows. Two training sets with the same rows have the same digest."""
        return digest_of(self.rows)


# A feature may be called `len`. No column of a spec has a dot in its name.
_LACKING, _OUTSIDE, _USABLE = "rows.lacking", "rows.outside", "rows.usable"


@dataclass(frozen=True)
class Tables:
    """The Delta tables as lazy frames. None for a table that does not exist yet.

    `publications` maps the batches of `published` to their place in the order of publishing. `sources` are the tables
    from which features are joined to published rows. Served rows have the features as they were served.
    """

    published: pl.LazyFrame | None
    served: pl.LazyFrame | None
    outcomes: pl.LazyFrame | None
    publications: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[SourceTable, ...] = ()


def latest_plausible(now: datetime) -> datetime:
    """Return the last plausible time. A later time is an error in the data and must not move the window."""
    return now + MOST_AHEAD


def known_as_of(at: datetime, newest_outcome: datetime | None, latest: datetime) -> datetime:
    """Return the time of the trigger or of the newest landed outcome, the later of both, but no time after `latest`."""
    return min(max(at, newest_outcome or at), latest)


def window(spec: ModelSpec, as_of: datetime, newest_label: datetime | None) -> tuple[datetime | None, datetime]:
    """Return the event time after which rows count (None: no bound), and the last event time that counts.

    The window ends at the newest labelled row up to `as_of`. It does not end at `as_of`, because a manual training has
    the time of the wall clock, nor at the newest prediction: predictions without outcomes may be years newer than the
    labelled rows.
    """
    until = min(as_of, newest_label or as_of)
    return (until - spec.trainer.window if spec.trainer.window else None), until


def join_feedback(spec: ModelSpec, tables: Tables, as_of: datetime) -> pl.LazyFrame | None:
    """Return the served rows up to `as_of` with the outcomes that were known then. None if there are no such tables."""
    if tables.served is None or tables.outcomes is None:
        return None
    rows = served_rows(spec, tables.served, tables.outcomes, as_of)
    return rows.filter(pl.col(spec.data.event_time) <= as_of).drop_nulls(spec.data.label)


def assemble(
    spec: ModelSpec,
    tables: Tables,
    since: datetime | None,
    until: datetime,
    as_of: datetime,
    joined: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the labelled rows after `since` and up to `until`, with the outcomes that were known at `as_of`, in order.

    `joined` are the rows of `join_feedback` if they were collected before.

    Raises:
        ColumnMissingError: the data lacks a column that the spec names and that is no optional feature.
        InexactIntegerError: an `int` feature has a value that float32 can't hold exactly.
        SourceUnknownError: the event of the spec has nothing about a source of features.

    """
    usable = _usable(spec, since or BEGINNING, until, required(spec))
    found = []
    if joined is not None:
        mask = joined.select(usable.alias(_USABLE))[_USABLE]
        # A filter would copy all rows.
        found.append(joined if mask.all() else joined.filter(mask))
    elif (feedback := join_feedback(spec, tables, as_of)) is not None:
        found.append(feedback.filter(usable).collect())
    if tables.published is not None:
        batches = published_rows(spec, tables.published, tables.publications)
        usable = _usable(spec, since or BEGINNING, until, required_sent(spec))
        rows = latest_publication(spec, batches.filter(usable).collect())
        rows = rows.join(found[0], on=spec.data.row_key, how="anti") if found else rows
        found.append(_complete(spec, tables.sources, rows))
    return in_order(spec, pl.concat(found))


def _complete(spec: ModelSpec, sources: tuple[SourceTable, ...], rows: pl.DataFrame) -> pl.DataFrame:
    """Return published rows with all features, without the rows for which a required one was not known."""
    joined = [name for name, feature in spec.features.items() if not feature.is_sent]
    if not joined:
        return rows
    found = exact(
        spec, with_joined(spec, sources, rows).drop_nulls([name for name in required(spec) if name in joined])
    )
    return found.select(*spec.data.row_key[::-1], spec.data.label, *spec.features)


def rows_left_out(
    spec: ModelSpec,
    published: pl.LazyFrame,
    since: datetime | None,
    until: datetime,
    rows: pl.DataFrame,
    sources: tuple[SourceTable, ...] = (),
) -> tuple[RowsLeftOut | None, RowsLeftOut | None]:
    """Return the published rows of a window that lack a required feature, and those with a value outside its limits.

    Either is None if there is no such row. Ingestion quarantines such rows by the contract in force, so these were
    published before the spec had this rule, or the contract is that of a declared dataset. `rows` are those of
    `assemble`: a row among them was published again or served, and does not count here.
    """
    key, lacking = spec.data.row_key, {name: pl.col(name).is_null() for name in required(spec)}
    marks = {f"{_LACKING}.{name}": mark for name, mark in lacking.items()}
    marks |= {f"{_OUTSIDE}.{name}": mark for name, mark in outsides(spec).items()}
    if not marks:
        return None, None
    time, label = pl.col(spec.data.event_time), pl.col(spec.data.label)
    totals = {
        kind: pl.any_horizontal([pl.col(name) for name in marks if name.startswith(kind)] or [pl.lit(value=False)])
        for kind in (_LACKING, _OUTSIDE)
    }
    candidates = published_rows(spec, published, {}).filter(
        time > (since or BEGINNING), time <= until, label.is_not_null()
    )
    if required(spec) != required_sent(spec):
        # Most rows are used, and their join is done.
        unused = candidates.join(rows.lazy().select(key), on=key, how="anti")
        candidates = _with_required(spec, sources, unused).lazy()
    found = (
        candidates.select(*key, *(mark.alias(name) for name, mark in marks.items()))
        .filter(pl.any_horizontal([pl.col(name) for name in marks]))
        .group_by(key)
        .agg(pl.col(name).any() for name in marks)
        .join(rows.lazy().select(key), on=key, how="anti")
        .select(*(total.sum().alias(kind) for kind, total in totals.items()), *(pl.col(name).sum() for name in marks))
        .collect()
        .row(0, named=True)
    )
    return _left_out(found, _LACKING), _left_out(found, _OUTSIDE)


def _with_required(spec: ModelSpec, sources: tuple[SourceTable, ...], rows: pl.LazyFrame) -> pl.DataFrame:
    """Return rows with the required features and those that have limits. Others are neither read nor joined."""
    features = {name: each for name, each in spec.features.items() if each.is_sent or not each.optional}
    keys = {column for group in groups(features, [table.source for table in sources]) for column in group.on}
    columns = dict.fromkeys((*spec.data.row_key, *sorted(keys), *required_sent(spec), *outsides(spec)))
    return with_joined(spec.model_copy(update={"features": features}), sources, rows.select(*columns).collect())


def _left_out(found: Mapping[str, int], kind: str) -> RowsLeftOut | None:
    of_kind = {name.removeprefix(f"{kind}."): count for name, count in found.items() if name.startswith(f"{kind}.")}
    return RowsLeftOut(found[kind], {name: n for name, n in of_kind.items() if n}) if found[kind] else None


def _usable(spec: ModelSpec, since: datetime, until: datetime, features: list[str]) -> pl.Expr:
    """Return an expression that is true for a row of the window with a label and all of these features."""
    time = pl.col(spec.data.event_time)
    known = [pl.col(name).is_not_null() for name in (spec.data.label, *features)]
    return pl.all_horizontal(time > since, time <= until, *known)
