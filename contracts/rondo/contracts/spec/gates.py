"""The gates of a model spec, and what becomes of a raw prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from rondo.contracts.spec.data import SpecSection
from rondo.contracts.tasks.metrics import METRICS
from rondo.contracts.text import Column, Text

if TYPE_CHECKING:
    from collections.abc import Mapping


class ErrorCosts(SpecSection):
    """What the two errors of a binary model cost, in any unit."""

    false_positive: Annotated[float, Field(gt=0)]
    """The cost of a row with label 0 that was predicted as 1."""
    false_negative: Annotated[float, Field(gt=0)]
    """The cost of a row with label 1 that was predicted as 0."""


class Prediction(SpecSection):
    """What an answer holds beside the raw prediction."""

    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """For `binary`: the least score for which the label is the positive one. By default 0.5."""
    cost: ErrorCosts | None = None
    """For `binary`, in place of `threshold`: each training chooses the threshold that costs least on the earlier half
    of its holdout. The later half evaluates the candidate."""
    interval: Annotated[float, Field(gt=0, lt=1)] | None = None
    """For `regression`: the share of outcomes that the interval from `low` to `high` shall cover, such as 0.9. Its
    width is taken from the errors on the earlier half of the holdout (split conformal prediction). The later half
    evaluates the candidate."""


class MetricGate(SpecSection):
    """Bounds on one metric of the holdout. A bound that is not given is not checked."""

    min: float | None = None
    """The least value that the candidate must have."""
    max: float | None = None
    """The greatest value that the candidate may have."""
    not_worse_than_champion: Annotated[float, Field(ge=0)] | None = None
    """How much worse than the champion, on the same rows, is accepted: in the unit of the metric, and for metrics in
    units of the label, such as MAE, as a share of the champion's value. The candidate fails if it is worse by more than
    that with a confidence of `gates.confidence`."""


class FairnessGate(SpecSection):
    """A bound on the difference of a metric between groups."""

    by: Column
    """The feature whose values are the groups; those with fewer than `min_slice_rows` rows are left out."""
    metric: Text | None = None
    """A metric of the task, or, for `binary`, `selection_rate`, `true_positive_rate` or `false_positive_rate`. By
    default ROC AUC for `binary`, accuracy for `multiclass`, and MAE for `regression`."""
    max_gap: Annotated[float, Field(ge=0)]
    """The largest difference of the metric that is allowed between any two groups."""


class Gates(SpecSection):
    """The gates that a candidate must pass before it may serve.

    One gate is always checked: the ONNX graph must predict as the trained model does.
    """

    roc_auc: MetricGate | None = None
    """ROC AUC, the probability that a row with label 1 has a higher score than one with label 0. For `multiclass` the
    mean over the classes, each against all others."""
    average_precision: MetricGate | None = None
    """Average precision, the area under the curve of precision by recall."""
    log_loss: MetricGate | None = None
    """Log loss, the mean negative logarithm of the probability that the label had."""
    brier: MetricGate | None = None
    """Brier score, the mean squared distance between score and label."""
    ece: MetricGate | None = None
    """Expected calibration error: how far scores are from the share of rows that are as predicted."""
    accuracy: MetricGate | None = None
    """The share of rows whose label is as predicted."""
    balanced_accuracy: MetricGate | None = None
    """The mean recall of the classes."""
    precision: MetricGate | None = None
    """The share of label 1 among the rows that were predicted as 1."""
    recall: MetricGate | None = None
    """The share of rows with label 1 that were predicted as 1."""
    f1: MetricGate | None = None
    """The harmonic mean of precision and recall."""
    f1_macro: MetricGate | None = None
    """The mean F1 of the classes."""
    mcc: MetricGate | None = None
    """The Matthews correlation of labels and predicted labels."""
    rmse: MetricGate | None = None
    """The root of the mean squared error, in units of the label."""
    mae: MetricGate | None = None
    """The mean absolute error, in units of the label."""
    median_absolute_error: MetricGate | None = None
    """The median absolute error, in units of the label."""
    mape: MetricGate | None = None
    """The mean absolute error as a share of the label. Labels near 0 make it very large."""
    r2: MetricGate | None = None
    """The share of the variance of the labels that the model explains."""
    pinball: MetricGate | None = None
    """The mean pinball loss of both ends of `prediction.interval`."""
    interval_coverage: MetricGate | None = None
    """The share of labels in `prediction.interval`."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """The confidence with which `not_worse_than_champion` fails a candidate, by a paired bootstrap of the holdout. With
    0.5 the difference on the holdout decides as it is."""
    slices: tuple[Column, ...] = ()
    """Features by whose values the candidate is compared with the champion, by the metric `slice_metric`: it may be
    worse for no value by more than `slice_tolerance`."""
    slice_metric: Text | None = None
    """The metric of the slices. By default ROC AUC for `binary`, accuracy for `multiclass`, MAE for `regression`."""
    slice_tolerance: Annotated[float, Field(ge=0)] = 0.05
    """How much worse than the champion a slice may be. For metrics in units of the label, such as MAE, it is a share of
    the champion's value."""
    min_slice_rows: Annotated[int, Field(ge=1)] = 200
    """Slices and groups with fewer rows of the holdout are not evaluated."""
    fairness: FairnessGate | None = None
    """A bound on the gap between groups."""

    @property
    def metrics(self) -> Mapping[str, MetricGate]:
        """The gates on metrics, by the metric's name."""
        return {name: gate for name in METRICS if (gate := getattr(self, name)) is not None}
