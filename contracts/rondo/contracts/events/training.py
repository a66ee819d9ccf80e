"""Events of trainings: requested, started, progressed, ended with a candidate, failed, skipped."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rondo.contracts.events.base import ModelEvent, Value
from rondo.contracts.events.data import DataVersion
from rondo.contracts.spec.dataset.source import SourceDataset
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
    """The trigger of a training. The same finding always has the same `id`.

    `artifact` names the ONNX model of a registration in the artifact store, unchanged. The other fields are those of a
    finding: `since` is the most likely start of the change, `rows_since` the number of rows since then, `model_version`
    the version that the finding is about, and `loss_rise` the increase of that version's mean loss since then.
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
    """The code of a `trainer.function`: its folder or wheel, and the SHA-256 digest of that."""

    function: Text
    package: Text
    digest: Digest


class EnsembleMember(Value):
    """A model of an ensemble, and its weight in the mean.

    `model_version` is the earlier champion that has the model, and `digest` that version's artifact. Both are None for
    the model that this training fitted. `mse` is the mean squared error on the rows that determined the weights.
    """

    model_version: int | None = None
    digest: Digest | None = None
    weight: float
    mse: float


class StrategyScore(Value):
    """A strategy, the number of rows that its model was fitted to for the comparison, and its mean loss on the holdout.

    `advantage` is the mean loss per row of the strategy that led before, minus the mean loss of this strategy, over
    their record. `error` is its standard error. If `advantage` is at least `needed`, this strategy leads. The three are
    None for the strategy that led before, and if nothing was compared. The champion is compared with the strategy that
    leads now. Its `rows` are 0, because an earlier training fitted it.
    """

    strategy: Annotated[Text, open_to(AdaptationStrategy)]
    rows: int
    loss: float
    advantage: float | None = None
    error: float | None = None
    needed: float | None = None


class Adaptation(Value):
    """The rows that a comparison chose with `retrain: {policy: auto}`, and the reasons.

    The model is fitted to `rows` rows from `since` on. If `strategy` is `fading`, their weights halve every `half_life`
    rows. They include the holdout if the model was `refitted` after its evaluation. `gap_rows` counts the rows before
    the holdout whose labels arrived too late for a model that predicts the holdout. `window_start` is the start of the
    last confirmed change, and `suspected_since` the start of the suspected change that this training examined.
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
    """The inputs of a training, which suffice to repeat it.

    `function` is the code of a `trainer.function`. `members` are the models of an ensemble, the newly fitted one first.
    `rows_weighed` is the number of rows before the holdout that determined their weights. `sources` are the datasets
    from which features were joined. Their versions are in `data`.
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
    # Left out if it is empty, so that the evidence of a model without joins keeps its digest.
    sources: Annotated[tuple[SourceDataset, ...], Field(exclude_if=lambda sources: not sources)] = ()


class TrainingNote(Value):
    """Something about a training that the author of the spec should know.

    `feature` is the feature concerned, if any.
    """

    code: Annotated[Text, open_to(NoteCode)]
    feature: Text | None = None
    message: Message


class SearchSummary(Value):
    """A search for parameters: `trials` of the `planned` trials ended, of which some were `pruned` or `failed`.

    `best` is the number of the best trial, counted from 0, and `value` its mean of `metric` over the inner splits. Each
    split evaluates a model on training rows that are later than the rows that it was fitted to.
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
    """The trainer's kind, and the parameters of the fit. All other parameters have the library's defaults.

    Parameters of a step of scikit-learn are named as by `make_pipeline`. Without a search the parameters are those of
    the spec.
    """

    kind: Annotated[Text, open_to(TrainerKind)]
    params: dict[Text, ParameterValue]
    search: SearchSummary | None = None


class FeatureImportance(Value):
    """The increase of a model's mean loss if the values of a feature are permuted, and its standard error over rows.

    Without any information in the feature the increase is 0 in expectation, and positive or negative by chance.
    """

    feature: Text
    loss_increase: float
    error: float


class AnswerRule(Value):
    """The rule by which a model turns its raw prediction into an answer.

    `threshold` is the lowest score that gets the positive label. An interval that is to contain the share `coverage` of
    the outcomes is the value plus and minus `half_width`. `rows` is the number of holdout rows that chose the threshold
    with the lowest cost, or the width. It is None for a threshold that was not chosen by rows.
    """

    threshold: float | None = None
    coverage: float | None = None
    half_width: float | None = None
    rows: int | None = None


class TrainingSummary(TrainingInputs):
    """The headline figures of a candidate, notes on its rows, and the inputs of its training.

    The rest is in its evidence. `task` is the task of the spec. `metrics` and `champion_metrics` are those of the
    holdout. `champion_metrics` is None if the champion could not be scored. `importance` lists the most important
    features, the most important first. A model without a threshold and without an interval has no `answer_rule`.
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
    """A person or a schedule asked for a training."""

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
    """A trial of a run's search for parameters ended. `trials` of the `planned` trials have ended.

    `best` is the best mean of `metric` so far. None before the first trial has completed.
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
    """A run ended with a candidate. `digest` names the ONNX artifact, `size` is its size in bytes.

    `evidence` names the JSON of `rondo.contracts.training_evidence.Evidence` in the artifact store.
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
    """A trigger led to no run, because another run is active, or because of a cooldown, a budget or too little data.

    `adaptation` has the figures of a comparison that kept the champion.
    """

    topic: ClassVar[str] = "training.skipped"

    trigger: Trigger
    reason: Annotated[Text, open_to(SkipReason)]
    detail: Message
    run_id: Text | None = None
    adaptation: Adaptation | None = None
