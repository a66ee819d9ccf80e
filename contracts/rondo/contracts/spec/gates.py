"""The sections `prediction` and `gates` of a model spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, create_model

from rondo.contracts.spec.data import SpecSection
from rondo.contracts.tasks.metrics import IN_EVERY_DIGEST
from rondo.contracts.tasks.registry import METRICS
from rondo.contracts.text import Column, Text

if TYPE_CHECKING:
    from collections.abc import Mapping


class ErrorCosts(SpecSection):
    """The cost of each error of a binary model, in any unit."""

    false_positive: Annotated[float, Field(gt=0)]
    """The cost of a row with label 0 that was predicted as 1."""
    false_negative: Annotated[float, Field(gt=0)]
    """The cost of a row with label 1 that was predicted as 0."""


class Prediction(SpecSection):
    """The rules by which a raw prediction becomes an answer."""

    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """For `binary`: the lowest score that gets the positive label. By default 0.5."""
    cost: ErrorCosts | None = None
    """For `binary`, in place of `threshold`: each training chooses the threshold with the lowest cost on the earlier
    half of its holdout. The later half evaluates the candidate."""
    interval: Annotated[float, Field(gt=0, lt=1)] | None = None
    """For `regression`: the share of outcomes that the interval from `low` to `high` is to cover, such as 0.9. Its
    width is taken from the errors on the earlier half of the holdout (split conformal prediction). The later half
    evaluates the candidate. The earlier half needs share / (1 - share) rows: 9 for 0.9, 99 for 0.99. With fewer rows
    the width is their largest error, which covers a smaller share, and a note of the training says so."""

    @property
    def chosen(self) -> str | None:
        """The key whose value a training chooses on a part of its holdout. None if there is no such key."""
        keys = {"interval": self.interval, "cost": self.cost}
        return next((key for key, value in keys.items() if value is not None), None)


class MetricGate(SpecSection):
    """Bounds on one metric of the holdout. A bound that is absent is not checked."""

    min: float | None = None
    """The lowest value with which the candidate passes."""
    max: float | None = None
    """The highest value with which the candidate passes."""
    not_worse_than_champion: Annotated[float, Field(ge=0)] | None = None
    """The accepted distance by which the candidate is worse than the champion on the same rows. It is in the unit of
    the metric. For metrics in units of the label or of costs, such as MAE, it is a share of the champion's value. The
    candidate fails if it is worse by more than this with a confidence of `gates.confidence`."""


class FairnessGate(SpecSection):
    """A bound on the difference of a metric between groups."""

    by: Column
    """The feature whose values are the groups. Groups with fewer than `min_slice_rows` rows are left out."""
    metric: Text | None = None
    """A metric of the task, or, for `binary`, `selection_rate`, `true_positive_rate` or `false_positive_rate`. By
    default ROC AUC for `binary`, accuracy for `multiclass`, and MAE for `regression`."""
    max_gap: Annotated[float, Field(ge=0)]
    """The largest allowed difference of the metric between any two groups."""


def _is_none(gate: object) -> bool:
    return gate is None


if TYPE_CHECKING:
    _MetricGates = SpecSection
else:
    _MetricGates = create_model(
        "_MetricGates",
        __base__=SpecSection,
        **{
            # A metric that is not in IN_EVERY_DIGEST is left out of the canonical JSON if it is None, so that specs
            # without it keep their digest.
            name: (
                MetricGate | None,
                Field(
                    default=None,
                    description=metric.description,
                    exclude_if=None if name in IN_EVERY_DIGEST else _is_none,
                ),
            )
            for name, metric in METRICS.items()
        },
    )


class Gates(_MetricGates):
    """The gates that a candidate must pass before it may serve. Each metric of a task is a key with its bounds.

    One gate is always checked: the ONNX graph must predict as the trained model does.
    """

    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """The confidence with which `not_worse_than_champion` fails a candidate, by a paired bootstrap of the holdout. With
    0.5 the difference on the holdout alone decides."""
    slices: tuple[Column, ...] = ()
    """Features whose values define slices. The candidate is compared with the champion on each slice by `slice_metric`,
    and fails if it is worse on any slice by more than `slice_tolerance`."""
    slice_metric: Text | None = None
    """The metric of the slices. By default ROC AUC for `binary`, accuracy for `multiclass`, and MAE for
    `regression`."""
    slice_tolerance: Annotated[float, Field(ge=0)] = 0.05
    """The accepted distance by which a slice is worse than for the champion. For metrics in units of the label or of
    costs, such as MAE, it is a share of the champion's value."""
    min_slice_rows: Annotated[int, Field(ge=1)] = 200
    """Slices and groups with fewer rows of the holdout are not evaluated."""
    fairness: FairnessGate | None = None
    """A bound on the gap between groups."""

    @property
    def metrics(self) -> Mapping[str, MetricGate]:
        """The gates on metrics, by the name of the metric."""
        return {name: gate for name in METRICS if (gate := getattr(self, name)) is not None}
