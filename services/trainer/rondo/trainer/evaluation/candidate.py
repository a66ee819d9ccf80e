"""A candidate before it is published: a fitted model, and a fitted model with its evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from rondo.contracts.events.training import Adaptation, EnsembleMember, FunctionVersion, Parameters, TrainingNote
    from rondo.contracts.training_evidence import (
        Comparison,
        Evaluation,
        Importance,
        PairedHoldout,
        Parity,
        ReferenceProfile,
        SearchTrial,
    )
    from rondo.trainer.evaluation.feature_reference import FeatureReference
    from rondo.trainer.evaluation.metrics.scored import Scored


@dataclass(frozen=True)
class ChampionModel:
    """The serving version: its number and its ONNX bytes. `model` is None if the artifact is missing or corrupt."""

    version: int
    model: bytes | None


@dataclass(frozen=True, eq=False)
class FittedCandidate:
    """A model as ONNX bytes, the holdout rows, and the outputs of the evaluated model for these rows.

    The evaluated model is fitted to `rows_trained` rows (0 if it was made elsewhere), and the weights of an ensemble to
    `rows_weighed` more. `model` is the evaluated model, or, if `refitted`, one that is fitted to the holdout as well.
    Event times and reference cover `rows` rows: those that the model is fitted to, and the holdout. The digest covers
    all labelled rows. `function`, `members` and `adaptation` are as in `TrainingInputs`, and `trials` as in `Evidence`.
    """

    model: bytes
    holdout: pl.DataFrame
    scored: Scored
    notes: tuple[TrainingNote, ...]
    parameters: Parameters | None
    parity: Parity
    reference: FeatureReference
    training_set_digest: str
    rows: int
    rows_trained: int
    event_time_from: datetime
    event_time_to: datetime
    rows_weighed: int = 0
    function: FunctionVersion | None = None
    members: tuple[EnsembleMember, ...] = ()
    adaptation: Adaptation | None = None
    importance: Importance | None = None
    refitted: bool = False
    trials: tuple[SearchTrial, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A fitted model with its evaluation. The fields are those of `rondo.contracts.training_evidence.Evidence`.

    `champion_version` is the version that served at the time. `champion` is None if that version could not be scored.
    `champion_not_comparable` has the reason, unless its artifact is lost.
    """

    model: bytes
    evaluation: Evaluation
    champion: Evaluation | None
    champion_version: int | None
    champion_not_comparable: str | None
    comparisons: tuple[Comparison, ...]
    notes: tuple[TrainingNote, ...]
    parameters: Parameters | None
    profile: ReferenceProfile
    parity: Parity
    training_set_digest: str
    rows_trained: int
    rows_holdout: int
    event_time_from: datetime
    event_time_to: datetime
    rows_weighed: int
    function: FunctionVersion | None
    members: tuple[EnsembleMember, ...]
    adaptation: Adaptation | None
    paired: PairedHoldout | None = None
    trials: tuple[SearchTrial, ...] = ()
