"""What a model spec decides: how to train, what a candidate must pass, when to retrain, roll out and alarm."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from rondo.contracts.duration import Duration, PositiveDuration  # noqa: TC001 - pydantic reads them at run time
from rondo.contracts.spec_data import Column, Part, Share


def _scalar(value: object) -> object:
    if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        message = f"{value!r} can't be a parameter: give a finite number, a text, true or false"
        raise ValueError(message)
    return value


def _sorted(params: dict[str, Param]) -> dict[str, Param]:
    return dict(sorted(params.items()))


# The order of the parameters means nothing, so it must not change the digest.
Param = Annotated[int | float | str | bool, BeforeValidator(_scalar)]
Params = Annotated[dict[str, Param], AfterValidator(_sorted)]


class Trainer(Part):
    """How a candidate is made. `holdout` is the latest share of the rows, kept for the evaluation."""

    kind: Literal["lightgbm", "xgboost", "sklearn", "function"] = "lightgbm"
    function: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = None
    params: Params = Field(default_factory=dict)
    window: PositiveDuration | None = None
    holdout: Annotated[float, Field(gt=0, lt=0.9)] = 0.1
    min_rows: Annotated[int, Field(ge=1)] = 1_000
    seed: int = 7

    @model_validator(mode="after")
    def _a_function_has_a_name(self) -> Self:
        if self.kind == "function" and self.function is None:
            message = "kind `function` needs `function: package.module:name`"
            raise ValueError(message)
        if self.kind != "function" and self.function is not None:
            message = f"`function` is for kind `function`, and this is {self.kind}: take one of the two out"
            raise ValueError(message)
        return self


class MetricGate(Part):
    """Bounds on one metric of the holdout, the second against the serving champion on the same rows."""

    min: float | None = None
    not_worse_than_champion: Annotated[float, Field(ge=0)] | None = None


class FairnessGate(Part):
    """The largest gap of the metric that is allowed between any two groups of column `by`."""

    by: Column
    max_gap: Share


class Gates(Part):
    """What a candidate must pass before it may serve."""

    roc_auc: MetricGate = MetricGate()
    slices: tuple[Column, ...] = ()
    slice_tolerance: Share = 0.05
    min_slice_rows: Annotated[int, Field(ge=1)] = 200
    fairness: FairnessGate | None = None


_TRIGGERS = ("data", "drift", "performance", "quality")
# Five fields. Whether their numbers make sense is for the registry's scheduler to say when the spec is applied.
_CRON = re.compile(r"cron: [\w*/,-]+(?: [\w*/,-]+){4}", re.ASCII)
_CRON_EXAMPLE = '"cron: 0 3 * * 1" (minute hour day month weekday)'


def _known_trigger(value: object) -> str:
    if value in _TRIGGERS or (isinstance(value, str) and _CRON.fullmatch(value)):
        return str(value)
    message = f"{value!r} is no trigger: use one of {', '.join(_TRIGGERS)} or, in quotes, {_CRON_EXAMPLE}"
    raise ValueError(message)


class Retrain(Part):
    """When to train again. Cooldown and budget count in event time."""

    on: tuple[Annotated[str, BeforeValidator(_known_trigger)], ...] = ("drift", "performance")
    cooldown: Duration = timedelta(days=1)
    budget_per_week: Annotated[int, Field(ge=1)] = 5


class Rollout(Part):
    """How a version takes over. `steps` are percentages of the traffic."""

    strategy: Literal["replace", "canary", "blue_green", "shadow", "ab"] = "replace"
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(min_length=1)] = (100,)
    step_length: Duration = timedelta(minutes=10)

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        if list(self.steps) != sorted(set(self.steps)):
            message = f"the steps {', '.join(map(str, self.steps))} must rise, such as 5, 25, 100"
            raise ValueError(message)
        return self


class Monitor(Part):
    """How the model is watched, in windows of event time.

    `false_alarm_rate` bounds the share of windows that may alarm without a change; `drift` is the
    population stability index from which a feature counts as drifted; `consecutive` windows in a
    row must agree before an alarm (hysteresis); `performance_drop` is the loss of ROC AUC against
    the holdout that counts as degraded.
    """

    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    window: PositiveDuration = timedelta(days=7)
    min_rows: Annotated[int, Field(ge=10)] = 500
    drift: Annotated[float, Field(gt=0)] = 0.25
    performance_drop: Annotated[float, Field(gt=0, lt=1)] = 0.03
    consecutive: Annotated[int, Field(ge=1)] = 2
