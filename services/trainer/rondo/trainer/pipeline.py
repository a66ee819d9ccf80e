"""From rows to a model that can be judged, without a file, a clock or a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.dataset import digest
from rondo.trainer.dataset.split import split, usable
from rondo.trainer.estimators import lightgbm_params
from rondo.trainer.estimators import lightgbm_trees as trees
from rondo.trainer.evaluation import compare, reference_profile
from rondo.trainer.evaluation.candidate import Learned
from rondo.trainer.graph import builder, parity
from rondo.trainer.graph import encoding as preparation

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.events.training import Parity
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.evaluation.candidate import Candidate, Champion
    from rondo.trainer.graph.encoding import Preparation
    from rondo.trainer.ports import Fit, FittedTrees, Score


class UnsupportedTrainerError(ValueError):
    """The spec asks for a kind of trainer that does not exist yet."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"`trainer.kind: {kind}` can't be trained yet: use lightgbm")


@dataclass(frozen=True)
class Training:
    """`worker.ports.Training` with a library that fits trees and one that scores graphs."""

    fit: Fit
    score: Score

    def learn(self, spec: ModelSpec, training_set: TrainingSet) -> Learned:
        """Fit a model."""
        return learn(spec, training_set, self.fit, self.score)

    def judge(self, spec: ModelSpec, learned: Learned, champion: Champion | None) -> Candidate:
        """Judge it, and the champion."""
        return compare.judge(spec, learned, champion, self.score)


@dataclass(frozen=True)
class _Model:
    preparation: Preparation
    trees: FittedTrees

    def score(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        return self.trees.score(preparation.matrix(self.preparation, rows)).astype(np.float32)


def learn(spec: ModelSpec, training_set: TrainingSet, fit: Fit, score: Score) -> Learned:
    """Fit a model to the rows until `training_set.until`, but for the latest, which it and the champion are judged on.

    Raises:
        NotEnoughDataError: there are too few labelled rows, or rows of one class only.
        MissingColumnsError: a feature is no column of the rows.
        HyperparameterError: the spec's parameters can't be used.
        UnsupportedTrainerError: the spec asks for another kind of model.
        ParityError: the graph is not the model.

    """
    if spec.trainer.kind != "lightgbm":
        raise UnsupportedTrainerError(spec.trainer.kind)
    preparation.check(spec.features, training_set.rows)
    kept, time = usable(spec, training_set.rows, training_set.until), spec.data.event_time
    parts = split(spec, kept)
    fitted = _fit(spec, parts.training, fit)
    model = _compile(spec, fitted, parts.training[time][-1])
    return Learned(
        model=model,
        holdout=parts.holdout,
        scores=fitted.score(parts.holdout),
        parity=_parity(spec, fitted, model, kept.tail(parity.ROWS), score),
        profile=reference_profile.of_features(spec.features, kept),
        training_set_digest=digest.digest(kept, _columns(spec)),
        rows_trained=parts.training.height,
        event_time_from=kept[time][0],
        event_time_to=kept[time][-1],
    )


def _columns(spec: ModelSpec) -> list[str]:
    return [spec.data.entity, spec.data.event_time, *spec.features, spec.data.label]


def _fit(spec: ModelSpec, rows: pl.DataFrame, fit: Fit) -> _Model:
    labels = rows[spec.data.label].to_numpy().astype(np.float32)
    prepared = preparation.learn(spec.features, rows, labels)
    params = lightgbm_params.checked(spec.trainer.params)
    return _Model(prepared, fit(params, spec.trainer.seed, preparation.matrix(prepared, rows), labels))


def _compile(spec: ModelSpec, model: _Model, until: datetime) -> bytes:
    metadata = {builder.SPEC_DIGEST: spec.digest, builder.KNOWS_UNTIL: until.isoformat()}
    return builder.build(model.preparation, trees.read(model.trees.dump()), metadata)


def _parity(spec: ModelSpec, model: _Model, graph: bytes, sample: pl.DataFrame, score: Score) -> Parity:
    return parity.compare(model.score(sample), score(graph, preparation.inputs(spec.features, sample)))
