"""A candidate while it is made: the fitted model, and the fitted model with its evaluation."""

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
    from rondo.trainer.evaluation.metrics import Scored


@dataclass(frozen=True)
class ChampionModel:
    """The serving version: its number and its ONNX bytes. None where the artifact is missing or corrupt."""

    version: int
    model: bytes | None


@dataclass(frozen=True, eq=False)
class FittedCandidate:
    """A model as ONNX bytes, the holdout rows, and the outputs for them of the model that is evaluated.

    The model that gave them is fitted to `rows_trained` rows, none if it was made elsewhere, and its weights to
    `rows_weighed` more. `model` is that one, or one that is `refitted`, to the holdout as well. Event times and
    reference cover `rows` rows, which include these and the holdout, and the digest all labelled rows. `function`,
    `members` and `adaptation` are as in `TrainingInputs`, and `trials` as in `Evidence`.
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

    `champion_version` served at the time. `champion` is None where that version could not be scored.
    `champion_not_comparable` says why, unless its artifact is lost.
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
