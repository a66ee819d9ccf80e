"""What a model spec decides: how to train, what a candidate must pass, when to retrain, roll out and alarm."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from rondo.contracts.spec.data import Part, Share
from rondo.contracts.spec.duration import Duration, PositiveDuration
from rondo.contracts.text import Column, Text
from rondo.contracts.vocabularies import RolloutStrategy, TrainerKind, known


def _scalar(value: object) -> object:
    if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        message = f"{value!r} can't be a parameter: give a finite number, a text, true or false"
        raise ValueError(message)
    return value


def _sorted(params: dict[Text, Param]) -> dict[str, Param]:
    return dict(sorted(params.items()))


# The order of the parameters means nothing, so it must not change the digest.
Param = Annotated[int | float | Text | bool, BeforeValidator(_scalar)]
Params = Annotated[dict[Text, Param], AfterValidator(_sorted)]


class Trainer(Part):
    """How a candidate is made."""

    kind: Annotated[Text, Field(examples=known(TrainerKind))] = TrainerKind.LIGHTGBM.value
    """The library. This release supports `lightgbm`; the others are refused."""
    function: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = None
    """For kind `function`: what trains, as `package.module:name`. Not supported yet: refused."""
    params: Params = Field(default_factory=dict)
    """LightGBM's parameters, by any name that LightGBM has for them. What is not given has LightGBM's default."""
    window: PositiveDuration | None = None
    """How far back from the newest row the training data reaches; without it, to the beginning."""
    holdout: Annotated[float, Field(gt=0, lt=0.9)] = 0.1
    """The share of the rows that is kept for the evaluation: the latest. The model is not fitted to them."""
    min_rows: Annotated[int, Field(ge=1)] = 1_000
    """With fewer labelled rows no training is done; it waits for more data."""
    seed: int = 7
    """The seed of everything random, 0 or more: same rows, same seed, same model."""


class MetricGate(Part):
    """Bounds on one metric of the holdout. A bound that is not given is no gate."""

    min: float | None = None
    """What the candidate must reach."""
    not_worse_than_champion: Annotated[float, Field(ge=0)] | None = None
    """How much less than the champion's, on the same rows, is still good enough."""


class FairnessGate(Part):
    """A bound on how differently well the model does for different groups."""

    by: Column
    """The feature whose values are the groups; those with fewer than `min_slice_rows` rows don't count."""
    max_gap: Share
    """The largest difference of ROC AUC that is allowed between any two groups."""


class Gates(Part):
    """What a candidate must pass before it may serve.

    One gate is always there: the compiled model's answers must be the trained one's.
    """

    roc_auc: MetricGate = MetricGate()
    """Bounds on ROC AUC, the chance that a row with label 1 is scored higher than one with label 0."""
    slices: tuple[Column, ...] = ()
    """Features by whose values the candidate is compared with the champion: no value may lose more ROC AUC than
    `slice_tolerance`."""
    slice_tolerance: Share = 0.05
    """How much less ROC AUC than the champion's one slice may have."""
    min_slice_rows: Annotated[int, Field(ge=1)] = 200
    """Slices and groups with fewer rows of the holdout are not looked at."""
    fairness: FairnessGate | None = None
    """A bound on the gap between groups."""


class Retrain(Part):
    """When to train again. The first data is trained on in any case, and `rondo train` always trains."""

    on: tuple[Text, ...] = ("drift", "performance")
    """The triggers that start a training. With none, `[]`, only the first data and people do."""
    cooldown: Duration = timedelta(days=1)
    """How far from the last training the next must be, in event time. A trigger that comes sooner is passed over, and
    said to be."""
    budget_per_week: Annotated[int, Field(ge=1)] = 5
    """How many trainings any seven days of event time may have; those that failed count, those by hand are allowed
    anyway."""


class Rollout(Part):
    """How a version that passed its gates takes over."""

    strategy: Annotated[Text, Field(examples=known(RolloutStrategy))] = RolloutStrategy.REPLACE.value
    """`replace`: all traffic at once, after a warm-up. This release supports only that; the others are refused."""
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(min_length=1)] = (100,)
    """Percentages of the traffic, rising, of a rollout in steps: `replace` has one."""
    step_length: Duration = timedelta(minutes=10)
    """How long each step lasts; none does with `replace`."""


class Serving(Part):
    """How the requests of the model are answered."""

    ignore_unknown_fields: bool = False
    """Whether a request may have features and fields that are not known. By default it is refused with the nearest
    known name, because a misspelt optional feature would otherwise count as missing. A change takes effect with the
    next deployment of the model."""


class Monitor(Part):
    """How the model is watched, in windows of event time that do not overlap."""

    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The share of windows that may be over a threshold by chance, without any change: it sets how far beyond chance a
    figure must be, over all features together."""
    window: PositiveDuration = timedelta(days=7)
    """The length of a window."""
    min_rows: Annotated[int, Field(ge=10)] = 500
    """With fewer rows (for the performance: with outcomes) there is no verdict on a window."""
    drift: Annotated[float, Field(gt=0)] = 0.25
    """The population stability index, against the training data, from which a feature counts as drifted."""
    performance_drop: Annotated[float, Field(gt=0, lt=1)] = 0.03
    """The loss of ROC AUC, against the holdout, that counts as degraded."""
    consecutive: Annotated[int, Field(ge=1)] = 2
    """How many windows in a row must agree before an alarm."""
