"""Multiclass classification: one of several classes, the one with the highest probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.tasks.base import FittedTask, Output, Storage, TargetKind
from rondo.contracts.tasks.label_values import label_text
from rondo.contracts.tasks.metrics import (
    ACCURACY,
    AVERAGE_PRECISION,
    BALANCED_ACCURACY,
    BRIER,
    CALIBRATION_BINS,
    ECE,
    F1_MACRO,
    LOG_LOSS,
    MCC,
    ROC_AUC,
    by_name,
)
from rondo.contracts.tasks.sketches import Figure, share_of
from rondo.contracts.text import unstorable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Labels, Node
    from rondo.contracts.tasks.binned_figures import BinnedFigures
    from rondo.contracts.tasks.metrics import Metric

# The largest number of rows and columns in the confusion matrix of a window.
MAX_CLASSES = 200
# Labels that are longer are taken for free text.
MAX_LABEL_CHARACTERS = 256
_CONFIDENCE_BINS = CALIBRATION_BINS


@dataclass(frozen=True)
class ClassLabels:
    """Any text, or a whole number, which stands for its text."""

    storage: ClassVar[Storage] = "text"

    @property
    def expected(self) -> str:
        return f"a text of 1 to {MAX_LABEL_CHARACTERS} characters, or a whole number"

    def parse(self, value: object) -> str | None:
        """Return the text of a class, without surrounding blanks."""
        text = label_text(value)
        return text if text and len(text) <= MAX_LABEL_CHARACTERS and not unstorable(text) else None

    def includes(self, stored: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.isfinite(stored)


class Multiclass:
    """See `base.Task`. A label is stored as its text. The raw predictions are the probabilities of the classes."""

    name: ClassVar[str] = "multiclass"
    description: ClassVar[str] = "one of several"
    target: ClassVar[TargetKind] = "probabilities"
    metrics: ClassVar[Mapping[str, Metric]] = by_name(
        ACCURACY, BALANCED_ACCURACY, F1_MACRO, LOG_LOSS, ROC_AUC, AVERAGE_PRECISION, BRIER, ECE, MCC
    )
    primary: ClassVar[str] = ACCURACY.name
    rates: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[frozenset[str]] = frozenset()
    names_labels: ClassVar[bool] = False
    open_classes: ClassVar[bool] = True
    answer: ClassVar[str] = "label"
    counted: ClassVar[Mapping[str, str]] = {"number": "score", "label": "label"}

    def labels(self, positive: str | None, negative: str | None) -> ClassLabels:  # noqa: ARG002 - of binary labels
        return ClassLabels()

    def classes(self, labels: Sequence[float] | Sequence[str], known: Labels) -> tuple[str, ...]:  # noqa: ARG002
        """Return the distinct labels, in numeric order if all are whole numbers, else in the order of their texts."""
        found = {str(label) for label in labels}
        numbers = all(_is_number(text) for text in found)
        return tuple(sorted(found, key=(lambda text: (int(text), text)) if numbers else None))

    def targets(
        self, labels: NDArray[np.float64] | Sequence[float] | Sequence[str], classes: tuple[str, ...]
    ) -> NDArray[np.float32]:
        codes = pc.index_in(pa.array(labels, pa.string()), pa.array(classes, pa.string()))
        return np.asarray(codes.fill_null(len(classes)).to_numpy(zero_copy_only=False), np.float32)

    def fitted(
        self,
        classes: tuple[str, ...],
        options: Mapping[str, Any],  # noqa: ARG002 - there is nothing to choose
        raw: NDArray[np.float64],  # noqa: ARG002
        targets: NDArray[np.float32],  # noqa: ARG002
    ) -> FittedTask:
        return FittedTask(task=self.name, labels=classes, numbers=all(_is_number(label) for label in classes))

    def outputs(self, fitted: FittedTask) -> tuple[Output, ...]:  # noqa: ARG002 - the same for every model
        return (
            Output("label", "label"),
            Output("score", "number"),
            Output("probabilities", "probabilities", watched=False),
        )

    def predictions(self, fitted: FittedTask, raw: NDArray[np.float64]) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        probabilities = raw.astype(np.float32)
        label = probabilities.argmax(axis=1).astype(np.int64)
        return {"label": label, "score": probabilities.max(axis=1), "probabilities": probabilities}

    def head(self, fitted: FittedTask, raw: str, node: Node) -> list[Any]:  # noqa: ARG002 - the same for every model
        return [
            node("ArgMax", [raw], ["output.label"], name="output.label", axis=1, keepdims=1),
            node("GatherElements", [raw, "output.label"], ["output.score"], name="output.score", axis=1),
            node("Identity", [raw], ["output.probabilities"], name="output.probabilities"),
        ]

    def sketch(self, fitted: FittedTask) -> ConfusionMatrix:
        return ConfusionMatrix(fitted.labels)

    def group_sketch(self, fitted: FittedTask) -> ClassCounts:
        return ClassCounts(fitted.labels)

    def largest_loss(self, fitted: FittedTask, rows: pa.Table) -> float | None:  # noqa: ARG002 - the same for all rows
        return None

    def losses(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:  # noqa: ARG002
        """Return 1 if the predicted class differs from the outcome, else 0.

        The log loss is not available: the inference log has the probabilities of all classes, but the monitor keeps
        only that of the predicted class.
        """
        predicted, observed, counted = _classes(fitted.labels, rows)
        return np.where(counted, predicted != observed, np.nan)

    def uncovered(self, fitted: FittedTask, rows: pa.Table) -> None:  # noqa: ARG002
        return None

    def bias(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:
        """Return 1 if the predicted class is the outcome, else 0, minus the probability of the predicted class."""
        scores = np.asarray(rows.column("number").to_numpy(), np.float64)
        return 1 - self.losses(fitted, rows, largest) - scores

    def row_figures(self, fitted: FittedTask, rows: pa.Table) -> dict[str, NDArray[np.float64]]:
        return {"accuracy": 1 - self.losses(fitted, rows, None)}

    def expected(self, figures: BinnedFigures, counts: NDArray[np.int64]) -> dict[str, Figure]:
        """Return the accuracy, by the accuracy of predictions with similar probability on the holdout.

        Guo et al., "On calibration of modern neural networks", ICML 2017. Guillory et al., ICCV 2021.
        """
        return {"accuracy": figures.mean("accuracy", counts)}


def _classes(labels: tuple[str, ...], rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the predicted and the observed class of each row, and true for rows that have both.

    An observed class that is not among `labels` has the index `len(labels)`.
    """
    known = pa.array(labels, pa.string())
    predicted = pc.index_in(rows.column("label"), known, skip_nulls=True)
    observed = pc.index_in(rows.column("outcome_label"), known, skip_nulls=True).fill_null(len(labels))
    counted = predicted.is_valid().to_numpy() & rows.column("outcome_label").is_valid().to_numpy()
    counted &= np.isfinite(rows.column("number").to_numpy().astype(np.float64))
    return predicted.fill_null(0).to_numpy(), observed.to_numpy(), counted


def _is_number(text: str) -> bool:
    """Return whether a text is a whole number as `str` writes it, so that the number reads back as the same text."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and text == str(int(text)) and len(digits) < 16  # noqa: PLR2004


@dataclass(frozen=True)
class ConfusionMatrix:
    """A matrix of outcomes and predicted classes, and counts of wrong and right predictions by confidence.

    The last row of the matrix counts outcomes of classes that the model does not know.
    """

    labels: tuple[str, ...]

    @property
    def size(self) -> int:
        return (len(self.labels) + 1) * len(self.labels) + 2 * _CONFIDENCE_BINS

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        k = len(self.labels)
        predicted, observed, counted = _classes(self.labels, rows)
        score = rows.column("number").to_numpy().astype(np.float64)
        predicted, observed, score = predicted[counted], observed[counted], score[counted]
        matrix = np.bincount(observed * k + predicted, minlength=(k + 1) * k)
        bins = np.clip((score * _CONFIDENCE_BINS).astype(np.int64), 0, _CONFIDENCE_BINS - 1)
        confidence = np.bincount(bins + _CONFIDENCE_BINS * (observed == predicted), minlength=2 * _CONFIDENCE_BINS)
        return np.concatenate([matrix, confidence]).astype(np.int64)

    def matrix(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows by outcome and predicted class, shape `[classes + 1, classes]`."""
        k = len(self.labels)
        return counts[: (k + 1) * k].reshape(k + 1, k)

    def labelled(self, counts: NDArray[np.int64]) -> int:
        return int(self.matrix(counts).sum())

    def figures(self, counts: NDArray[np.int64]) -> dict[str, Figure]:
        """Return accuracy, balanced accuracy, macro F1, the expected calibration error, and the share of new classes.

        Balanced accuracy and macro F1 follow scikit-learn: the mean recall of the classes that occur, and the mean F1
        of the classes that occur or are predicted.
        """
        matrix, rows = self.matrix(counts), self.labelled(counts)
        if not rows:
            return {}
        unknown = int(matrix[-1].sum())
        figures = _of_classes(np.diagonal(matrix), matrix[:-1].sum(axis=1), matrix.sum(axis=0), unknown)
        figures["ece"] = Figure(self._calibration_error(counts, rows))
        figures["unknown_classes"] = share_of(unknown, rows)
        return figures

    def _calibration_error(self, counts: NDArray[np.int64], rows: int) -> float:
        """Return the gap between confidence and accuracy, with the middle of a bin as its confidence."""
        wrong, right = counts[-2 * _CONFIDENCE_BINS :].reshape(2, _CONFIDENCE_BINS)
        total = wrong + right
        middles = (np.arange(_CONFIDENCE_BINS) + 0.5) / _CONFIDENCE_BINS
        return float(np.abs(right - total * middles).sum() / rows)


@dataclass(frozen=True)
class ClassCounts:
    """Rows by class: predicted correctly, observed, predicted.

    The last count is that of outcomes with unknown classes.
    """

    labels: tuple[str, ...]

    @property
    def size(self) -> int:
        return 3 * len(self.labels) + 1

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        k = len(self.labels)
        predicted, observed, counted = _classes(self.labels, rows)
        predicted, observed = predicted[counted], observed[counted]
        right = np.bincount(predicted[predicted == observed], minlength=k)
        by_outcome = np.bincount(observed, minlength=k + 1)
        return np.concatenate([right, by_outcome[:k], np.bincount(predicted, minlength=k), by_outcome[k:]])

    def labelled(self, counts: NDArray[np.int64]) -> int:
        k = len(self.labels)
        return int(counts[2 * k : 3 * k].sum())

    def figures(self, counts: NDArray[np.int64]) -> dict[str, Figure]:
        """Return accuracy, balanced accuracy and macro F1, computed as in `ConfusionMatrix`."""
        if not self.labelled(counts):
            return {}
        right, observed, predicted = counts[:-1].reshape(3, len(self.labels))
        return _of_classes(right, observed, predicted, int(counts[-1]))


def _of_classes(
    right: NDArray[np.int64], observed: NDArray[np.int64], predicted: NDArray[np.int64], unknown: int
) -> dict[str, Figure]:
    """Return the metrics of rows by class, shapes `[classes]`. `unknown` counts outcomes of unknown classes."""
    recalls = right[observed > 0] / observed[observed > 0]
    present = (observed + predicted) > 0
    f1 = 2 * right[present] / (observed + predicted)[present]
    return {
        "accuracy": share_of(int(right.sum()), int(predicted.sum())),
        "balanced_accuracy": Figure(float(recalls.sum() / (len(recalls) + (unknown > 0)))),
        "f1_macro": Figure(float(f1.sum() / (len(f1) + (unknown > 0)))),
    }


MULTICLASS = Multiclass()
