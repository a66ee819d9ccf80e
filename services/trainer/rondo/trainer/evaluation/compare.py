"""Evaluates a candidate and the champion on the same rows, which neither was fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.training_evidence import ReferenceProfile
from rondo.trainer.dataset.split import unseen_by_champion
from rondo.trainer.evaluation import reference_profile
from rondo.trainer.evaluation.candidate import Candidate
from rondo.trainer.evaluation.metrics_binary import evaluate
from rondo.trainer.onnx_graph import builder
from rondo.trainer.preparation import inputs

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.training_evidence import Evaluation
    from rondo.trainer.evaluation.candidate import ChampionModel, FittedCandidate
    from rondo.trainer.ports import Score


def evaluate_candidate(
    spec: ModelSpec, fitted: FittedCandidate, champion: ChampionModel | None, score: Score
) -> Candidate:
    """Evaluate a fitted model and the champion on the holdout.

    Where the champion was fitted to a part of the holdout, both are evaluated on the rest, if that is large enough.
    """
    holdout = unseen_by_champion(spec, fitted.holdout, _trained_until(champion))
    scores = fitted.scores[fitted.holdout.height - holdout.height :]
    evaluation = _evaluate(spec, holdout, scores)
    return Candidate(
        model=fitted.model,
        evaluation=evaluation,
        champion=_evaluate_champion(spec, champion, holdout, score),
        champion_version=champion.version if champion else None,
        profile=_profile(spec, fitted, holdout, scores, evaluation),
        parity=fitted.parity,
        training_set_digest=fitted.training_set_digest,
        rows_trained=fitted.rows_trained,
        rows_holdout=holdout.height,
        event_time_from=fitted.event_time_from,
        event_time_to=fitted.event_time_to,
    )


def _profile(
    spec: ModelSpec, fitted: FittedCandidate, holdout: pl.DataFrame, scores: NDArray[np.float32], evaluation: Evaluation
) -> ReferenceProfile:
    """Return the reference profile. Its scores are of the holdout: on rows that it was fitted to a model is surer."""
    return ReferenceProfile(
        rows=fitted.rows_trained + fitted.holdout.height,
        features=fitted.profile,
        score=reference_profile.numeric(scores),
        roc_auc=evaluation.metrics["roc_auc"],
        positive_rate=float(_labels(spec, holdout).mean(dtype=np.float64)),
    )


def _trained_until(champion: ChampionModel | None) -> datetime | None:
    return builder.trained_until(champion.model) if champion and champion.model else None


def _labels(spec: ModelSpec, rows: pl.DataFrame) -> NDArray[np.float32]:
    return rows[spec.data.label].to_numpy().astype(np.float32)


def _evaluate(spec: ModelSpec, rows: pl.DataFrame, scores: NDArray[np.float32]) -> Evaluation:
    fairness = [spec.gates.fairness.by] if spec.gates.fairness else []
    return evaluate(_labels(spec, rows), scores, rows, list(dict.fromkeys([*spec.gates.slices, *fairness])))


def _evaluate_champion(
    spec: ModelSpec, champion: ChampionModel | None, rows: pl.DataFrame, score: Score
) -> Evaluation | None:
    """Return None where it can't be scored: its artifact is missing, or the rows lack a feature of an older spec."""
    if champion is None or champion.model is None:
        return None
    features = builder.read_signature(champion.model)
    if not features.keys() <= set(rows.columns):
        return None
    return _evaluate(spec, rows, score(champion.model, inputs.onnx_inputs(features, rows)))
