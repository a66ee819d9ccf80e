"""The rows of a source from which a feature can have its value, in the order in which they become available.

A row is available from the later of its event time and the time since which it is known. The value at a time is, of the
available rows of the key, that with the latest event time, then the latest `available_at`, then the latest time of
knowledge, then the last publication. The time of knowledge decides between rows that were known before their event
time. So a row with an earlier event time than one that is available already is never the value. What is left are steps:
from one to the next of a key, the value stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.contracts.spec.dataset.source import SourceDataset

TIME = pl.Datetime("us", "UTC")
# No column of a spec has a dot in its name.
EVENT_TIME, AVAILABLE_AT = "source.event_time", "source.available_at"
KNOWN_AT, PUBLICATION = "source.known_at", "source.publication"


def key_columns(source: SourceDataset) -> list[str]:
    """Return the names that the columns of the key have in the frames of this module."""
    return [f"source.key.{number}" for number in range(len(source.entity))]


def available(
    rows: pl.LazyFrame, source: SourceDataset, values: Iterable[pl.Expr], publication: pl.Expr | None = None
) -> pl.LazyFrame:
    """Return key, event time, availability, time of knowledge, publication and `values` of the rows of a source.

    `publication` is the place of a row in the order of publishing, as a whole number. Without it all rows count as
    published at once. A row without a key, an event time or a value in the column `known_at` is left out: it is never
    known.
    """
    event_time = pl.col(source.event_time).cast(TIME)
    known_at = event_time + source.known_after if source.known_at is None else pl.col(source.known_at).cast(TIME)
    keys = key_columns(source)
    return rows.select(
        *(pl.col(column).cast(pl.String).alias(key) for column, key in zip(source.entity, keys, strict=True)),
        event_time.alias(EVENT_TIME),
        pl.max_horizontal(event_time, known_at).alias(AVAILABLE_AT),
        known_at.alias(KNOWN_AT),
        (pl.lit(0) if publication is None else publication).cast(pl.Int64).alias(PUBLICATION),
        *values,
    ).drop_nulls([*keys, EVENT_TIME, KNOWN_AT])


def steps(rows: pl.LazyFrame, source: SourceDataset) -> pl.LazyFrame:
    """Return the steps among the rows of `available`, sorted by `available_at`, which no key has twice.

    The values decide between rows that tie in all else, so the files of a table do not.
    """
    keys = key_columns(source)
    order = [AVAILABLE_AT, EVENT_TIME, KNOWN_AT, PUBLICATION]
    names = rows.collect_schema().names()
    ordered = rows.sort(*order, *(name for name in names if name not in (*keys, *order)))
    latest = ordered.filter(pl.col(EVENT_TIME) == pl.col(EVENT_TIME).cum_max().over(keys))
    following = pl.col(AVAILABLE_AT).shift(-1).over(keys)
    return latest.filter(following.ne_missing(pl.col(AVAILABLE_AT))).drop(KNOWN_AT, PUBLICATION)
