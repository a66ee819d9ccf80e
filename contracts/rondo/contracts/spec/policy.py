"""The policies of a model spec: training, retraining, serving, monitoring. Rollouts are in `rollout.py`."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from rondo.contracts.spec.data import SpecSection
from rondo.contracts.spec.duration import Duration, PositiveDuration
from rondo.contracts.text import Text
from rondo.contracts.vocabularies import (
    ColumnStatisticName,
    LogDelivery,
    RetrainPolicy,
    TrainerKind,
    TriggerKind,
    UnknownFields,
    known,
)


def _scalar(value: object) -> object:
    if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        message = f"{value!r} can't be a parameter: give a finite number, a text, true or false"
        raise ValueError(message)
    return value


def _number(value: object) -> object:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        message = "expected a number"
        raise ValueError(message)
    return value


def _sorted(params: dict[Text, Any]) -> dict[str, Any]:
    return dict(sorted(params.items()))


def _scalar_or_list(value: object) -> object:
    return [_scalar(item) for item in value] if isinstance(value, list | tuple) else _scalar(value)


DEFAULT_MIN_ROWS = 1_000
DEFAULT_TRIGGERS = (TriggerKind.DRIFT.value, TriggerKind.PERFORMANCE.value)
# Answers are read back from their topic, which keeps them for so long.
MAX_DEDUPLICATION = timedelta(days=7)
# Each member of an ensemble takes memory in serving, and time at each prediction.
MAX_MEMBERS = 10
# The order of the parameters means nothing, so it must not change the digest.
Param = Annotated[int | float | Text | bool, BeforeValidator(_scalar)]
Params = Annotated[dict[Text, Param], AfterValidator(_sorted)]
Value: TypeAlias = int | float | Text | bool | tuple[int | float | Text | bool, ...]
StepParam = Annotated[Value, BeforeValidator(_scalar_or_list)]
Bound = Annotated[int | float | None, BeforeValidator(_number)]
StepParams = Annotated[dict[Text, StepParam], AfterValidator(_sorted)]


class Step(SpecSection):
    """A step of `trainer.steps`: a class of scikit-learn."""

    use: Text
    """The import path of the class, such as `sklearn.preprocessing.StandardScaler`. The ones that can be used are
    below."""
    params: StepParams = Field(default_factory=dict)
    """Its parameters, see below. Others have scikit-learn's defaults."""


class SearchedParameter(SpecSection):
    """The values that a search may give a parameter: a range, or a list. A list may also stand alone: `[16, 64]`.

    The name of the parameter and each value are held to the same rules as in `params` and `steps`.
    """

    low: Bound = None
    """The least value of a range. The value itself is allowed."""
    high: Bound = None
    """The greatest value of a range. The value itself is allowed."""
    log: bool = False
    """Whether the logarithm of the value is searched evenly: for a range over several powers of ten."""
    values: Annotated[tuple[StepParam, ...], Field(min_length=1)] | None = None
    """A list of values, in place of a range. Their order means nothing to the search."""

    @model_validator(mode="before")
    @classmethod
    def _list_stands_for_values(cls, given: object) -> object:
        if isinstance(given, list | tuple):
            return {"values": given}
        if not isinstance(given, dict | SearchedParameter):
            message = f"{given!r} is no space: give a range, such as {{low: 0.01, high: 0.3, log: true}}, or a list"
            raise ValueError(message)  # noqa: TRY004 - pydantic reports a ValueError with its place
        return given


def _sorted_space(space: dict[Text, SearchedParameter]) -> dict[Text, SearchedParameter]:
    return dict(sorted(space.items()))


class Search(SpecSection):
    """A search for better parameters, within each training.

    Each trial fits models with other parameters to the training rows, on three splits in order of time, and evaluates
    each on the rows that follow. The holdout of the gates is not seen. The candidate is then fitted with the parameters
    of the best trial. The first trial has the parameters of the champion, the second those of `params` or `steps`. The
    others are proposed by what the trials before have shown. A trial that is worse than half of them after a split ends
    there.
    """

    trials: Annotated[int, Field(ge=1, le=1_000)] = 40
    """The number of trials."""
    minutes: Annotated[float, Field(gt=0)] = 10
    """No trial begins after this many minutes of trials. A search that ends so may end otherwise when it is repeated:
    the same rows and seed then give another model."""
    space: Annotated[dict[Text, SearchedParameter], AfterValidator(_sorted_space)] = Field(default_factory=dict)
    """The parameters that are searched, each with a range or a list of values. For `sklearn` their names are those of
    scikit-learn's `make_pipeline`, such as `logisticregression__C`. By default the ones below, without those that
    `params` or `steps` set."""


class Trainer(SpecSection):
    """How a candidate is trained."""

    kind: Annotated[Text, Field(examples=known(TrainerKind))] = TrainerKind.LIGHTGBM.value
    """What trains: a library (`lightgbm`, `xgboost`, `sklearn`), or a `function` of your own."""
    function: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = None
    """For `function`: what trains, as `package.module:name`. Docs/functions.md says how to write one. The package is in
    the folder that the trainer's operator names with `RONDO_FUNCTIONS`."""
    params: Params = Field(default_factory=dict)
    """For `lightgbm` and `xgboost`: the library's parameters, by any of its names for them. Others have the library's
    defaults, and `n_estimators` is 100. For `function`: what the function gets as `context.params`."""
    steps: tuple[Step, ...] = ()
    """For `sklearn`: transformers in the order in which they are applied, and the classifier or regressor last."""
    # Left out of the canonical JSON where there is none, so that specs without a search keep their digest.
    search: Annotated[Search | None, Field(exclude_if=lambda search: search is None)] = None
    """Whether each training searches for better parameters. By default it uses those of `params` or `steps`."""
    # Likewise: specs without an ensemble keep their digest.
    ensemble: Annotated[int, Field(ge=1, le=MAX_MEMBERS, exclude_if=lambda size: size == 1)] = 1
    """The most models that a candidate is made of: with 4 it is the weighted mean of the newly fitted model and the
    models of the last 3 champions, which helps where earlier conditions come back. The earlier half of the holdout
    determines the weights, and the later half evaluates the candidate. 1: the newly fitted model alone."""
    window: PositiveDuration | None = None
    """How far back from the newest row the training data reaches. By default it has no limit, and with
    `retrain: {policy: auto}` a comparison of models decides which of the rows one is fitted to."""
    holdout: Annotated[float, Field(gt=0, lt=0.9)] | None = None
    """The share of the rows, the latest ones, that the model is not fitted to but evaluated on. By default 0.1; with
    `retrain: {policy: auto}` the rows since those that the champion was fitted to."""
    # Left out of the canonical JSON where there is none, so that other specs keep their digest.
    holdout_rows: Annotated[Annotated[int, Field(ge=1)] | None, Field(exclude_if=lambda rows: rows is None)] = None
    """In place of `holdout`: how many of the latest rows are held out."""
    holdout_span: Annotated[PositiveDuration | None, Field(exclude_if=lambda span: span is None)] = None
    """In place of `holdout`: how far back from the newest row the holdout reaches."""
    refit: bool | None = None
    """Whether the model is fitted again after its evaluation, to the holdout as well, before it serves. By default so
    with `retrain: {policy: auto}`, and what was evaluated serves otherwise. An ensemble is never refitted."""
    min_rows: Annotated[int, Field(ge=1)] = DEFAULT_MIN_ROWS
    """With fewer labelled rows a training is skipped until there is more data. Where it is not 1000, no model of fewer
    rows serves, whatever the newest ones show. 1000 bounds the first training alone. The holdout counts: where models
    are not refitted (`refit: false`), what serves is fitted to as many rows less the holdout."""
    seed: int = 7
    """The seed of all randomness, 0 or more. The same rows and the same seed give the same model."""

    @property
    def least_fitted(self) -> int:
        """The rows that what serves is fitted to at least. 0 by default, for a comparison knows when few suffice."""
        return 0 if self.min_rows == DEFAULT_MIN_ROWS else self.min_rows


class Retrain(SpecSection):
    """When to train again. The first data and `rondo train` start a training in any case."""

    policy: Annotated[Text, Field(examples=known(RetrainPolicy))] = RetrainPolicy.AUTO.value
    """`auto`: when the labelled rows have grown by a tenth, and when the performance may have dropped. A comparison of
    models decides which rows each training takes. Docs/retraining.md explains it. `triggers`: at what `on` lists. By
    default `auto`, and `triggers` where `on` is given."""
    on: tuple[Text, ...] = ()
    """The triggers that start a training with `policy: triggers`, by default `[drift, performance]`. With `[]`, the
    first data and `rondo train` alone do. With `policy: auto` it may list schedules."""
    cooldown: Duration = timedelta(days=1)
    """The least distance between two trainings, in event time. A trigger within it is skipped, which is published."""
    budget_per_week: Annotated[int, Field(ge=1)] = 5
    """The number of trainings allowed in any seven days of event time. Failed ones count. Those requested by people are
    always allowed, and count unless they fail."""
    training_cost: Annotated[float, Field(gt=0)] | None = None
    """What a training costs, in any currency, for `policy: auto`. With it and `error_cost`, new labels and drops of the
    performance start a training only if it pays."""
    error_cost: Annotated[float, Field(gt=0)] | None = None
    """What one more error costs in that currency: a loss of 1 for one row, see docs/retraining.md."""

    @model_validator(mode="before")
    @classmethod
    def _policy_follows_from_triggers(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        policy = given.get("policy", RetrainPolicy.TRIGGERS.value if "on" in given else RetrainPolicy.AUTO.value)
        on = () if policy == RetrainPolicy.AUTO else DEFAULT_TRIGGERS
        return {"on": on} | given | {"policy": policy}

    @property
    def is_automatic(self) -> bool:
        return self.policy == RetrainPolicy.AUTO


def _follows_from_flag(word: str) -> bool:
    return word in (UnknownFields.REFUSE, UnknownFields.IGNORE)


class Serving(SpecSection):
    """How the requests of the model are answered."""

    unknown_fields: Annotated[Text, Field(examples=known(UnknownFields), exclude_if=_follows_from_flag)] = "refuse"
    """What happens to a request with features or fields that are not known. `refuse`: it is refused with the nearest
    known name, because a misspelt optional feature would otherwise count as missing, and without its `entity` a
    prediction is found by no outcome. `warn`: it is answered, the answer names them in `warnings`, and the service logs
    and counts them. `ignore`: it is answered. Some requests are looked at, and warned of names that resemble `entity`,
    `event_time` or `id`. A change takes effect with the next deployment of the model."""
    ignore_unknown_fields: bool = False
    """The same in the words of earlier releases: true is `ignore`, false is `refuse`. Leave it out."""
    # Left out of the canonical JSON at its default, so that specs without it keep their digest.
    log: Annotated[Text, Field(examples=known(LogDelivery), exclude_if=lambda delivery: delivery == "acknowledged")] = (
        "acknowledged"
    )
    """When an answer over HTTP is sent: once Kafka has its row of the inference log (`acknowledged`), or before
    (`buffered`): rows are then gathered for 10 ms, and an answer waits for nothing. A replica that is killed or crashes
    loses the rows of the answers of its last 10 ms and of those that Kafka has not acknowledged yet, as do 5 s without
    Kafka: these predictions were sent and are never monitored or trained on. A stop loses nothing while Kafka is
    available. Answers over Kafka always come with their row. A change takes effect with the next deployment of the
    model."""
    answer_cache_rows: Annotated[int, Field(ge=0, le=10_000_000, exclude_if=lambda rows: rows == 0)] = 0
    """How many rows each replica and version keep with their outputs, by a hash of their features. None by default. A
    request with the same features is then answered without an inference, and logged as any other. It pays where the
    model is slow and requests repeat: a row takes about 400 bytes, 4 more for each class, and a few microseconds. The
    metric `rondo_answer_cache_rows_total` counts hits and misses. A change takes effect with the next deployment of the
    model."""
    deduplicate: Annotated[PositiveDuration | None, Field(exclude_if=lambda window: window is None)] = None
    """For so long after an answer over Kafka, a request with the same `id` and the same message key gets that answer
    again, without an inference and without a second row of the inference log. By default each request is scored.
    It counts by the clock, and is at most 7d, for which answers are kept. Requests over HTTP and gRPC have no part in
    it. A change takes effect with the next deployment of the model."""

    @model_validator(mode="before")
    @classmethod
    def _word_and_flag_agree(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        flag, word = given.get("ignore_unknown_fields"), given.get("unknown_fields")
        if word is None:
            return given | {"unknown_fields": (UnknownFields.IGNORE if flag is True else UnknownFields.REFUSE).value}
        answers = word != UnknownFields.REFUSE
        if flag is None:
            return given | {"ignore_unknown_fields": answers}
        if isinstance(flag, bool) and flag != answers:
            message = f"it contradicts `unknown_fields: {word}`: leave `ignore_unknown_fields` out"
            raise ValueError(message)
        return given


_REPLACED = {
    "drift": "a column counts as drifted when the evidence against no change suffices, at any distance",
    "performance_drop": "the performance counts as degraded when the evidence that the losses have risen suffices",
    "min_rows": "evidence accumulates until it suffices, with ten rows a day or ten million",
    "consecutive": "one sufficient evidence is enough, however often it is looked at",
}


class WantedLabels(SpecSection):
    """How many outcomes are asked for, where they cost."""

    budget_per_day: Annotated[int, Field(ge=1, le=10_000)]
    """The most predictions of a day of event time whose outcomes are asked for on the topic `labels.wanted`: a random
    sample of each window, or of each day of longer windows."""


class Monitor(SpecSection):
    """How the model is monitored: evidence against "nothing has changed", and figures of windows of event time."""

    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The probability that a version is ever reported as drifted or degraded although nothing has changed, over all
    features, its predictions and its losses together, for as long as it serves."""
    window: PositiveDuration | None = None
    """The length of the windows whose figures are reported. It decides nothing, but a window's outcomes become evidence
    when it closes. By default it follows from the density of the training rows in event time: a second to 28 days."""
    detectors: tuple[Annotated[Text, Field(examples=known(ColumnStatisticName))], ...] = (
        ColumnStatisticName.PSI.value,
        ColumnStatisticName.KS.value,
        ColumnStatisticName.TOTAL_VARIATION.value,
        ColumnStatisticName.MISSING.value,
        ColumnStatisticName.UNSEEN.value,
    )
    """What is reported of the columns of each window, in this order: `psi` and `jensen_shannon` of all, `ks` and
    `wasserstein` of those with an order, `total_variation` of those with categories, `missing` and `unseen` values.
    A class of your own is `package.module:Class`, from a package that the operator has put into `RONDO_DETECTORS`
    (docs/detectors.md). They decide nothing."""
    labels: WantedLabels | None = None
    """Without it no outcome is asked for: all are sent that are there."""

    @model_validator(mode="before")
    @classmethod
    def _without_thresholds(cls, given: object) -> object:
        if isinstance(given, dict) and (replaced := sorted(given.keys() & _REPLACED.keys())):
            message = "; ".join(f"`{key}` is no key any more: {_REPLACED[key]}" for key in replaced)
            raise PydanticCustomError("replaced_key", "{message}", {"message": f"{message}. Remove it"})
        return given
