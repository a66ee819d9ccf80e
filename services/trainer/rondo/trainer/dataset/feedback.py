"""What was served and how it turned out: the rows that nobody has to publish.

A prediction is one row, whatever outcomes came for it:

- by id, the outcome known last stands: it corrects the earlier ones. It is about that prediction and no other, even
  where it names the entity, too;
- by entity, the first one known at or after the prediction stands: an entity may come again, and what
  becomes of it next time is no answer to this time.

Outcomes that became known at the same instant are taken in the order of their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.events.logs import FEATURE
from rondo.contracts.vocabularies import Role
from rondo.trainer.dataset.columns import TIME, feature

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec

# A prediction's event time is the first of these that it has: a request need not say when it is about.
EVENT_TIMES = ("event_time", "made_at")
# The spec names the columns of its rows, and may call a feature `outcome` or an entity `id`. What the join needs
# besides has a dot, which no name of a spec may have.
_ID = "served.id"
_OUTCOME = "served.outcome"
_OUTCOME_OF_ENTITY = "served.outcome_of_entity"
_KNOWN_AT = "served.known_at"


def rows(spec: ModelSpec, predictions: pl.LazyFrame, outcomes: pl.LazyFrame, as_of: datetime) -> pl.LazyFrame:
    """Return entity, event time, label and features of each prediction, by outcomes that were known at `as_of`."""
    data, present = spec.data, set(predictions.collect_schema())
    features = (feature(name, each, f"{FEATURE}{name}", present) for name, each in spec.features.items())
    asked = predictions.filter(pl.col("role") == Role.PRIMARY).select(
        pl.col("id").alias(_ID),
        pl.col("entity").alias(data.entity),
        pl.coalesce(*EVENT_TIMES).cast(TIME).alias(data.event_time),
        *features,
    )
    known = outcomes.filter(pl.col("known_at") <= as_of).sort("known_at", "outcome")
    labelled = _by_entity(_by_id(asked, known), known, data.entity, data.event_time)
    return labelled.select(
        data.entity, data.event_time, pl.coalesce(_OUTCOME, _OUTCOME_OF_ENTITY).cast(pl.Float32).alias(data.label),
        *spec.features,
    )  # fmt: skip


def _by_id(predictions: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    told = known.filter(pl.col("id").is_not_null()).unique("id", keep="last", maintain_order=True)
    last = told.select(pl.col("id").alias(_ID), pl.col("outcome").alias(_OUTCOME))
    return predictions.join(last, on=_ID, how="left")


def _by_entity(predictions: pl.LazyFrame, known: pl.LazyFrame, entity: str, time: str) -> pl.LazyFrame:
    told = known.filter(pl.col("id").is_null(), pl.col("entity").is_not_null())
    of_entity = told.select(
        pl.col("entity").alias(entity),
        pl.col("known_at").alias(_KNOWN_AT),
        pl.col("outcome").alias(_OUTCOME_OF_ENTITY),
    )
    return predictions.sort(time).join_asof(
        of_entity, left_on=time, right_on=_KNOWN_AT, by=entity, strategy="forward", check_sortedness=False
    )
