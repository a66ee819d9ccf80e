"""Binary classification: one of two labels, decided by the probability of the positive one."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rondo.contracts.tasks.base import Costs, FittedTask, Output, Storage, TargetKind
from rondo.contracts.tasks.binned_figures import isotonic
from rondo.contracts.tasks.label_values import label_text, number
from rondo.contracts.tasks.metrics import (
    ACCURACY,
    AVERAGE_PRECISION,
    BALANCED_ACCURACY,
    BRIER,
    CALIBRATION_BINS,
    COST,
    ECE,
    F1,
    LOG_LOSS,
    MCC,
    PRECISION,
    RECALL,
    ROC_AUC,
    by_name,
)
from rondo.contracts.tasks.sketches import Figure, numbers, share_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Labels, Node
    from rondo.contracts.tasks.binned_figures import BinnedFigures
    from rondo.contracts.tasks.metrics import Metric

YES_NO = {"1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0}
_ONE_HALF = 0.5
# The largest share of rows in the bin of the threshold with which a window has metrics of predicted labels.
_MOST_AT_EDGE = 0.01
# Without clipping, the log loss of one confident mistake outweighs all other rows.
_LEAST_CHANCE = 0.01
# The scores of an ONNX graph differ from those of its model by less than this.
_MARGIN = 2e-5


@dataclass(frozen=True)
class BinaryLabels:
    """Two texts of the spec. Without them 0 and 1, which may also be written false and true."""

    positive: str | None = None
    negative: str | None = None
    storage: ClassVar[Storage] = "number"

    @property
    def texts(self) -> dict[str, float]:
        """The texts and the value of each, 0 or 1."""
        if self.positive is None or self.negative is None:
            return YES_NO
        return {self.negative: 0.0, self.positive: 1.0}

    @property
    def expected(self) -> str:
        if self.positive is None or self.negative is None:
            texts = "two texts need `data.positive` and `data.negative`, and more classes `task: multiclass`"
            return f"0 or 1, or true or false ({texts})"
        return f"{self.negative!r} or {self.positive!r}"

    def parse(self, value: object) -> float | None:
        """Return 0.0 or 1.0 for a JSON value. None if the value is neither label.

        Surrounding blanks of a text are ignored. Without texts in the spec, `true` and `false` are accepted in capitals
        or small letters, and so are texts with the number 0 or 1. With texts in the spec, capitals matter, and a whole
        number, true or false matches the text of the same spelling.
        """
        if self.positive is not None and self.negative is not None:
            return self.texts.get(label_text(value) or "")
        if isinstance(value, str):
            value = YES_NO.get(value.strip().lower(), number(value))
        return float(value == 1) if isinstance(value, int | float) and value in (0, 1) else None

    def includes(self, stored: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.isin(stored, (0.0, 1.0))


ZERO_ONE = BinaryLabels()


class Binary:
    """See `base.Task`. A label is stored as 0 or 1. The raw prediction is the probability of 1."""

    name: ClassVar[str] = "binary"
    description: ClassVar[str] = "one of two labels"
    target: ClassVar[TargetKind] = "probability"
    metrics: ClassVar[Mapping[str, Metric]] = by_name(
        ROC_AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER, ECE, ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, F1, MCC, COST
    )
    primary: ClassVar[str] = ROC_AUC.name
    rates: ClassVar[tuple[str, ...]] = ("selection_rate", "true_positive_rate", "false_positive_rate")
    options: ClassVar[frozenset[str]] = frozenset({"threshold", "cost"})
    names_labels: ClassVar[bool] = True
    open_classes: ClassVar[bool] = False
    answer: ClassVar[str] = "score"
    counted: ClassVar[Mapping[str, str]] = {"number": "score"}

    def labels(self, positive: str | None, negative: str | None) -> BinaryLabels:
        return BinaryLabels(positive, negative)

    def classes(self, labels: Sequence[float] | Sequence[str], known: Labels) -> tuple[str, ...]:  # noqa: ARG002
        assert isinstance(known, BinaryLabels)  # noqa: S101 - made by `labels`
        return (known.negative or "0", known.positive or "1")

    def targets(
        self,
        labels: NDArray[np.float64] | Sequence[float] | Sequence[str],
        classes: tuple[str, ...],  # noqa: ARG002
    ) -> NDArray[np.float32]:
        return np.asarray(labels, np.float32)

    def fitted(
        self,
        classes: tuple[str, ...],
        options: Mapping[str, Any],
        raw: NDArray[np.float64],
        targets: NDArray[np.float32],
    ) -> FittedTask:
        """Use the threshold of the spec.

        Without one, use the threshold with the lowest cost on the holdout if the spec has costs, else one half.
        """
        threshold, cost = options.get("threshold"), options.get("cost")
        if threshold is None:
            threshold = _ONE_HALF if cost is None else cheapest_threshold(raw[:, 0], targets, **cost)
        return FittedTask(
            task=self.name,
            labels=classes,
            numbers=classes == ("0", "1"),
            threshold=float(np.float32(threshold)),
            chosen_on=None if cost is None else len(raw),
            cost=None if cost is None else Costs(**cost),
        )

    def outputs(self, fitted: FittedTask) -> tuple[Output, ...]:  # noqa: ARG002 - the same for every model
        return Output("score", "number", of_label=1), Output("label", "label", watched=False)

    def predictions(self, fitted: FittedTask, raw: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        score = raw[:, 0].astype(np.float32)
        return {"score": score, "label": (score >= np.float32(fitted.threshold or 0)).astype(np.int64)}

    def head(self, fitted: FittedTask, raw: str, node: Node) -> list[Any]:
        threshold = float(fitted.threshold or 0)
        return [
            node("Identity", [raw], ["output.score"], name="output.score"),
            node("Constant", [], ["head.threshold"], name="head.threshold", value_float=threshold),
            node("GreaterOrEqual", [raw, "head.threshold"], ["head.positive"], name="head.positive"),
            node("Cast", ["head.positive"], ["output.label"], name="output.label", to=_INT64),
        ]

    def sketch(self, fitted: FittedTask) -> ScoreHistograms:
        return ScoreHistograms(threshold=_ONE_HALF if fitted.threshold is None else fitted.threshold, cost=fitted.cost)

    def group_sketch(self, fitted: FittedTask) -> GroupScores:
        return GroupScores(_ONE_HALF if fitted.threshold is None else fitted.threshold, cost=fitted.cost)

    def largest_loss(self, fitted: FittedTask, rows: pa.Table) -> float | None:  # noqa: ARG002 - the same for all rows
        return None

    def losses(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the log loss of the probability clipped to [.01, .99], divided by the largest such loss."""
        scores, outcomes = numbers(rows)
        of_outcome = np.where(outcomes > _ONE_HALF, scores, 1 - scores)
        losses = np.log(np.clip(of_outcome, _LEAST_CHANCE, 1 - _LEAST_CHANCE)) / np.log(_LEAST_CHANCE)
        return np.where(np.isfinite(scores) & np.isfinite(outcomes), losses, np.nan)

    def uncovered(self, fitted: FittedTask, rows: pa.Table) -> None:  # noqa: ARG002
        return None

    def bias(self, fitted: FittedTask, rows: pa.Table, largest: float | None) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the outcome, 1 or 0, minus the probability."""
        scores, outcomes = numbers(rows)
        return np.where(np.isfinite(scores) & np.isfinite(outcomes), (outcomes > _ONE_HALF) - scores, np.nan)

    def row_figures(self, fitted: FittedTask, rows: pa.Table) -> dict[str, NDArray[np.float64]]:
        scores, outcomes = numbers(rows)
        known, positive = np.isfinite(scores) & np.isfinite(outcomes), outcomes > _ONE_HALF
        predicted = scores.astype(np.float32) >= np.float32(fitted.threshold or 0)
        found = {"positive": positive, "predicted_positive": predicted, "accuracy": predicted == positive}
        return {name: np.where(known, each, np.nan) for name, each in found.items()}

    def expected(self, figures: BinnedFigures, counts: NDArray[np.int64]) -> dict[str, Figure]:
        """Return accuracy and ROC AUC.

        Each row counts as positive by the share of positives in its bin on the holdout, and as negative by the rest.
        This is the confidence-based performance estimation of NannyML 0.4. For the accuracy see Guillory et al.,
        "Predicting with confidence on unseen distributions", ICCV 2021. The shares are those of an isotonic regression
        (Zadrozny, Elkan, KDD 2002), because the probability of a positive should not fall with the score.
        """
        positive, rows = isotonic(figures.means["positive"], figures.rows), figures.grouped(counts)
        predicted = figures.means["predicted_positive"]
        right = np.where(predicted == 1, positive, np.where(predicted == 0, 1 - positive, figures.means["accuracy"]))
        accuracy = float(rows @ right / rows.sum())
        found = {"accuracy": Figure(accuracy, figures.mean("accuracy", counts).error)}
        of_holdout = expected_roc_auc(positive, figures.rows, figures.rows)
        auc = expected_roc_auc(positive, rows, figures.rows)
        if auc is not None:
            errors = (each.error or 0.0 for each in (auc, of_holdout) if each is not None)
            found["roc_auc"] = Figure(auc.value, sqrt(sum(error * error for error in errors)))
        return found


_INT64 = 7  # onnx.TensorProto.INT64


def cheapest_threshold(
    scores: NDArray[np.float64], targets: NDArray[np.float32], false_positive: float, false_negative: float
) -> float:
    """Return the threshold with the lowest total cost of errors. If several are equal, return the lowest.

    The candidates are the middles between two distinct scores, one value below all scores and one above. The ONNX graph
    rounds scores differently than the model that gave these scores, so a score at the threshold could fall on either
    side.
    """
    if not len(scores):
        return false_positive / (false_positive + false_negative)
    as_served = scores.astype(np.float32)
    order = np.argsort(as_served, kind="stable")
    values, positive = as_served[order], targets[order] == 1
    # With the threshold at row i, the rows before it are predicted negative, and the row itself and those after it
    # positive.
    missed = np.concatenate([[0], np.cumsum(positive)])
    alarms = np.concatenate([[0], np.cumsum(~positive)])
    cost = missed * false_negative + (alarms[-1] - alarms) * false_positive
    starts = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1, [len(values)]])
    best = int(starts[np.argmin(cost[starts])])
    below = float(values[best - 1]) if best else max(0.0, float(values[0]) - _MARGIN)
    above = float(values[best]) if best < len(values) else float(values[-1]) + _MARGIN
    middle = float(np.float32((below + above) / 2))
    # The middle of two neighbouring float32 is equal to one of them.
    return middle if middle > below or not best else above


@dataclass(frozen=True)
class ScoreHistograms:
    """Two histograms of the scores in fixed, narrow bins: one for outcome 0 and one for outcome 1.

    Each score counts as the middle of its bin, and the bin of the threshold counts as positive. Scores in one bin are
    ties, so the error of the ROC AUC is at most half the probability that a pair shares a bin.
    """

    bins: int = 1024
    threshold: float = _ONE_HALF
    cost: Costs | None = None

    @property
    def size(self) -> int:
        return 2 * self.bins

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        scores, outcomes = numbers(rows)
        finite = np.isfinite(scores) & np.isfinite(outcomes)
        scores, outcomes = scores[finite], outcomes[finite]
        bins = np.clip((scores * self.bins).astype(np.int64), 0, self.bins - 1)
        return np.bincount(bins + self.bins * (outcomes > _ONE_HALF), minlength=self.size)

    def labelled(self, counts: NDArray[np.int64]) -> int:
        return int(counts.sum())

    def figures(self, counts: NDArray[np.int64]) -> dict[str, Figure]:
        """Return ROC AUC, average precision, log loss, Brier score, calibration error, accuracy and mean cost.

        A probability that is nearer to 0 or 1 than half a bin counts as half a bin, which bounds the log loss of a row.
        Rows in the bin of the threshold count as predicted positive. If they are more than a hundredth of all rows,
        which happens with rare events, accuracy and cost are left out.
        """
        negatives, positives = counts.reshape(2, self.bins)
        rows = int(counts.sum())
        if not rows:
            return {}
        chances = (np.arange(self.bins) + 0.5) / self.bins
        edge = float(np.float32(self.threshold)) * self.bins
        selected = np.arange(self.bins) >= int(edge)
        false, missed = int(negatives[selected].sum()), int(positives[~selected].sum())
        at_edge = int((negatives + positives)[int(edge) : int(edge) + 1].sum()) if edge != int(edge) else 0
        decided = {"accuracy": share_of(rows - false - missed, rows), **_mean_cost(self.cost, false, missed, rows)}
        found = {
            "log_loss": _mean(counts, np.concatenate([-np.log1p(-chances), -np.log(chances)])),
            "brier": _mean(counts, np.concatenate([chances**2, (1 - chances) ** 2])),
            "ece": Figure(_calibration_error(negatives, positives, chances)),
            **(decided if at_edge <= _MOST_AT_EDGE * rows else {}),
        }
        auc, precision = _roc_auc(negatives, positives), _average_precision(negatives, positives)
        ranked = {"roc_auc": auc, "average_precision": precision}
        return {name: each for name, each in ranked.items() if each is not None} | found


@dataclass(frozen=True)
class GroupScores:
    """Coarse histograms of the scores as in `ScoreHistograms`, and the rows predicted as 1 by outcome.

    With 64 bins, the ROC AUC of uniformly distributed scores has an error below 0.01.
    """

    threshold: float
    bins: int = 64
    cost: Costs | None = None

    @property
    def size(self) -> int:
        return 2 * self.bins + 2

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        scores, outcomes = numbers(rows)
        finite = np.isfinite(scores) & np.isfinite(outcomes)
        scores, positive = scores[finite], outcomes[finite] > _ONE_HALF
        selected = scores >= np.float32(self.threshold)
        decided = np.bincount(positive[selected].astype(np.int64), minlength=2)
        return np.concatenate([ScoreHistograms(self.bins).count(rows), decided])

    def labelled(self, counts: NDArray[np.int64]) -> int:
        return int(counts[:-2].sum())

    def figures(self, counts: NDArray[np.int64]) -> dict[str, Figure]:
        negatives, positives = counts[:-2].reshape(2, self.bins)
        n, p, false, true = int(negatives.sum()), int(positives.sum()), int(counts[-2]), int(counts[-1])
        shares = {
            "accuracy": (n - false + true, n + p),
            "selection_rate": (false + true, n + p),
            "true_positive_rate": (true, p),
            "false_positive_rate": (false, n),
        }
        found = {name: share_of(*share) for name, share in shares.items() if share[1]}
        found |= _mean_cost(self.cost, false, p - true, n + p)
        auc = _roc_auc(negatives, positives)
        return found if auc is None else {"roc_auc": auc, **found}


def _roc_auc(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> Figure | None:
    """Return the ROC AUC of histograms of the scores by outcome. None if one of them is empty."""
    n, p = int(negatives.sum()), int(positives.sum())
    if not n * p:
        return None
    below = np.cumsum(negatives) - negatives
    auc = float((positives * (below + negatives / 2)).sum() / (n * p))
    return Figure(auc, roc_auc_error(auc, p, n))


def _mean_cost(cost: Costs | None, false: int, missed: int, rows: int) -> dict[str, Figure]:
    """Return the mean cost of `false` and `missed` errors, and its standard error. Empty without costs or rows."""
    if cost is None or not rows:
        return {}
    mean = (false * cost.false_positive + missed * cost.false_negative) / rows
    square = (false * cost.false_positive**2 + missed * cost.false_negative**2) / rows
    return {COST.name: Figure(mean, sqrt(max(0.0, square - mean * mean) / rows))}


def _average_precision(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> Figure | None:
    """Return the mean precision over the positives, from the highest bin down. None without a positive."""
    total = int(positives.sum())
    if not total:
        return None
    true, false = np.cumsum(positives[::-1]), np.cumsum(negatives[::-1])
    precisions = true / np.maximum(true + false, 1)
    return Figure(float(positives[::-1] @ precisions / total))


def _mean(counts: NDArray[np.int64], losses: NDArray[np.float64]) -> Figure:
    """Return the mean loss of rows, counted by bin, and its standard error."""
    rows = int(counts.sum())
    mean = float(counts @ losses / rows)
    return Figure(mean, sqrt(max(0.0, float(counts @ losses**2 / rows) - mean * mean) / rows))


def _calibration_error(
    negatives: NDArray[np.int64], positives: NDArray[np.int64], chances: NDArray[np.float64]
) -> float:
    """Return the gap between score and share of positives, weighted by rows, in the bins of the metric `ece`."""
    rows = negatives + positives
    of_bins = np.bincount((chances * CALIBRATION_BINS).astype(np.int64), positives - rows * chances)
    return float(np.abs(of_bins).sum() / rows.sum())


def roc_auc_error(auc: float, positives: float, negatives: float) -> float:
    """Return the standard error of a ROC AUC (Hanley and McNeil, Radiology 1982, formula 2)."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    return sqrt(max(0.0, variance) / (positives * negatives))


def expected_roc_auc(positive: NDArray[np.float64], rows: NDArray[Any], holdout: NDArray[np.int64]) -> Figure | None:
    """Return the ROC AUC of rows counted by bin of the score, with these shares of positives.

    None if a class is absent. The model assumes that within a bin the share of positives rises linearly with the rank
    on the holdout, as it does between bins. With a rise of s around a share of p, a positive has a higher score than a
    negative of its bin with probability 1/2 + s / (12 p (1 - p)).
    """
    positives, negatives = rows * positive, rows * (1 - positive)
    p, n = float(positives.sum()), float(negatives.sum())
    if min(p, n) < 1:
        return None
    ranks = np.cumsum(holdout) - holdout / 2
    rise = np.gradient(positive, ranks) * holdout if len(positive) > 1 else np.zeros(1)
    most = 2 * np.minimum(positive, 1 - positive)
    chance = 12 * positive * (1 - positive)
    above = 0.5 + np.divide(np.clip(rise, -most, most), chance, out=np.zeros_like(chance), where=chance > 0)
    below = np.cumsum(negatives) - negatives
    auc = float((positives * (below + negatives * above)).sum() / (p * n))
    return Figure(auc, roc_auc_error(auc, p, n))


BINARY = Binary()
