"""The flights of 2013 as the platform's tables, and each training on them, done once by the trainer's own functions.

A training depends on when it is done and on nothing else: the features of a flight are the same whoever served it. So
simulations that differ in their thresholds share what they train. The champion that a candidate is judged beside is
another each time, and evaluated again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from rondo.contracts.events.logs import FEATURE, OUTCOMES_SCHEMA, predictions_schema
from rondo.flights.dataset.flights import ENTITY, EVENT_TIME, KNOWN_AT
from rondo.trainer.dataset import training_set
from rondo.trainer.dataset.training_set import Tables, TrainingSet
from rondo.trainer.preparation import inputs
from rondo.trainer.worker.app import pipeline

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.evaluation.candidate import FittedCandidate

# The split asks for a holdout with both classes: this is the least of one, some 50 to 300 flights.
NEARLY_ALL = 0.001


class Flights:
    """Flights as the services would have them: those before `start` as published batches, the others as streamed.

    `departed` and `arrived` are times in microseconds, in the order of `predictions` and of `outcomes`.
    """

    def __init__(self, rows: pl.DataFrame, start: datetime, spec: ModelSpec) -> None:
        rows = rows.sort(EVENT_TIME, ENTITY)
        self.start, self._spec = start, spec
        self.published, self.streamed = (
            rows.filter(pl.col(EVENT_TIME) < start),
            rows.filter(pl.col(EVENT_TIME) >= start),
        )
        self.departed = self.streamed[EVENT_TIME].dt.epoch("us").to_numpy()
        self.arrived = self._outcomes["known_at"].dt.epoch("us").to_numpy()
        self.tables = Tables(self.published.lazy(), self._served.lazy(), self._outcomes.lazy())

    @cached_property
    def predictions(self) -> pa.Table:
        """The columns of `predictions.log` but for the outputs, by scheduled departure."""
        schema = predictions_schema(self._spec.features, ())
        return self._served.to_arrow().select(schema.names).cast(schema)

    @cached_property
    def outcomes(self) -> pa.Table:
        """The columns of `outcomes.log`, by arrival."""
        return self._outcomes.to_arrow().cast(OUTCOMES_SCHEMA)

    @cached_property
    def _served(self) -> pl.DataFrame:
        time = pl.col(EVENT_TIME)
        features = (pl.col(name).alias(f"{FEATURE}{name}") for name in self._spec.features)
        return self.streamed.select(
            pl.col(ENTITY).alias("id"), pl.col(ENTITY).alias("entity"), time.alias("event_time"), time.alias("made_at"),
            pl.lit("primary").alias("role"), *features,
        )  # fmt: skip

    @cached_property
    def _outcomes(self) -> pl.DataFrame:
        landed = self.streamed.filter(pl.col(self._spec.data.label).is_not_null()).sort(KNOWN_AT, ENTITY)
        return landed.select(
            pl.col(ENTITY).alias("id"), pl.lit(None, pl.String).alias("entity"),
            pl.col(self._spec.data.label).cast(pl.Float64).alias("outcome"),
            pl.lit(None, pl.String).alias("outcome_label"), pl.col(KNOWN_AT).alias("known_at"),
        )  # fmt: skip


class Trainings:
    """What the trainer makes of the flights that are known at a time; `pipeline` is its own, on one thread."""

    def __init__(self, flights: Flights, spec: ModelSpec) -> None:
        self.flights, self._spec = flights, spec
        self.pipeline = pipeline(threads=1)
        self._learned: dict[tuple[datetime, float], tuple[TrainingSet, FittedCandidate]] = {}
        self._scores: dict[bytes, NDArray[np.float32]] = {}

    def learn(self, as_of: datetime, holdout: float | None = None) -> tuple[TrainingSet, FittedCandidate]:
        """Return what is learned from the rows that are known at a time, and where they are from, but not the rows."""
        share = self._spec.trainer.share_held_out if holdout is None else holdout
        if (as_of, share) not in self._learned:
            trainer = self._spec.trainer.model_copy(update={"holdout": share})
            rows = self._rows(as_of)
            learned = self.pipeline.fit(self._spec.model_copy(update={"trainer": trainer}), rows)
            # The rows are not asked for again, and all of them together would take a gigabyte.
            self._learned[as_of, share] = replace(rows, rows=rows.rows.clear()), learned
        return self._learned[as_of, share]

    def scores(self, fitted: FittedCandidate) -> NDArray[np.float32]:
        """Return a model's score of every streamed flight after its training data; NaN before."""
        if fitted.model not in self._scores:
            rows = self.flights.streamed
            later = rows.filter(pl.col(EVENT_TIME) > fitted.event_time_to)
            scores = self.pipeline.score(fitted.model, inputs.onnx_inputs(self._spec.features, later))["score"]
            unknown = np.full(rows.height - later.height, np.nan, np.float32)
            self._scores[fitted.model] = np.concatenate([unknown, scores])
        return self._scores[fitted.model]

    def _rows(self, as_of: datetime) -> TrainingSet:
        since, until = training_set.window(self._spec, as_of, None)
        rows = training_set.assemble(self._spec, self.flights.tables, since, until, as_of)
        return TrainingSet(rows, (), as_of, since, until)
