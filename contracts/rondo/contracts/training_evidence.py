"""The evidence of a candidate: a JSON document in the artifact store, named by its digest in `ModelTrained`.

The trainer writes it, the registry evaluates the gates with it, the monitor takes the reference profile from it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rondo.contracts.events.base import Value
from rondo.contracts.events.training import TrainingInputs, TrainingSummary
from rondo.contracts.text import Text


class SliceMetric(Value):
    """ROC AUC on the rows where `column` is `value`; None where only one class occurs."""

    column: Text
    value: Text
    rows: int
    positives: int
    roc_auc: float | None


class Evaluation(Value):
    """The metrics of one model on the holdout."""

    metrics: dict[Text, float]
    slices: tuple[SliceMetric, ...] = ()


class Parity(Value):
    """The largest difference of scores between the ONNX graph and the native model, over `rows` rows."""

    rows: int
    max_abs_difference: float


class NumericProfile(Value):
    """Counts in fixed bins: `counts[i]` rows with `edges[i-1] <= x < edges[i]`, open at both ends.

    `counts` is one longer than `edges`; rows without a value are in `missing` alone.
    """

    kind: Literal["numeric"] = "numeric"
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int = 0


class CategoricalProfile(Value):
    """Rows by category; `other` counts the categories beyond the listed ones."""

    kind: Literal["categorical"] = "categorical"
    counts: dict[Text, int]
    other: int = 0
    missing: int = 0


FeatureProfile = Annotated[NumericProfile | CategoricalProfile, Field(discriminator="kind")]


class ReferenceProfile(Value):
    """Profiles of the features and of the score, over `rows` rows; `roc_auc` and `positive_rate` of the holdout."""

    rows: int
    features: dict[Text, FeatureProfile]
    score: NumericProfile
    roc_auc: float
    positive_rate: float


class Evidence(TrainingInputs):
    """Everything that a gate, an auditor or a repetition needs to know of a candidate."""

    version: ClassVar[int] = 1

    candidate: Evaluation
    champion: Evaluation | None = None
    champion_version: int | None = None
    profile: ReferenceProfile
    parity: Parity

    def encode(self) -> bytes:
        """Return the document as it is stored."""
        return self.model_dump_json().encode()

    def summary(self) -> TrainingSummary:
        """Return the part that the event carries."""
        return TrainingSummary(
            **{name: getattr(self, name) for name in TrainingInputs.model_fields},
            metrics=self.candidate.metrics,
            champion_metrics=self.champion.metrics if self.champion else None,
            champion_version=self.champion_version,
        )
