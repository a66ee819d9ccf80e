"""Compares the features of published rows with those of the requests to a model (training-serving skew).

A primary prediction and a published row with the same entity and event time are the same case. If a case has several
predictions or rows, the last one counts. Both tables are converted as for the model: numbers to float32, an empty
category to a missing one. A feature whose type is unknown to this release is not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.events.data import FeatureSkew, SkewExample
from rondo.contracts.events.logs import FEATURE
from rondo.contracts.spec.feature_types import is_known
from rondo.contracts.vocabularies import RouteRole
from rondo.ingestion.validation.shorten import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec

# Two ways to compute the same float32 differ by rounding, by a few 2^-24.
TOLERANCE = 1e-6
MOST_EXAMPLES = 3
# Further features are not listed, because an event has at most 1 MiB.
MOST_FEATURES = 100
_TIME = pl.Datetime("us", "UTC")
# No column of a spec has a dot in its name.
_ENTITY, _AT, _SERVED, _PUBLISHED = "case.entity", "case.time", "served.", "published."
_DIFFERS, _BY = "differs", "by"


@dataclass(frozen=True)
class Skew:
    """The comparison of a batch with the requests of a model, see `rondo.contracts.events.data.SkewMeasured`."""

    served: int
    joined: int
    compared: tuple[str, ...]
    features: tuple[FeatureSkew, ...]


def compare(
    spec: ModelSpec, published: pl.LazyFrame, predictions: pl.LazyFrame, since: datetime, until: datetime
) -> Skew | None:
    """Compare rows of a batch, from `since` to `until`, with the predictions of a model.

    Returns None if the primary has no prediction in that time, or if the rows lack the model's columns, because the
    batch was published before the spec named them.
    """
    published_columns, served_columns = published.collect_schema(), predictions.collect_schema()
    if not {spec.data.entity, spec.data.event_time} <= set(published_columns):
        return None
    # A published row has no joined feature. A column with the name of one is another column.
    sent = [name for name, feature in spec.features.items() if feature.is_sent and is_known(feature.type)]
    names = [name for name in sent if name in published_columns and f"{FEATURE}{name}" in served_columns]
    served = (
        predictions.filter(pl.col("role") == RouteRole.PRIMARY, pl.col("event_time").is_between(since, until))
        .sort("made_at", maintain_order=True)
        .select(
            pl.col("entity").alias(_ENTITY),
            pl.col("event_time").cast(_TIME).alias(_AT),
            *(_value(spec, name, f"{FEATURE}{name}").alias(f"{_SERVED}{name}") for name in names),
        )
        .collect()
    )
    if not served.height:
        return None
    rows = published.select(
        pl.col(spec.data.entity).cast(pl.String).alias(_ENTITY),
        pl.col(spec.data.event_time).cast(_TIME).alias(_AT),
        *(_value(spec, name, name).alias(f"{_PUBLISHED}{name}") for name in names),
    ).collect()
    key = [_ENTITY, _AT]
    cases = served.unique(key, keep="last", maintain_order=True).join(
        rows.unique(key, keep="last", maintain_order=True), on=key, how="inner", maintain_order="left"
    )
    found = [each for name in names if (each := _of_feature(spec, name, cases)).differing]
    found.sort(key=lambda each: (-each.differing, each.feature))
    return Skew(served.height, cases.height, tuple(names), tuple(found[:MOST_FEATURES]))


def _value(spec: ModelSpec, name: str, column: str) -> pl.Expr:
    if spec.features[name].type != "category":
        return pl.col(column).cast(pl.Float32)
    text = pl.col(column).cast(pl.String)
    return pl.when(text != "").then(text)


def _of_feature(spec: ModelSpec, name: str, cases: pl.DataFrame) -> FeatureSkew:
    """Compare a feature. Values that only one side has come first, and then the largest differences."""
    served, published = pl.col(f"{_SERVED}{name}"), pl.col(f"{_PUBLISHED}{name}")
    one_sided = served.is_null() != published.is_null()
    if spec.features[name].type == "category":
        unequal, by = served != published, pl.lit(0.0)
    else:
        exact = served.cast(pl.Float64), published.cast(pl.Float64)
        by = (exact[0] - exact[1]).abs()
        unequal = by > TOLERANCE * pl.max_horizontal(exact[0].abs(), exact[1].abs())
    differs = one_sided | unequal.fill_null(value=False)
    size = pl.when(one_sided).then(float("inf")).otherwise(by)
    marked = cases.select(_ENTITY, _AT, served, published, differs.alias(_DIFFERS), size.alias(_BY)).filter(_DIFFERS)
    largest = marked.sort(_BY, _AT, _ENTITY, descending=[True, False, False]).head(MOST_EXAMPLES)
    return FeatureSkew(feature=name, differing=marked.height, largest=tuple(_examples(name, largest)))


def _examples(name: str, rows: pl.DataFrame) -> Iterator[SkewExample]:
    for row in rows.with_columns(pl.col(f"{_SERVED}{name}", f"{_PUBLISHED}{name}").cast(pl.String)).to_dicts():
        served, published = row[f"{_SERVED}{name}"], row[f"{_PUBLISHED}{name}"]
        yield SkewExample(
            entity=excerpt(row[_ENTITY]),
            event_time=row[_AT],
            served=None if served is None else excerpt(served),
            published=None if published is None else excerpt(published),
        )
