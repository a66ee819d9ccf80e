"""Performance that is estimated from predictions alone, compared with the true performance."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.evidence.reference import Reference
from rondo.trainer.evaluation.calibration import calibration_of
from rondo.trainer.evaluation.reference_blocks import of_losses
from rondo.trainer.evaluation.reference_profile import numeric
from sklearn.metrics import roc_auc_score

from tests.monitor.streams import STREAMS, Data, Stream, counted

FITTED = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
OF_EACH = pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)


def reference_of(fitted: FittedTask, holdout: pa.Table) -> Reference:
    """Return the reference that the trainer makes of a holdout."""
    output = task_named(fitted.task).counted["number"]
    outputs = {output: numeric(holdout["number"].to_numpy(), fine_tails=True)}
    loss = of_losses(fitted, holdout)
    profile = ReferenceProfile(
        rows=holdout.num_rows, features={}, outputs=outputs, task=fitted, performance={}, loss=loss,
        calibration=calibration_of(fitted, holdout, outputs, loss),
    )  # fmt: skip
    return Reference.of(profile)


def estimates(reference: Reference, live: pa.Table) -> dict[str, tuple[float, float]]:
    """Return value and standard error of each estimate."""
    assert reference.estimator
    predictions = pa.table({f"{OUTPUT}{task_named(reference.task.task).counted['number']}": live["number"]})
    counts = reference.binning.count_groups(predictions, np.zeros(predictions.num_rows, np.int64), 1)
    found = reference.estimator.expected(counts[0])
    return {name: (figure.value, figure.error or 0.0) for name, figure in found.items()}


def truth(reference: Reference, live: pa.Table) -> dict[str, float]:
    task = task_named(reference.task.task)
    sketch = task.sketch(reference.task)
    figures = {name: each.value for name, each in sketch.figures(sketch.count(live)).items()}
    if "roc_auc" in figures:  # by ranks: the bins of the sketch are coarse for scores near 0
        figures["roc_auc"] = float(roc_auc_score(live["outcome"], live["number"]))
    means = {name: float(values.mean()) for name, values in task.row_figures(reference.task, live).items()}
    return means | figures | {"loss": float(task.losses(reference.task, live, reference.largest_loss).mean())}


def binary(centre: float, count: int, seed: int, *, opposite: bool = False) -> pa.Table:
    """Return rows of an overconfident model: the logit of its score is twice that of the outcome's probability."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(centre, 1.0, count)
    outcome = rng.random(count) < 1 / (1 + np.exp(logit if opposite else -logit))
    return counted({"score": (1 / (1 + np.exp(-2 * logit))).astype(np.float32)}, outcome.astype(np.float64))


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(5))
def test_the_estimate_is_near_the_truth_after_a_shift_of_the_inputs(seed: int) -> None:
    reference, live = reference_of(FITTED, binary(0.0, 20_000, seed)), binary(1.5, 5_000, 100 + seed)
    found, right = estimates(reference, live), truth(reference, live)
    assert found.keys() == {"roc_auc", "accuracy", "loss"}
    for name, (value, error) in found.items():
        assert abs(value - right[name]) < 4 * error, name
        assert 0 < error < 0.02


def test_the_raw_scores_would_be_wrong_by_more() -> None:
    """The holdout corrects the scores of this model, which is far too confident."""
    live = binary(0.0, 20_000, 7)
    scores = live["number"].to_numpy().astype(np.float64)
    reference = reference_of(FITTED, binary(0.0, 20_000, 8))
    accuracy = truth(reference, live)["accuracy"]
    assert np.maximum(scores, 1 - scores).mean() - accuracy > 0.05
    assert abs(estimates(reference, live)["accuracy"][0] - accuracy) < 0.01


def test_outcomes_that_change_for_the_same_inputs_are_not_seen() -> None:
    """This is the assumption of the estimate: a score has the same meaning as on the holdout."""
    reference, live = reference_of(FITTED, binary(0.0, 20_000, 1)), binary(0.0, 5_000, 2, opposite=True)
    assert estimates(reference, live)["roc_auc"][0] > 0.7
    assert truth(reference, live)["roc_auc"] < 0.3


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_the_roc_auc_of_the_holdout_itself_loses_nothing_by_its_few_bins(share: float) -> None:
    holdout = binary(np.log(share / (1 - share)), 50_000, 3)
    reference = reference_of(FITTED, holdout)
    assert estimates(reference, holdout)["roc_auc"][0] == pytest.approx(truth(reference, holdout)["roc_auc"], abs=0.003)


@OF_EACH
def test_estimates_of_the_holdout_itself_are_its_figures(stream: Stream) -> None:
    """All estimates except the ROC AUC are means of rows, so the bins do not matter."""
    rng = np.random.default_rng(4)
    data = stream.rows(rng, 3_000)
    holdout = counted(data, stream.outcomes(rng, data))
    reference = reference_of(stream.profile.task, holdout)
    found, right = estimates(reference, holdout), truth(reference, holdout)
    assert "loss" in found
    for name, (value, _) in found.items():
        if name != "roc_auc":
            assert value == pytest.approx(right[name], rel=1e-3), name


@pytest.mark.medium
@OF_EACH
@pytest.mark.parametrize("seed", range(3))
def test_the_error_of_every_task_holds_where_predictions_move(stream: Stream, seed: int) -> None:
    """Rows are chosen by their prediction, so the assumption holds."""
    rng = np.random.default_rng(seed)
    halves: list[tuple[Data, np.ndarray]] = []
    for _ in range(2):
        data = stream.rows(rng, 20_000)
        halves.append((data, stream.outcomes(rng, data)))
    reference = reference_of(stream.profile.task, counted(*halves[0]))
    live = counted(*halves[1])
    chosen = rng.random(live.num_rows) < np.where(live["number"].to_numpy() > np.median(live["number"]), 1.0, 0.1)
    live = live.filter(pa.array(chosen))
    found, right = estimates(reference, live), truth(reference, live)
    for name, (value, error) in found.items():
        assert abs(value - right[name]) < 4 * error, name
        assert error < 0.05 * max(1.0, right[name])


def test_a_change_of_the_loss_is_uncertain_where_the_holdout_had_few_such_predictions() -> None:
    few, many = (reference_of(FITTED, binary(0.0, rows, 5)).estimator for rows in (300, 30_000))
    live = binary(2.5, 20_000, 6)
    changes = []
    for estimator in (few, many):
        assert estimator
        counts = np.bincount(estimator.column.bins_of(live["number"].to_numpy()), minlength=estimator.column.size)[:-1]
        changes.append(estimator.figures.change("loss", counts))
    for change in changes:
        assert change.value < 0  # nearly all are certain positives, and right
    assert (changes[0].error or 0) > 2 * (changes[1].error or 0) > 0


def test_without_a_prediction_or_a_calibration_there_is_no_estimate() -> None:
    reference = reference_of(FITTED, binary(0.0, 1_000, 1))
    assert estimates(reference, binary(0.0, 10, 1).slice(0, 0)) == {}
    assert Reference.of(reference.profile.model_copy(update={"calibration": None})).estimator is None
    other_bins = reference.profile.calibration
    assert other_bins
    shorter = other_bins.model_copy(update={"rows": other_bins.rows[1:]})
    assert Reference.of(reference.profile.model_copy(update={"calibration": shorter})).estimator is None
