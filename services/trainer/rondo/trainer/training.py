"""From rows to a candidate and its evidence: the whole of a training, without a file, a clock or a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer import fingerprint, hyperparameters, onnx_graph, parity, preparation, trees
from rondo.trainer.candidate import Candidate, Champion
from rondo.trainer.evaluation import evaluate
from rondo.trainer.profile import profile
from rondo.trainer.split import split, usable

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec import ModelSpec
    from rondo.contracts.training import Evaluation
    from rondo.trainer.ports import Fit, FittedTrees, Score
    from rondo.trainer.preparation import Preparation


class UnsupportedTrainerError(ValueError):
    """The spec asks for a kind of trainer that does not exist yet."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"`trainer.kind: {kind}` can't be trained yet: use lightgbm")


@dataclass(frozen=True)
class _Model:
    preparation: Preparation
    trees: FittedTrees

    def score(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        return self.trees.score(preparation.matrix(self.preparation, rows)).astype(np.float32)


def train(
    spec: ModelSpec, rows: pl.DataFrame, *, as_of: datetime, fit: Fit, score: Score, champion: Champion | None = None
) -> Candidate:
    """Train a candidate on what was known at `as_of`, and judge it and the champion on the latest of it.

    `rows` holds the columns that the spec names: entity, event time (UTC), features, and the label as 0, 1 or null.

    Raises:
        NotEnoughDataError: there are too few labelled rows, or rows of one class only.
        MissingColumnsError: a feature is no column of `rows`.
        HyperparameterError: the spec's parameters can't be used.
        UnsupportedTrainerError: the spec asks for another kind of model.
        ParityError: the graph is not the model.

    """
    if spec.trainer.kind != "lightgbm":
        raise UnsupportedTrainerError(spec.trainer.kind)
    preparation.check(spec.features, rows)
    kept = usable(spec, rows, as_of)
    knowledge = onnx_graph.knows_until(champion.model) if champion else None
    parts = split(spec, kept, knowledge)
    fitted = _fit(spec, parts.training, fit)
    scores = fitted.score(parts.holdout)
    model = _compile(spec, fitted, parts.training[spec.data.event_time][-1])
    sample = kept.tail(parity.ROWS)
    evaluation, labels = _evaluate(spec, parts.holdout, scores), _labels(spec, parts.holdout)
    rival = _evaluate_champion(spec, champion, parts.holdout, score) if champion else None
    return Candidate(
        model=model,
        evaluation=evaluation,
        champion=rival,
        champion_version=champion.version if champion and rival else None,
        profile=profile(spec.features, kept, labels, scores, evaluation.metrics["roc_auc"]),
        parity=parity.compare(fitted.score(sample), score(model, preparation.inputs(spec.features, sample))),
        training_set_digest=fingerprint.digest(kept, _columns(spec)),
        rows_trained=parts.training.height,
        rows_holdout=parts.holdout.height,
        event_time_from=kept[spec.data.event_time][0],
        event_time_to=kept[spec.data.event_time][-1],
    )


def _columns(spec: ModelSpec) -> list[str]:
    return [spec.data.entity, spec.data.event_time, *spec.features, spec.data.label]


def _labels(spec: ModelSpec, rows: pl.DataFrame) -> NDArray[np.float32]:
    return rows[spec.data.label].to_numpy().astype(np.float32)


def _fit(spec: ModelSpec, rows: pl.DataFrame, fit: Fit) -> _Model:
    labels = _labels(spec, rows)
    prepared = preparation.learn(spec.features, rows, labels)
    params = hyperparameters.checked(spec.trainer.params)
    return _Model(prepared, fit(params, spec.trainer.seed, preparation.matrix(prepared, rows), labels))


def _compile(spec: ModelSpec, model: _Model, until: datetime) -> bytes:
    metadata = {onnx_graph.SPEC_DIGEST: spec.digest, onnx_graph.KNOWS_UNTIL: until.isoformat()}
    return onnx_graph.build(model.preparation, trees.read(model.trees.dump()), metadata)


def _evaluate(spec: ModelSpec, rows: pl.DataFrame, scores: NDArray[np.float32]) -> Evaluation:
    fairness = [spec.gates.fairness.by] if spec.gates.fairness else []
    return evaluate(_labels(spec, rows), scores, rows, dict.fromkeys([*spec.gates.slices, *fairness]))


def _evaluate_champion(spec: ModelSpec, champion: Champion, rows: pl.DataFrame, score: Score) -> Evaluation | None:
    """Judge the champion on the same rows; None where they lack a feature of its (the spec has changed since)."""
    features = onnx_graph.read_signature(champion.model)
    if not features.keys() <= set(rows.columns):
        return None
    return _evaluate(spec, rows, score(champion.model, preparation.inputs(features, rows)))
