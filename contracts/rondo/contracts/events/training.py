"""Events of trainings: requested, started, ended with a candidate, failed, skipped."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rondo.contracts.events.base import ModelEvent, Value
from rondo.contracts.events.data import DataVersion
from rondo.contracts.spec.policy import Value as ParameterValue
from rondo.contracts.tasks.base import NAME
from rondo.contracts.tasks.registry import METRICS, TASKS
from rondo.contracts.text import Digest, Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import (
    AdaptationStrategy,
    NoteCode,
    ParameterOrigin,
    SkipReason,
    TrainerKind,
    TriggerKind,
    open_to,
)


class Trigger(Value):
    """What triggered a training. The same finding always has the same `id`.

    `artifact` names the ONNX model of a registration in the artifact store, as it was given. Of a finding, `since` is
    when a change most likely began, `rows_since` the rows since then, `model_version` the version that it is about, and
    `loss_rise` how much more that has lost a row since then.
    """

    id: Text
    kind: Annotated[Text, open_to(TriggerKind)]
    at: Utc
    detail: Message = ""
    artifact: Digest | None = None
    since: Utc | None = None
    model_version: int | None = None
    loss_rise: float | None = None
    rows_since: int | None = None


class FunctionVersion(Value):
    """The code of a `trainer.function`: the folder or wheel that it is in, and the SHA-256 digest of that."""

    function: Text
    package: Text
    digest: Digest


class EnsembleMember(Value):
    """A model of an ensemble, with its share of the mean.

    `model_version` is the champion that the model was fitted for, and `digest` that version's artifact. Both are None
    for the model that this training fitted. `mse` is the mean squared error of the rows that determined the weights.
    """

    model_version: int | None = None
    digest: Digest | None = None
    weight: float
    mse: float


class StrategyScore(Value):
    """A strategy, the rows that its model was fitted to for the comparison, and the mean loss of that on the holdout.

    By its record it has lost less than the strategy that led before by `advantage` a row, with the standard error
    `error`; from `needed` on it leads. They are None for that one, and where nothing was compared. The champion is
    compared with the strategy that leads now, and its `rows`, which are those of an earlier training, are 0.
    """

    strategy: Annotated[Text, open_to(AdaptationStrategy)]
    rows: int
    loss: float
    advantage: float | None = None
    error: float | None = None
    needed: float | None = None


class Adaptation(Value):
    """Which rows a comparison chose, by `retrain: {policy: auto}`, and why.

    The model is fitted to `rows` rows from `since` on. Their weights halve every `half_life` rows if `strategy` is
    `fading`. They include the holdout if it was `refitted` after its evaluation. `gap_rows` are those before the
    holdout whose labels came too late for a model that predicts it. `window_start` is when the last confirmed change
    began, and `suspected_since` when a change began that this training looked into.
    """

    strategy: Annotated[Text, open_to(AdaptationStrategy)]
    rows: int
    since: Utc
    half_life: float | None = None
    refitted: bool = False
    gap_rows: int = 0
    window_start: Utc | None = None
    suspected_since: Utc | None = None
    scores: tuple[StrategyScore, ...] = ()
    reason: Message


class TrainingInputs(Value):
    """What a training was made of: enough to repeat it.

    `function` is the code of a `trainer.function`. `members` are the models of an ensemble, the newly fitted one first,
    and `rows_weighed` the rows before the holdout that determined their weights.
    """

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
    function: FunctionVersion | None = None
    members: tuple[EnsembleMember, ...] = ()
    rows_weighed: int = 0
    adaptation: Adaptation | None = None


class TrainingNote(Value):
    """What the author of a spec should know of a training. `feature` is the one that the note is about, if any."""

    code: Annotated[Text, open_to(NoteCode)]
    feature: Text | None = None
    message: Message


class SearchSummary(Value):
    """How the parameters were found: the trials that ended, `pruned` and `failed` ones among them, of `planned` ones.

    `best` is the number of the best trial, from 0, and `value` its mean of `metric` over the inner splits, each of
    training rows that are later than those it was fitted to.
    """

    planned: int
    trials: int
    pruned: int
    failed: int
    best: int
    metric: Text
    value: float
    origin: Annotated[Text, open_to(ParameterOrigin)]


class Parameters(Value):
    """The trainer's kind, and the parameters that the model was fitted with; others have the library's defaults.

    Those of a step of scikit-learn are named as by `make_pipeline`. Without a search they are those of the spec.
    """

    kind: Annotated[Text, open_to(TrainerKind)]
    params: dict[Text, ParameterValue]
    search: SearchSummary | None = None


class FeatureImportance(Value):
    """By how much the mean loss of a model rises where the values of a feature are permuted, and its standard error."""

    feature: Text
    loss_increase: float
    error: float


class AnswerRule(Value):
    """What a model makes of its raw prediction.

    `threshold` is the least score of the positive label. An interval that shall contain the share `coverage` of the
    outcomes is the value plus and minus `half_width`. So many `rows` of the holdout chose the threshold that costs
    least, or the width. None for a threshold that nothing chose.
    """

    threshold: float | None = None
    coverage: float | None = None
    half_width: float | None = None
    rows: int | None = None


class TrainingSummary(TrainingInputs):
    """The headline figures of a candidate, notes on its rows, and the inputs of its training.

    The rest is in its evidence.

    `task` is that of the spec. `metrics` are of the holdout, as are `champion_metrics`. These are None where the
    champion could not be scored. `importance` has the features that matter most, the most important first. A model that
    decides nothing has no `answer_rule`.
    """

    task: Annotated[Text, Field(description=NAME, examples=list(TASKS))]
    metrics: dict[Text, float]
    champion_metrics: dict[Text, float] | None = None
    champion_version: int | None = None
    notes: tuple[TrainingNote, ...] = ()
    parameters: Parameters | None = None
    importance: tuple[FeatureImportance, ...] = ()
    answer_rule: AnswerRule | None = None


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


class TrainingProgressed(ModelEvent):
    """A trial of a run's search for parameters ended: `trials` of `planned` have.

    `best` is the best mean of `metric` so far. None before a trial has completed.
    """

    topic: ClassVar[str] = "training.progressed"

    run_id: Text
    trigger: Trigger
    trials: int
    planned: int
    metric: Text
    best: float | None = None

    @property
    def detail(self) -> str:
        """The progress as text, such as `trial 12 of 40, best ROC AUC 0.742`."""
        metric = METRICS.get(self.metric)
        best = "" if self.best is None or metric is None else f", best {metric.written(self.best)}"
        return f"trial {self.trials} of {self.planned}{best}"


class ModelTrained(ModelEvent):
    """A run ended with a candidate. `digest` names the ONNX artifact, `size` its bytes, `evidence` the evidence.

    The evidence is the JSON of `rondo.contracts.training_evidence.Evidence` in the artifact store.
    """

    topic: ClassVar[str] = "models.trained"

    run_id: Text
    trigger: Trigger
    digest: Digest
    size: int
    evidence: Digest
    summary: TrainingSummary
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
    """A trigger led to no run: another is in flight, or a cooldown, a budget or the lack of data forbids it.

    `adaptation` has the figures where a comparison kept what serves.
    """

    topic: ClassVar[str] = "training.skipped"

    trigger: Trigger
    reason: Annotated[Text, open_to(SkipReason)]
    detail: Message
    run_id: Text | None = None
    adaptation: Adaptation | None = None
