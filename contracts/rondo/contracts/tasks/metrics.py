"""The metrics of models: names, directions, and how far one is from another.

The trainer computes them with scikit-learn, under the same names (`rondo.trainer.evaluation.metrics`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric of a holdout. `title` is how people write it, `form` the format of its values.

    A `relative` metric has the unit of the label, so a loss is given as a share of the reference: 0.1 is a tenth worse.
    """

    name: str
    title: str
    higher_is_better: bool
    relative: bool = False
    form: str = ".3f"

    def loss(self, value: float, reference: float) -> float:
        """Return how much worse a value is than a reference, in the metric's own unit; negative where it is better."""
        return reference - value if self.higher_is_better else value - reference

    def worse_by(self, reference: float, loss: float) -> float:
        """Return the value that is worse than a reference by `loss`, a share of the reference if it is relative."""
        by = loss * abs(reference) if self.relative else loss
        return reference - by if self.higher_is_better else reference + by

    def is_worse(self, value: float, bound: float) -> bool:
        """Return whether a value is beyond a bound."""
        return value < bound if self.higher_is_better else value > bound

    def written(self, value: float) -> str:
        """Return a value as people write it, such as `ROC AUC 0.681`."""
        return f"{self.title} {value:{self.form}}"


_ALL = (
    Metric("roc_auc", "ROC AUC", higher_is_better=True),
    Metric("average_precision", "average precision", higher_is_better=True),
    Metric("log_loss", "log loss", higher_is_better=False),
    Metric("brier", "Brier score", higher_is_better=False, form=".4f"),
    Metric("ece", "expected calibration error", higher_is_better=False),
    Metric("accuracy", "accuracy", higher_is_better=True),
    Metric("balanced_accuracy", "balanced accuracy", higher_is_better=True),
    Metric("precision", "precision", higher_is_better=True),
    Metric("recall", "recall", higher_is_better=True),
    Metric("f1", "F1", higher_is_better=True),
    Metric("f1_macro", "macro F1", higher_is_better=True),
    Metric("mcc", "Matthews correlation", higher_is_better=True),
    Metric("rmse", "RMSE", higher_is_better=False, relative=True, form=".4g"),
    Metric("mae", "MAE", higher_is_better=False, relative=True, form=".4g"),
    Metric("median_absolute_error", "median absolute error", higher_is_better=False, relative=True, form=".4g"),
    Metric("mape", "MAPE", higher_is_better=False),
    Metric("r2", "R²", higher_is_better=True),
    Metric("pinball", "pinball loss", higher_is_better=False, relative=True, form=".4g"),
    Metric("interval_coverage", "coverage of the interval", higher_is_better=True),
)
METRICS = {metric.name: metric for metric in _ALL}
