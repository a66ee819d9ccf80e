"""Metrics of the decided labels, as formulas of the confusion matrix.

They are those of scikit-learn to the bit. scikit-learn checks its arguments for some milliseconds in each call, which
takes longer than to count 30,000 rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[np.float64]
    Measure: TypeAlias = Callable[[Vector, Vector, Vector], float]


def marginals(
    cells: NDArray[np.int64], weights: NDArray[np.float64] | None, classes: int
) -> tuple[Vector, Vector, Vector]:
    """Return the weights of right rows by class, and of all rows by class and by decided class, each `[classes]`.

    A cell is `classes` times the class of a row plus its decided class. By default every row has the weight 1.
    """
    counts = np.bincount(cells, weights, classes * classes).astype(np.float64).reshape(classes, classes)
    return np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)


def _share(of: float, total: float) -> float:
    return of / total if total else 0.0


def _balanced_accuracy(right: Vector, of_class: Vector, _: Vector) -> float:
    occurs = of_class > 0
    return float(np.mean(right[occurs] / of_class[occurs]))


def _f1_macro(right: Vector, of_class: Vector, decided: Vector) -> float:
    occurs = of_class + decided > 0
    return float(np.mean(2 * right[occurs] / (of_class + decided)[occurs]))


def _mcc(right: Vector, of_class: Vector, decided: Vector) -> float:
    """Return the correlation of classes (Gorodkin, Computational Biology and Chemistry 2004)."""
    rows = of_class.sum()
    spread = (rows**2 - (decided**2).sum()) * (rows**2 - (of_class**2).sum())
    return _share(float(right.sum() * rows - (of_class * decided).sum()), float(np.sqrt(spread)))


# A metric of one label is that of label 1.
OF_CONFUSION: dict[str, Measure] = {
    "accuracy": lambda right, of_class, _: float(right.sum() / of_class.sum()),
    "balanced_accuracy": _balanced_accuracy,
    "precision": lambda right, _, decided: _share(right[1], decided[1]),
    "recall": lambda right, of_class, _: _share(right[1], of_class[1]),
    "f1": lambda right, of_class, decided: _share(2 * right[1], of_class[1] + decided[1]),
    "f1_macro": _f1_macro,
    "mcc": _mcc,
}
