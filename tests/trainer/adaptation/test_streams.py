"""All decisions together, on small streams with known changes. `make bench ONLY=policies` has more streams."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.simulation.comparing import Comparing
from tests.benchmarks.simulation.labelled_streams import PARAMS, LabelledStream
from tests.benchmarks.simulation.policies import Growing, Never
from tests.benchmarks.simulation.prequential import Models, play

ROWS, FIRST, CHUNK = 9_000, 1_000, 125


def models(*concepts: int) -> Models:
    """Return a stream of three attributes with three values each. Concepts of equal length follow each other."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 3, (ROWS, 3)).astype(np.float32)
    labels = np.stack([(x[:, 0] == 0) & (x[:, 1] == 0), (x[:, 1] == 1) | (x[:, 2] == 1), x[:, 0] > 0])
    at = np.repeat(concepts, ROWS // len(concepts))
    y = labels[at, np.arange(ROWS)] ^ (rng.random(ROWS) < 0.02)
    ends = tuple(range(FIRST, ROWS + 1, CHUNK))
    params = PARAMS | {"n_estimators": 20, "num_leaves": 8}
    return Models(LabelledStream("small", x, y.astype(np.int8), ends, frozenset(), (), (), params))


@pytest.mark.slow
def test_after_an_abrupt_change_the_rows_before_it_are_left_out() -> None:
    played, policy = models(0, 1, 2), Comparing()
    ours, peer = play(played, policy), play(played, Growing())
    assert policy.moves == pytest.approx([3_000, 6_000], abs=100)
    assert ours.accuracy > 0.9
    assert peer.accuracy < 0.8


@pytest.mark.slow
def test_without_a_change_nothing_is_left_out_and_each_fit_follows_a_tenth_more_rows() -> None:
    played, policy = models(1), Comparing()
    ours = play(played, policy)
    assert policy.moves == []
    assert ours.accuracy > play(played, Never()).accuracy - 0.006
    # 1,000 rows grow to 9,000 by a tenth each.
    assert 15 <= ours.versions <= 23


DAY, DAYS_FIRST = 50, 2_510
"""Rows of a day, and of the first training: others begin and end within days, too."""


def with_days(change: int, seed: int) -> Models:
    """Return a stream whose log odds have a random level for each day, and are high on one in sixteen.

    From the row `change` on, the effect of a feature is reversed.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS, 3)).astype(np.float32)
    sign = np.where(np.arange(ROWS) < change, 1.0, -1.0)
    days = ROWS // DAY
    level = rng.normal(-1, 0.5, days) + 5 * (rng.random(days) < 0.06)
    odds = 2 * sign * x[:, 0] + x[:, 1] + np.repeat(level, DAY)
    y = rng.random(ROWS) < 1 / (1 + np.exp(-odds))
    ends = tuple(range(DAYS_FIRST, ROWS + 1, CHUNK))
    params = PARAMS | {"n_estimators": 20, "num_leaves": 8}
    return Models(LabelledStream("days", x, y.astype(np.int8), ends, frozenset(), (), (), params))


@pytest.mark.medium
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_no_model_of_a_few_days_serves_where_days_differ_and_nothing_changes(seed: int) -> None:
    played = with_days(ROWS, seed)
    ours, peer = play(played, Comparing()), play(played, Growing())
    assert min(fit.rows for fit in ours.served) >= DAYS_FIRST
    assert ours.losses.mean() == pytest.approx(peer.losses.mean(), abs=0.0005)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_change_in_a_stream_of_days_the_window_moves_after_more_of_them(seed: int) -> None:
    played, policy = with_days(5_000, seed), Comparing()
    ours = play(played, policy)
    assert policy.moves == [pytest.approx(5_000, abs=3 * DAY)]
    assert ours.accuracy > play(played, Growing()).accuracy + 0.1
    moved = next(at for at, fit in enumerate(ours.served) if fit.since)
    assert 5_000 + 8 * DAY < played.stream.ends[moved] < 5_000 + 25 * DAY
