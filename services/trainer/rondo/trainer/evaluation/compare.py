"""How good a model is beside the champion, on rows that neither has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.profile import ReferenceProfile
from rondo.trainer.dataset.split import unseen
from rondo.trainer.evaluation import reference_profile
from rondo.trainer.evaluation.candidate import Candidate
from rondo.trainer.evaluation.metrics_binary import evaluate
from rondo.trainer.graph import builder, encoding

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.events.training import Evaluation
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.evaluation.candidate import Champion, Learned
    from rondo.trainer.ports import Score


def judge(spec: ModelSpec, learned: Learned, champion: Champion | None, score: Score) -> Candidate:
    """Judge what was learned and the champion on the same rows.

    These are the holdout; where the champion knows some of it, the rest of it, if that is enough to judge by.
    """
    holdout = unseen(spec, learned.holdout, _knowledge(champion))
    scores = learned.scores[learned.holdout.height - holdout.height :]
    evaluation = _evaluate(spec, holdout, scores)
    return Candidate(
        model=learned.model,
        evaluation=evaluation,
        champion=_evaluate_champion(spec, champion, holdout, score),
        champion_version=champion.version if champion else None,
        profile=_profile(spec, learned, holdout, scores, evaluation),
        parity=learned.parity,
        training_set_digest=learned.training_set_digest,
        rows_trained=learned.rows_trained,
        rows_holdout=holdout.height,
        event_time_from=learned.event_time_from,
        event_time_to=learned.event_time_to,
    )


def _profile(
    spec: ModelSpec, learned: Learned, holdout: pl.DataFrame, scores: NDArray[np.float32], evaluation: Evaluation
) -> ReferenceProfile:
    """Put the profile together. The score's is of the holdout: of rows that it was fitted to a model is surer."""
    return ReferenceProfile(
        rows=learned.rows_trained + learned.holdout.height,
        features=learned.profile,
        score=reference_profile.numeric(scores),
        roc_auc=evaluation.metrics["roc_auc"],
        positive_rate=float(_labels(spec, holdout).mean(dtype=np.float64)),
    )


def _knowledge(champion: Champion | None) -> datetime | None:
    """Return the latest event time that the champion was fitted to, where it is known."""
    return builder.knows_until(champion.model) if champion and champion.model else None


def _labels(spec: ModelSpec, rows: pl.DataFrame) -> NDArray[np.float32]:
    return rows[spec.data.label].to_numpy().astype(np.float32)


def _evaluate(spec: ModelSpec, rows: pl.DataFrame, scores: NDArray[np.float32]) -> Evaluation:
    fairness = [spec.gates.fairness.by] if spec.gates.fairness else []
    return evaluate(_labels(spec, rows), scores, rows, list(dict.fromkeys([*spec.gates.slices, *fairness])))


def _evaluate_champion(
    spec: ModelSpec, champion: Champion | None, rows: pl.DataFrame, score: Score
) -> Evaluation | None:
    """Return None where it can't be scored: its artifact is gone, or the rows lack a feature (the spec has changed)."""
    if champion is None or champion.model is None:
        return None
    features = builder.read_signature(champion.model)
    if not features.keys() <= set(rows.columns):
        return None
    return _evaluate(spec, rows, score(champion.model, encoding.inputs(features, rows)))
