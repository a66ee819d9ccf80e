"""Joins the predictions of the primary version with their outcomes. These rows need no published batch.

A prediction is one row, however many outcomes arrived for it. A request that was sent again, with the same id and
event time, is one row, too: that of its last answer.

- By id, the outcome that became known last counts, as a correction of the earlier ones. It applies only to that
  prediction, even if it also names the entity.
- By entity, the first outcome that became known at or after the prediction's event time counts: the outcome of an
  entity's next occurrence must not label this one.

Outcomes that became known at the same time are ordered by their position in the log: the last one counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.events.logs import FEATURE, LOG_OFFSET, LOG_ROW, OUTCOME_COLUMNS
from rondo.contracts.vocabularies import RouteRole
from rondo.trainer.dataset.columns import TIME, feature, label

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec

# The event time of a prediction is the first of these columns that is not null: it is optional in a request.
EVENT_TIMES = ("event_time", "made_at")
# A feature may be called `outcome` and an entity `id`. Names with a dot are free: no column of a spec has one.
_ID = "served.id"
_OUTCOME = "served.outcome"
_OUTCOME_OF_ENTITY = "served.outcome_of_entity"
_KNOWN_AT = "served.known_at"


def served_rows(spec: ModelSpec, predictions: pl.LazyFrame, outcomes: pl.LazyFrame, as_of: datetime) -> pl.LazyFrame:
    """Return entity, event time, label and features of each prediction, by the outcomes that were known at `as_of`."""
    data, present = spec.data, predictions.collect_schema()
    features = (feature(name, each, f"{FEATURE}{name}", present) for name, each in spec.features.items())
    asked = _answered(predictions).select(
        pl.col("id").alias(_ID),
        pl.col("entity").alias(data.entity),
        pl.coalesce(*EVENT_TIMES).cast(TIME).alias(data.event_time),
        *features,
    )
    known = _known(spec, outcomes, as_of)
    labelled = _by_entity(_by_id(asked, known), known, data.entity, data.event_time)
    return labelled.select(
        data.entity, data.event_time, pl.coalesce(_OUTCOME, _OUTCOME_OF_ENTITY).alias(data.label), *spec.features,
    )  # fmt: skip


def _answered(predictions: pl.LazyFrame) -> pl.LazyFrame:
    """Return the primary's predictions. If a request was sent again with its id and event time, the last one counts."""
    present = predictions.collect_schema()
    positions = [name for name in (LOG_OFFSET, LOG_ROW) if name in present]
    primary = predictions.filter(pl.col("role") == RouteRole.PRIMARY)
    return primary.sort("made_at", *positions, maintain_order=True).unique(
        ["id", "event_time"], keep="last", maintain_order=True
    )


def _known(spec: ModelSpec, outcomes: pl.LazyFrame, as_of: datetime) -> pl.LazyFrame:
    """Return the outcomes that were known at `as_of`, in an order in which a later outcome corrects an earlier one.

    An outcome that is no label of the task is dropped: it was observed when the model had another task.
    """
    present, column = outcomes.collect_schema(), OUTCOME_COLUMNS[spec.labels.storage]
    positions = [name for name in (LOG_OFFSET, LOG_ROW) if name in present]
    stored = pl.col(column) if column in present else pl.lit(None)
    outcome = label(spec, stored, present.get(column, pl.Null()))
    labels = outcomes.filter(pl.col("known_at") <= as_of).with_columns(outcome.alias(_OUTCOME))
    # The value makes the order total where another writer's table has no positions.
    return labels.filter(pl.col(_OUTCOME).is_not_null()).sort("known_at", *positions, _OUTCOME)


def _by_id(predictions: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    last = known.filter(pl.col("id").is_not_null()).unique("id", keep="last", maintain_order=True)
    return predictions.join(last.select(pl.col("id").alias(_ID), _OUTCOME), on=_ID, how="left")


def _by_entity(predictions: pl.LazyFrame, known: pl.LazyFrame, entity: str, time: str) -> pl.LazyFrame:
    without_id = known.filter(pl.col("id").is_null(), pl.col("entity").is_not_null())
    of_entity = without_id.unique(["entity", "known_at"], keep="last", maintain_order=True).select(
        pl.col("entity").alias(entity),
        pl.col("known_at").alias(_KNOWN_AT),
        pl.col(_OUTCOME).alias(_OUTCOME_OF_ENTITY),
    )
    return predictions.sort(time).join_asof(
        of_entity, left_on=time, right_on=_KNOWN_AT, by=entity, strategy="forward", check_sortedness=False
    )
