"""The policies of a model spec for training, retraining, serving and monitoring. Rollouts are in `rollout.py`."""

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


def _rows(value: object) -> object:
    if isinstance(value, str):
        message = f"{value!r} is not a number of rows: multiply the rows of a day by the days, such as 1000000"
        raise ValueError(message)  # noqa: TRY004 - pydantic reports a ValueError with its place
    return value


def _sorted(params: dict[Text, Any]) -> dict[str, Any]:
    return dict(sorted(params.items()))


def _scalar_or_list(value: object) -> object:
    return [_scalar(item) for item in value] if isinstance(value, list | tuple) else _scalar(value)


DEFAULT_MIN_ROWS = 1_000
DEFAULT_TRIGGERS = (TriggerKind.DRIFT.value, TriggerKind.PERFORMANCE.value)
# Serving reads answers back from their topic, which keeps them for this long.
MAX_DEDUPLICATION = timedelta(days=7)
# The detectors divide their share of the false-alarm rate equally.
MAX_ALARM_DETECTORS = 8
# With fewer rows a version would be reported within its first blocks.
LEAST_RUN_LENGTH, MOST_RUN_LENGTH = 1_000, 10**12
# Each member of an ensemble takes memory in serving, and time at each prediction.
MAX_MEMBERS = 10
# The order of the parameters has no meaning, so it must not change the digest.
Param = Annotated[int | float | Text | bool, BeforeValidator(_scalar)]
Params = Annotated[dict[Text, Param], AfterValidator(_sorted)]
Value: TypeAlias = int | float | Text | bool | tuple[int | float | Text | bool, ...]
StepParam = Annotated[Value, BeforeValidator(_scalar_or_list)]
Bound = Annotated[int | float | None, BeforeValidator(_number)]
StepParams = Annotated[dict[Text, StepParam], AfterValidator(_sorted)]


class Step(SpecSection):
    """A step of `trainer.steps`: a class of scikit-learn."""

    use: Text
    """The import path of the class, such as `sklearn.preprocessing.StandardScaler`. The classes that can be used are
    listed below."""
    params: StepParams = Field(default_factory=dict)
    """The parameters of the class, listed below. All others have scikit-learn's defaults."""


class SearchedParameter(SpecSection):
    """The values that a search may give a parameter: a range, or a list. A list may be written alone: `[16, 64]`.

    The name of the parameter and each value follow the same rules as in `params` and `steps`.
    """

    low: Bound = None
    """The lowest value of a range, itself included."""
    high: Bound = None
    """The highest value of a range, itself included."""
    log: bool = False
    """True to search the logarithm of the value uniformly, which suits a range over several powers of ten."""
    values: Annotated[tuple[StepParam, ...], Field(min_length=1)] | None = None
    """A list of values, in place of a range. The order of the values has no meaning for the search."""

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

    Each trial fits models with other parameters on three splits of the training rows in order of time, and evaluates
    each model on the rows that follow. The holdout of the gates is not used. The candidate is then fitted with the
    parameters of the best trial. The first trial has the parameters of the champion, the second those of `params` or
    `steps`. The parameters of later trials follow from the results of earlier ones. A trial that is worse than half of
    the earlier trials after a split ends there.
    """

    trials: Annotated[int, Field(ge=1, le=1_000)] = 40
    """The number of trials."""
    minutes: Annotated[float, Field(gt=0)] = 10
    """No trial begins after this many minutes. A search that ends by time may have another number of trials when it is
    repeated, and then gives another model for the same rows and seed."""
    space: Annotated[dict[Text, SearchedParameter], AfterValidator(_sorted_space)] = Field(default_factory=dict)
    """The parameters that are searched, each with a range or a list of values. For `sklearn` their names are those of
    scikit-learn's `make_pipeline`, such as `logisticregression__C`. The default is listed below, without parameters
    that `params` or `steps` set."""


class Trainer(SpecSection):
    """The training of a candidate."""

    kind: Annotated[Text, Field(examples=known(TrainerKind))] = TrainerKind.LIGHTGBM.value
    """The kind of trainer: a library (`lightgbm`, `xgboost`, `sklearn`), or a `function` of your own."""
    function: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = None
    """For `function`: the training function, as `package.module:name`. How to write one is in docs/functions.md. The
    package is in the folder that the trainer's operator sets with `RONDO_FUNCTIONS`."""
    params: Params = Field(default_factory=dict)
    """For `lightgbm` and `xgboost`: the library's parameters, by their names or aliases. All others have the library's
    defaults, and `n_estimators` is 100. For `function`: the value of `context.params` in the function."""
    steps: tuple[Step, ...] = ()
    """For `sklearn`: transformers in the order in which they are applied, and the classifier or regressor last."""
    # Left out of the canonical JSON if it is None, so that specs without a search keep their digest.
    search: Annotated[Search | None, Field(exclude_if=lambda search: search is None)] = None
    """A search for better parameters in each training. By default trainings use those of `params` or `steps`."""
    # Left out at its default, so that specs without an ensemble keep their digest.
    ensemble: Annotated[int, Field(ge=1, le=MAX_MEMBERS, exclude_if=lambda size: size == 1)] = 1
    """The largest number of models in a candidate. With 4, a candidate is the weighted mean of the newly fitted model
    and the models of the last 3 champions, which helps if earlier conditions return. The earlier half of the holdout
    determines the weights, and the later half evaluates the candidate. With 1, a candidate is the newly fitted model
    alone."""
    window: PositiveDuration | None = None
    """The time span of the training data, back from the newest row. By default it has no limit, and with `retrain:
    {policy: auto}` a comparison of models decides to which of the rows a model is fitted."""
    holdout: Annotated[float, Field(gt=0, lt=0.9)] | None = None
    """The share of the latest rows that are held out: the model is evaluated on them, and not fitted to them. By
    default 0.1. With `retrain: {policy: auto}` the default holdout has the rows after those that the champion was
    fitted to."""
    # Left out of the canonical JSON if it is None, so that specs without it keep their digest.
    holdout_rows: Annotated[Annotated[int, Field(ge=1)] | None, Field(exclude_if=lambda rows: rows is None)] = None
    """In place of `holdout`: the number of the latest rows that are held out."""
    holdout_span: Annotated[PositiveDuration | None, Field(exclude_if=lambda span: span is None)] = None
    """In place of `holdout`: the time span of the holdout, back from the newest row."""
    refit: bool | None = None
    """True to fit the model again after its evaluation, to all rows including the holdout, before it serves. With false
    the evaluated model serves. The default is true with `retrain: {policy: auto}`, and false otherwise. An ensemble is
    never refitted."""
    min_rows: Annotated[int, Field(ge=1)] = DEFAULT_MIN_ROWS
    """With fewer labelled rows a training is skipped until there is more data. Another value than the default of 1000
    also bounds later trainings: no model that is fitted to fewer rows serves, even if a comparison prefers fewer rows.
    The value 1000 bounds only the first training. The holdout counts: without a refit (`refit: false`), the model that
    serves is fitted to this many rows minus the holdout."""
    seed: int = 7
    """The seed of all randomness, 0 or more. The same rows and the same seed give the same model."""

    @property
    def least_fitted(self) -> int:
        """The lowest number of rows that the model that serves may be fitted to.

        0 by default: a comparison finds out how many suffice.
        """
        return 0 if self.min_rows == DEFAULT_MIN_ROWS else self.min_rows


class Retrain(SpecSection):
    """The conditions of a training. The first data and `rondo train` always start one."""

    policy: Annotated[Text, Field(examples=known(RetrainPolicy))] = RetrainPolicy.AUTO.value
    """`auto`: train when the labelled rows have grown by a tenth, and when the performance may have dropped. A
    comparison of models decides which rows each training takes. The page docs/retraining.md explains it. `triggers`:
    train at the triggers of `on`. By default `auto`, and `triggers` if `on` is given."""
    on: tuple[Text, ...] = ()
    """The triggers that start a training with `policy: triggers`, by default `[drift, performance]`. With `[]`, only
    the first data and `rondo train` start a training. With `policy: auto` the list may have schedules."""
    cooldown: Duration = timedelta(days=1)
    """The shortest time between two trainings, in event time. A trigger within it is skipped, and an event records
    that."""
    budget_per_week: Annotated[int, Field(ge=1)] = 5
    """The number of trainings allowed in any seven days of event time. Failed ones count. Trainings that people request
    are always allowed, and count unless they fail."""
    training_cost: Annotated[float, Field(gt=0)] | None = None
    """The cost of a training in any currency, for `policy: auto`. With this key and `error_cost`, new labels and drops
    of the performance start a training only if its benefit exceeds its cost."""
    error_cost: Annotated[float, Field(gt=0)] | None = None
    """The cost of one more error in that currency. An error is a loss of 1 for one row, see docs/retraining.md."""

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
    """The treatment of a model's requests."""

    unknown_fields: Annotated[Text, Field(examples=known(UnknownFields), exclude_if=_follows_from_flag)] = "refuse"
    """The treatment of a request with unknown features or fields. `refuse`: the request is refused with the nearest
    known name, because a misspelt optional feature would otherwise count as missing, and a prediction without its
    `entity` can't be joined with an outcome. `warn`: the request is answered, `warnings` of the answer names the
    unknown fields, and the service logs and counts them. `ignore`: the request is answered. A sample of these requests
    is checked for names that resemble `entity`, `event_time` or `id`, and their answers get warnings. A change takes
    effect with the next deployment of the model."""
    ignore_unknown_fields: bool = False
    """The same key of earlier releases: true is `ignore`, false is `refuse`. New specs leave it out."""
    # Left out of the canonical JSON at its default, so that specs without it keep their digest.
    log: Annotated[Text, Field(examples=known(LogDelivery), exclude_if=lambda delivery: delivery == "acknowledged")] = (
        "acknowledged"
    )
    """The time at which an answer over HTTP is sent. `acknowledged`: after Kafka has acknowledged the answer's row of
    the inference log. `buffered`: at once, while rows are gathered for 10 ms. With `buffered`, a replica that is killed
    or crashes loses the rows of its last 10 ms and those that Kafka has not acknowledged yet. An outage of Kafka of 5 s
    loses rows, too. The predictions of lost rows were sent, and are never monitored or trained on. A regular stop loses
    nothing while Kafka is available. Answers over Kafka are always sent together with their row. A change takes effect
    with the next deployment of the model."""
    answer_cache_rows: Annotated[int, Field(ge=0, le=10_000_000, exclude_if=lambda rows: rows == 0)] = 0
    """The number of rows whose outputs each replica keeps for each version, by a hash of their features. By default
    none. A request with the same features is then answered without an inference, and logged like all others. This helps
    if the model is slow and requests repeat. A row takes about 400 bytes, plus 4 for each class, and a few
    microseconds. The metric `rondo_answer_cache_rows_total` counts hits and misses. A change takes effect with the next
    deployment of the model."""
    deduplicate: Annotated[PositiveDuration | None, Field(exclude_if=lambda window: window is None)] = None
    """The time after an answer over Kafka during which a request with the same `id` and the same message key gets that
    answer again, without an inference and without a second row of the inference log. By default each request is scored.
    The time is clock time, and at most 7d, because answers are kept that long. It does not apply to requests over HTTP
    and gRPC. A change takes effect with the next deployment of the model."""

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
    """A limit on requests for outcomes, for outcomes that cost something."""

    budget_per_day: Annotated[int, Field(ge=1, le=10_000)]
    """The largest number of predictions in a day of event time whose outcomes are requested on the topic
    `labels.wanted`. They are a random sample of each window, or of each day of longer windows."""


class Monitor(SpecSection):
    """The monitoring of a model: evidence against the hypothesis that nothing has changed, and figures of windows."""

    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The probability that a version is reported as drifted or degraded at any time while it serves, although nothing
    has changed. It covers all features, the predictions and the losses together."""
    # Left out of the canonical JSON if it is None, so that specs without it keep their digest.
    run_length: Annotated[
        Annotated[Annotated[int, Field(ge=LEAST_RUN_LENGTH, le=MOST_RUN_LENGTH)], BeforeValidator(_rows)] | None,
        Field(exclude_if=lambda rows: rows is None),
    ] = None
    """In place of the rate for evidence about the champion: the mean number of rows until a version is reported,
    although nothing has changed, is at least this. It suits versions that serve for very long, because the evidence for
    a change does not have to be larger the later the change comes (docs/detectors.md). `false_alarm_rate` then holds
    for all else."""
    window: PositiveDuration | None = None
    """The length of the windows whose figures are reported. It affects no decision, except that the outcomes of a
    window become evidence when the window closes. The default follows from the density of the training rows in event
    time, and is between a second and 28 days."""
    detectors: tuple[Annotated[Text, Field(examples=known(ColumnStatisticName))], ...] = (
        ColumnStatisticName.PSI.value,
        ColumnStatisticName.KS.value,
        ColumnStatisticName.TOTAL_VARIATION.value,
        ColumnStatisticName.MISSING.value,
        ColumnStatisticName.UNSEEN.value,
    )
    """The statistics that are reported for the columns of each window, in this order: `psi` and `jensen_shannon` for
    all columns, `ks` and `wasserstein` for ordered ones, `total_variation` for categories, shares of `missing` and
    `unseen` values, and of numbers `out_of_range` of the training data. A class of your own is `package.module:Class`,
    from a package in the folder `RONDO_DETECTORS` (docs/detectors.md). These statistics and detectors only
    report, and affect no decision."""
    # Left out of the canonical JSON at its default, so that specs without it keep their digest.
    alarm_detectors: Annotated[
        tuple[Text, ...], Field(max_length=MAX_ALARM_DETECTORS, exclude_if=lambda detectors: not detectors)
    ] = ()
    """Classes of your own, as `package.module:Class`, that take part in the alarm. The monitor ranks their figures of
    blocks of rows, so the false-alarm rate holds for any function of the rows. With this key, inputs, predictions,
    losses and your detectors have a quarter of the rate each, and without it the first three have a third
    (docs/detectors.md)."""
    labels: WantedLabels | None = None
    """A limit on requests for outcomes. Without it the monitor requests none, and applications send all outcomes that
    they have."""

    @property
    def evidence_rate(self) -> float:
        """The rate from which the thresholds of the evidence follow.

        With a run length it is the probability of a report for each row, halved for the stages of a test. The
        probability of a report within n rows is then n / 2 run lengths at most, so the mean number of rows until a
        report is a run length at least.
        """
        return self.false_alarm_rate if self.run_length is None else 1 / (4 * self.run_length)

    @model_validator(mode="before")
    @classmethod
    def _without_thresholds(cls, given: object) -> object:
        if isinstance(given, dict) and (replaced := sorted(given.keys() & _REPLACED.keys())):
            message = "; ".join(f"`{key}` is no key any more: {_REPLACED[key]}" for key in replaced)
            raise PydanticCustomError("replaced_key", "{message}", {"message": f"{message}. Remove it"})
        return given
