"""The metrics of models: names, directions, and differences.

The trainer computes the metrics of this file under the same names (`rondo.trainer.evaluation.metrics`). For a holdout
the metrics of decided labels, such as accuracy, are formulas of the confusion matrix, and scikit-learn computes the
others that it has. For the resamples of a comparison all but the median are formulas
(`rondo.trainer.evaluation.weighted_metrics`). Tests compare the formulas with scikit-learn. A task may have more
metrics in its own file, each with a `formula`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rondo.contracts.figures import figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    # Computes the value from targets `[rows]`, outputs by name (see `Task.predictions`), and weights `[rows]`, or None
    # if each row counts once. None if the metric is not defined.
    Formula: TypeAlias = Callable[
        [NDArray[np.float32], Mapping[str, NDArray[Any]], NDArray[np.float64] | None], float | None
    ]


# The number of bins of equal width in which the calibration error compares scores with shares.
CALIBRATION_BINS = 20


@dataclass(frozen=True)
class Metric:
    """A metric of a holdout. `title` is its name for people, `form` the format of its values.

    `description` documents its gate in a spec. A `relative` metric has the unit of the label, so a loss is a share of
    the reference: 0.1 means a tenth worse. A metric with an `option` needs that key of the spec's `prediction`.
    """

    name: str
    title: str
    description: str
    higher_is_better: bool
    relative: bool = False
    option: str | None = None
    form: str = ".3f"
    formula: Formula | None = None

    @property
    def best(self) -> float:
        """The value that no model exceeds: 1 for shares, correlations and R², 0 for errors and costs."""
        return 1.0 if self.higher_is_better else 0.0

    def loss(self, value: float, reference: float) -> float:
        """Return the distance by which a value is worse than a reference, in the metric's unit.

        Negative if it is better.
        """
        return reference - value if self.higher_is_better else value - reference

    def written(self, value: float) -> str:
        """Return a value with the title, such as `ROC AUC 0.681`."""
        return f"{self.title} {self.figure(value)}"

    def figure(self, value: float) -> str:
        """Return a value without the title, such as `0.681` or `26,530`."""
        return figure(value, self.form)


def by_name(*metrics: Metric) -> Mapping[str, Metric]:
    return {metric.name: metric for metric in metrics}


ROC_AUC = Metric(
    "roc_auc",
    "ROC AUC",
    "ROC AUC, the probability that a row with label 1 has a higher score than one with label 0. For `multiclass` the"
    " mean over the classes, each against all others.",
    higher_is_better=True,
)
AVERAGE_PRECISION = Metric(
    "average_precision",
    "average precision",
    "Average precision, the area under the curve of precision by recall. For `multiclass` the mean over the classes,"
    " each against all others.",
    higher_is_better=True,
)
LOG_LOSS = Metric(
    "log_loss",
    "log loss",
    "Log loss, the mean negative logarithm of the probability that the label had.",
    higher_is_better=False,
)
BRIER = Metric(
    "brier",
    "Brier score",
    "Brier score, the mean squared distance between score and label. For `multiclass` the sum of those of the classes,"
    " from 0 to 2.",
    higher_is_better=False,
    form=".4f",
)
ECE = Metric(
    "ece",
    "expected calibration error",
    "Expected calibration error: how far scores are from the share of rows that are as predicted.",
    higher_is_better=False,
)
ACCURACY = Metric("accuracy", "accuracy", "The share of rows whose label is as predicted.", higher_is_better=True)
BALANCED_ACCURACY = Metric(
    "balanced_accuracy", "balanced accuracy", "The mean recall of the classes.", higher_is_better=True
)
PRECISION = Metric(
    "precision", "precision", "The share of label 1 among the rows that were predicted as 1.", higher_is_better=True
)
RECALL = Metric("recall", "recall", "The share of rows with label 1 that were predicted as 1.", higher_is_better=True)
F1 = Metric("f1", "F1", "The harmonic mean of precision and recall.", higher_is_better=True)
F1_MACRO = Metric("f1_macro", "macro F1", "The mean F1 of the classes.", higher_is_better=True)
MCC = Metric(
    "mcc",
    "Matthews correlation",
    "The Matthews correlation of labels and predicted labels.",
    higher_is_better=True,
)
RMSE = Metric(
    "rmse",
    "RMSE",
    "The root of the mean squared error, in units of the label.",
    higher_is_better=False,
    relative=True,
    form=".4g",
)
MAE = Metric(
    "mae", "MAE", "The mean absolute error, in units of the label.", higher_is_better=False, relative=True, form=".4g"
)
MEDIAN_ABSOLUTE_ERROR = Metric(
    "median_absolute_error",
    "median absolute error",
    "The median absolute error, in units of the label.",
    higher_is_better=False,
    relative=True,
    form=".4g",
)
MAPE = Metric(
    "mape",
    "MAPE",
    "The mean absolute error as a share of the label. Labels near 0 make it very large.",
    higher_is_better=False,
)
R2 = Metric("r2", "R²", "The share of the variance of the labels that the model explains.", higher_is_better=True)
PINBALL = Metric(
    "pinball",
    "pinball loss",
    "The mean pinball loss of both ends of `prediction.interval`.",
    higher_is_better=False,
    relative=True,
    option="interval",
    form=".4g",
)
INTERVAL_COVERAGE = Metric(
    "interval_coverage",
    "coverage of the interval",
    "The share of labels in `prediction.interval`.",
    higher_is_better=True,
    option="interval",
)
COST = Metric(
    "cost",
    "mean cost",
    "The mean cost of a row, by `prediction.cost`: what the errors of its label cost, in that unit.",
    higher_is_better=False,
    relative=True,
    option="cost",
    form=".4g",
)
# The gates that each spec has in its digest, even if they are not set, in this order. New metrics are not added here.
IN_EVERY_DIGEST = by_name(
    ROC_AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER, ECE, ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, F1, F1_MACRO, MCC,
    RMSE, MAE, MEDIAN_ABSOLUTE_ERROR, MAPE, R2, PINBALL, INTERVAL_COVERAGE,
)  # fmt: skip
