"""Which rows a model is trained on: the published batches, and what was served and how it turned out.

Everything is as it was known at `as_of`: an outcome that became known later does not count. A prediction
is one row, whatever outcomes came for it:

- by id, the outcome known last stands: it corrects the earlier ones;
- by entity, the first one known at or after the prediction stands: an entity may come again, and what
  becomes of it next time is no answer to this time.

The same occurrence (entity and event time) may be both published and served. The served row stays: it holds
the features as the model saw them, while a published one may have been mended in hindsight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.logs import FEATURE

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.data import DataVersion
    from rondo.contracts.spec import Feature, ModelSpec

TIME = pl.Datetime("us", "UTC")


class DatasetMissingError(LookupError):
    """There is nothing to train on."""

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        super().__init__(
            f"there is no dataset {dataset!r}: publish a batch to it, or correct `data.dataset` in the spec"
        )


class ColumnMissingError(LookupError):
    """The data lacks columns that the spec names."""

    def __init__(self, dataset: str, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(
            f"the dataset {dataset!r} has no column {', '.join(missing)}: publish batches that have it, take it out of"
            " the spec, or mark the feature as optional"
        )


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
    """The Delta tables, lazily; None for one that does not exist yet."""

    published: pl.LazyFrame | None
    served: pl.LazyFrame | None
    outcomes: pl.LazyFrame | None


def known_as_of(at: datetime, newest_outcome: datetime | None) -> datetime:
    """Return the later of the trigger's time and that of the newest outcome that has landed."""
    return max(at, newest_outcome or at)


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
    parts = [
        *([_published(spec, tables.published)] if tables.published is not None else []),
        *([_served(spec, tables.served, tables.outcomes, as_of)] if _has_feedback(tables) else []),
    ]
    within = [_complete(spec, part.filter(_between(spec, since, as_of))) for part in parts]
    published, served = within[0].collect(), within[-1].collect()
    if len(parts) > 1:
        occurrence = [spec.data.entity, spec.data.event_time]
        published = pl.concat([published.join(served, on=occurrence, how="anti"), served])
    return published.sort(spec.data.event_time, spec.data.entity, maintain_order=True)


def _has_feedback(tables: Tables) -> bool:
    return tables.served is not None and tables.outcomes is not None


def _between(spec: ModelSpec, since: datetime | None, as_of: datetime) -> pl.Expr:
    time = pl.col(spec.data.event_time)
    return (time <= as_of) & (pl.lit(value=True) if since is None else time > since)


def _complete(spec: ModelSpec, part: pl.LazyFrame) -> pl.LazyFrame:
    """Leave rows without a label, and those of before a required feature existed."""
    required = [name for name, feature in spec.features.items() if not feature.optional]
    return part.drop_nulls([spec.data.event_time, spec.data.label, *required])


def _published(spec: ModelSpec, table: pl.LazyFrame) -> pl.LazyFrame:
    data, present = spec.data, set(table.collect_schema())
    required = [name for name, feature in spec.features.items() if not feature.optional]
    if missing := [name for name in (data.entity, data.event_time, data.label, *required) if name not in present]:
        raise ColumnMissingError(data.dataset, missing)
    return table.select(
        pl.col(data.entity).cast(pl.String),
        pl.col(data.event_time).cast(TIME),
        pl.col(data.label).cast(pl.Float32),
        *(_feature(name, feature, name, present) for name, feature in spec.features.items()),
    )


def _served(
    spec: ModelSpec, table: pl.LazyFrame | None, outcomes: pl.LazyFrame | None, as_of: datetime
) -> pl.LazyFrame:
    assert table is not None  # noqa: S101 - for the type checker
    assert outcomes is not None  # noqa: S101
    data, present = spec.data, set(table.collect_schema())
    known = outcomes.filter(pl.col("known_at") <= as_of)
    features = (_feature(name, feature, f"{FEATURE}{name}", present) for name, feature in spec.features.items())
    predictions = table.select(
        "id",
        pl.col("entity").alias(data.entity),
        pl.coalesce("event_time", "made_at").cast(TIME).alias(data.event_time),
        *features,
    )
    labelled = _by_entity(_by_id(predictions, known), known, data.entity, data.event_time)
    return labelled.select(
        data.entity, data.event_time, pl.coalesce("outcome", "outcome_of_entity").cast(pl.Float32).alias(data.label),
        *spec.features,
    )  # fmt: skip


def _feature(name: str, feature: Feature, column: str, present: set[str]) -> pl.Expr:
    kind = pl.String if feature.type == "category" else pl.Float32
    return (pl.col(column) if column in present else pl.lit(None)).cast(kind).alias(name)


def _by_id(predictions: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    last = known.filter(pl.col("id").is_not_null()).sort("known_at").unique("id", keep="last").select("id", "outcome")
    return predictions.join(last, on="id", how="left", maintain_order="left")


def _by_entity(predictions: pl.LazyFrame, known: pl.LazyFrame, entity: str, time: str) -> pl.LazyFrame:
    of_entity = known.filter(pl.col("entity").is_not_null()).select(
        pl.col("entity").alias(entity), "known_at", pl.col("outcome").alias("outcome_of_entity")
    )
    return predictions.sort(time).join_asof(
        of_entity.sort("known_at"), left_on=time, right_on="known_at", by=entity, strategy="forward",
        check_sortedness=False,
    )  # fmt: skip
