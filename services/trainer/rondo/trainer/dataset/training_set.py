"""Which rows a model is trained on: the published batches, and what was served and how it turned out.

Everything is as it was known at `as_of`: an outcome that became known later does not count.

The same occurrence (entity and event time) may be both published and served. The served row stays: it holds
the features as the model saw them, while a published one may have been mended in hindsight.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.times import MOST_AHEAD
from rondo.trainer.dataset import batches as published
from rondo.trainer.dataset import feedback as served
from rondo.trainer.dataset.columns import BEGINNING, in_order, occurrence, required

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rondo.contracts.events.data import DataVersion
    from rondo.contracts.spec.model import ModelSpec


@dataclass(frozen=True)
class TrainingSet:
    """Rows in order of event time: the spec's entity, event time, label (0 or 1) and features, and where they are from.

    Numbers are float32 and categories text, missing ones null. `until` is the newest event time that may occur:
    `as_of`, or the newest there is.
    """

    rows: pl.DataFrame
    data: tuple[DataVersion, ...]
    as_of: datetime
    until: datetime


@dataclass(frozen=True)
class Tables:
    """The Delta tables, lazily; None for one that does not exist yet.

    `publications` are the batches of `published` with their place in the order of publishing.
    """

    published: pl.LazyFrame | None
    served: pl.LazyFrame | None
    outcomes: pl.LazyFrame | None
    publications: Mapping[str, int] = field(default_factory=dict)


def horizon(now: datetime) -> datetime:
    """Return the last time that is believed: what lies after it is a mistake, and must not move the window."""
    return now + MOST_AHEAD


def known_as_of(at: datetime, newest_outcome: datetime | None, horizon: datetime) -> datetime:
    """Return the later of the trigger's time and that of the newest outcome that has landed, if not of the future."""
    return min(max(at, newest_outcome or at), horizon)


def window(spec: ModelSpec, as_of: datetime, newest: datetime | None) -> tuple[datetime | None, datetime]:
    """Return the event time after which rows count (None: from the beginning), and the last that counts.

    The window reaches back from the newest row, where that is older than `as_of`: a training asked for by hand is
    stamped by the wall clock, and the data may be of another year.
    """
    until = min(as_of, newest or as_of)
    return (until - spec.trainer.window if spec.trainer.window else None), until


def assemble(spec: ModelSpec, tables: Tables, as_of: datetime, since: datetime | None) -> pl.DataFrame:
    """Return the rows after `since` and until `as_of`, in order of event time and entity.

    Raises:
        ColumnMissingError: a column that the spec names is not in the data, and is not an optional feature.

    """
    since = since or BEGINNING
    found = []
    if tables.served is not None and tables.outcomes is not None:
        feedback = served.rows(spec, tables.served, tables.outcomes, as_of)
        found.append(_usable(spec, feedback, as_of, since).collect())
    if tables.published is not None:
        batches = published.rows(spec, tables.published, tables.publications)
        rows = published.newest(spec, _usable(spec, batches, as_of, since).collect())
        found.append(rows.join(found[0], on=occurrence(spec), how="anti") if found else rows)
    return in_order(spec, pl.concat(found))


def _usable(spec: ModelSpec, rows: pl.LazyFrame, as_of: datetime, since: datetime) -> pl.LazyFrame:
    """Leave out what is outside the window, and rows without a label or of before a required feature existed."""
    time = pl.col(spec.data.event_time)
    return rows.filter(time > since, time <= as_of).drop_nulls([spec.data.label, *required(spec)])
