"""What is said about training: asked for, started, done, failed, or not done and why."""

from __future__ import annotations

from typing import Annotated, ClassVar

from rondo.contracts.events.base import ModelEvent, Value
from rondo.contracts.events.data import DataVersion
from rondo.contracts.events.profile import ReferenceProfile
from rondo.contracts.text import Digest, Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import SkipReason, TriggerKind, open_to


class Trigger(Value):
    """What asked for a training. `id` is the same however often the same finding is told."""

    id: Text
    kind: Annotated[Text, open_to(TriggerKind)]
    at: Utc
    detail: Message = ""


class SliceMetric(Value):
    """ROC AUC on the rows where `column` is `value`; None where only one class occurs."""

    column: Text
    value: Text
    rows: int
    positives: int
    roc_auc: float | None


class Evaluation(Value):
    """How one model did on the holdout."""

    metrics: dict[Text, float]
    slices: tuple[SliceMetric, ...] = ()


class Parity(Value):
    """How far the ONNX graph is from the native model, over `rows` rows."""

    rows: int
    max_abs_difference: float


class Evidence(Value):
    """Everything that a gate, an auditor or a rerun needs to know of a candidate."""

    candidate: Evaluation
    champion: Evaluation | None = None
    champion_version: int | None = None
    profile: ReferenceProfile
    parity: Parity
    data: tuple[DataVersion, ...]
    training_set_digest: Digest
    rows_trained: int
    rows_holdout: int
    event_time_from: Utc
    event_time_to: Utc
    as_of: Utc
    spec_digest: Digest
    code_version: Text
    seed: int
    environment: dict[Text, Text]


class TrainingRequested(ModelEvent):
    """Somebody, or a schedule, asked for a training now."""

    topic: ClassVar[str] = "training.requested"

    trigger: Trigger
    requested_by: Text


class TrainingStarted(ModelEvent):
    """A worker began a run."""

    topic: ClassVar[str] = "training.started"

    run_id: Text
    trigger: Trigger
    spec_digest: Digest
    started_at: Utc


class ModelTrained(ModelEvent):
    """A run ended with a candidate and its evidence. `digest` names the ONNX artifact, `size` its bytes."""

    topic: ClassVar[str] = "models.trained"

    run_id: Text
    trigger: Trigger
    digest: Digest
    size: int
    evidence: Evidence
    started_at: Utc
    finished_at: Utc


class TrainingFailed(ModelEvent):
    """A run ended without a candidate, after `attempts` tries."""

    topic: ClassVar[str] = "training.failed"

    run_id: Text
    trigger: Trigger
    reason: Message
    attempts: int


class TrainingSkipped(ModelEvent):
    """A trigger led to no run: another is in flight, or a cooldown, a budget or the lack of data forbids it."""

    topic: ClassVar[str] = "training.skipped"

    trigger: Trigger
    reason: Annotated[Text, open_to(SkipReason)]
    detail: Message
    run_id: Text | None = None
