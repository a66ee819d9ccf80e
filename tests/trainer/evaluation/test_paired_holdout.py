"""The figures for a rollout: blocks of the holdout, the variance of their differences, and the margin."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.trainer.evaluation.paired_holdout import BLOCK_SECONDS, block_means, independent_blocks, paired_holdout

BINARY = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
Vector = NDArray[np.float64]


def table(**columns: object) -> pa.Table:
    rows = len(next(iter(columns.values())))  # type: ignore[arg-type]
    return pa.table({f.name: pa.array(columns.get(f.name, [None] * rows), f.type) for f in (*PREDICTED, *OBSERVED)})


def scored(outcomes: Vector, scores: Vector) -> pa.Table:
    return table(number=scores.astype(np.float32), outcome=outcomes)


def test_the_difference_is_that_of_the_losses_of_the_same_rows() -> None:
    rng = np.random.default_rng(1)
    outcomes = rng.integers(0, 2, 4_000).astype(float)
    champion, candidate = (
        np.clip(0.5 + gap * (outcomes - 0.5) + rng.normal(0, 0.05, 4_000), 0, 1) for gap in (0.6, 0.4)
    )
    found = paired_holdout(BINARY, np.arange(4_000) * 10.0, scored(outcomes, candidate), scored(outcomes, champion))
    assert found is not None
    losses = [task_named("binary").losses(BINARY, scored(outcomes, each), None) for each in (candidate, champion)]
    assert found.difference == pytest.approx((losses[0] - losses[1]).mean())
    base = task_named("binary").losses(BINARY, scored(outcomes, np.full(4_000, outcomes.mean())), None).mean()
    assert found.margin == pytest.approx(0.1 * (base - losses[1].mean()), rel=1e-5)
    assert found.disagreement == pytest.approx(np.abs(candidate - champion).mean(), rel=1e-4)
    means = block_means(np.arange(4_000) * 10.0, losses[0] - losses[1], 60)
    assert (found.block_seconds, found.blocks, found.variance) == (60, len(means), pytest.approx(means.var()))
    assert found.bound == pytest.approx(6 * means.std())
    assert found.loss_variance == pytest.approx(losses[1].var())


def test_shocks_of_an_hour_need_blocks_of_hours() -> None:
    rng = np.random.default_rng(2)
    seconds = np.arange(40_000) * 20.0
    hours = rng.normal(0, 0.05, int(seconds[-1] // 3_600) + 1)
    correlated = rng.normal(0, 0.1, 40_000) + hours[(seconds // 3_600).astype(int)]
    assert independent_blocks(seconds, correlated)[0] >= 3_600
    assert independent_blocks(seconds, rng.normal(0, 0.1, 40_000))[0] == 60


@pytest.mark.parametrize("days", [12, 60])
def test_dates_have_blocks_of_a_day(days: int) -> None:
    rng = np.random.default_rng(4)
    seconds = np.repeat(np.arange(days), 100) * 86_400.0
    differences = rng.normal(0, 0.1, seconds.size) + np.repeat(rng.normal(0, 0.05, days), 100)
    length, means = independent_blocks(seconds, differences)
    assert (length, len(means)) == (86_400, days)


@pytest.mark.parametrize(("gap", "length"), [(50, 60), (300, 600), (7 * 86_400, 86_400)])
def test_blocks_are_as_long_as_the_usual_gap_between_rows(gap: int, length: int) -> None:
    rng = np.random.default_rng(5)
    assert independent_blocks(np.arange(5_000) * float(gap), rng.normal(0, 0.1, 5_000))[0] == length


def test_a_short_holdout_has_the_longest_blocks_of_which_there_are_enough() -> None:
    seconds = np.arange(3_000) * 10.0
    trend = np.sin(seconds / 20_000)
    length, means = independent_blocks(seconds, trend)
    # Blocks of an hour are too few to be compared with.
    assert (length, len(means) >= 20) == (600, True)
    assert independent_blocks(np.array([0.0, 1.0]), np.array([0.1, 0.3]))[0] == BLOCK_SECONDS[0]


def test_nothing_is_found_where_nothing_differs_or_nothing_is_known() -> None:
    outcomes = np.array([0.0, 1.0, 1.0])
    same = scored(outcomes, np.array([0.2, 0.7, 0.9]))
    assert paired_holdout(BINARY, np.arange(3.0), same, same) is None
    unknown = scored(np.full(3, np.nan), np.array([0.2, 0.7, 0.9]))
    assert paired_holdout(BINARY, np.arange(3.0), unknown, unknown) is None


def test_classes_have_the_skill_of_the_commonest_one() -> None:
    fitted = FittedTask(task="multiclass", labels=("a", "b"))
    outcomes = ["a"] * 6 + ["b"] * 4
    champion = table(label=["a"] * 6 + ["b"] * 3 + ["a"], outcome_label=outcomes, number=[0.9] * 10)
    candidate = table(label=["a"] * 7 + ["b"] * 2 + ["a"], outcome_label=outcomes, number=[0.9] * 10)
    found = paired_holdout(fitted, np.arange(10) * 60.0, candidate, champion)
    assert found is not None
    assert (found.margin, found.difference) == (pytest.approx(0.1 * (0.4 - 0.1)), pytest.approx(0.1))
    assert found.disagreement == 0
