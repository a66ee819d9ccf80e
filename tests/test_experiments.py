"""Assumptions of the experiments: no policy knows a label too early, and figures are those of the served models."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.benchmarks.simulation.injected import KINDS, count, inject
from tests.benchmarks.simulation.labelled_streams import PARAMS, LabelledStream
from tests.benchmarks.simulation.policies import EveryChunks, Growing, Monthly, Never
from tests.benchmarks.simulation.prequential import Fit, Known, Models, play
from tests.benchmarks.simulation.watching import Version, earliest, watch, watch_values

ROWS, FIRST, CHUNK = 1_400, 400, 100


@pytest.fixture(scope="module")
def models() -> Models:
    """Return a stream whose labels are the opposite from row 900 on, and its models."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((ROWS, 2)).astype(np.float32)
    y = ((x[:, 0] > 0) ^ (np.arange(ROWS) >= 900)).astype(np.int8)
    ends = tuple(range(FIRST, ROWS + 1, CHUNK))
    months = frozenset({4, 8})
    month_ends = tuple(ends[month] for month in sorted(months))
    return Models(LabelledStream("opposite", x, y, ends, months, month_ends, (), PARAMS | {"n_estimators": 10}))


class Recording:
    """A policy that refits to the latest 100 rows at each chunk, and keeps its inputs."""

    def __init__(self) -> None:
        self.known: list[Known] = []

    def decide(self, known: Known, models: Models) -> Fit | None:  # noqa: ARG002
        self.known.append(known)
        return Fit(known.until - 100, known.until)


def test_the_labels_of_a_chunk_are_known_one_chunk_later(models: Models) -> None:
    policy = Recording()
    played = play(models, policy)
    assert [known.until for known in policy.known] == list(models.stream.ends[:-1])
    assert [known.new for known in policy.known][1:] == list(models.stream.ends[:-2])
    # The model that serves a chunk never saw a row of the previous chunk.
    assert [fit.until for fit in played.served[1:]] == list(models.stream.ends[:-2])
    # The errors are those of the model that served the rows, not of the current model.
    of_opposite = next(known for known in policy.known if known.new == 900)
    assert of_opposite.errors.mean() > 0.9
    assert len(of_opposite.losses) == CHUNK


def test_accuracy_is_of_the_rows_that_were_served(models: Models) -> None:
    never = play(models, Never())
    assert never.versions == 0
    assert never.accuracy == pytest.approx(0.5, abs=0.02)
    latest = play(models, Recording())
    assert latest.versions == len(models.stream.ends) - 2
    assert latest.accuracy == pytest.approx(0.8, abs=0.03)
    assert latest.losses.mean() < never.losses.mean()


def test_each_policy_asks_for_its_rows(models: Models) -> None:
    assert play(models, Monthly()).served[-1] == Fit(0, 1_100)
    assert play(models, Monthly(latest=True)).served[-1] == Fit(700, 1_100)
    assert play(models, EveryChunks(4)).versions == 2
    grown = play(models, Growing(fading=True)).served
    assert {fit.half_life for fit in grown[2:]} == {FIRST / 2}
    assert all(after.until >= 1.1 * before.until or after == before for before, after in pairwise(grown))


def test_a_fit_is_done_once(models: Models) -> None:
    first = models.scores(Fit(0, FIRST), FIRST, FIRST + 10)
    assert models.scores(Fit(0, FIRST), FIRST, FIRST + 10) is first


def test_an_injected_drift_begins_at_its_onset() -> None:
    rng = np.random.default_rng(3)
    x, y = (
        rng.standard_normal((4_000, 3)).astype(np.float32) + np.array([0, 10, 20], np.float32),
        (rng.random(4_000) < 0.5).astype(np.int8),
    )
    of = {kind: inject(x, y, kind, 0, np.random.default_rng(5)) for kind in KINDS}
    for trial in of.values():
        before, after = trial.at < trial.onset, trial.at >= trial.onset
        assert 2_000 <= trial.onset <= 3_200
        assert before.sum() == trial.onset  # nothing changes or fails to come before it
        assert 0.4 < trial.y[before].mean() < 0.6
        assert abs(trial.x[before].mean(axis=0) - [0, 10, 20]).max() < 0.2
        assert after.any()
    swapped, fewer = of["labels swapped"], of["fewer of a class"]
    assert swapped.y[swapped.at >= swapped.onset].mean() in (0.0, 1.0)
    assert abs(fewer.y[fewer.at >= fewer.onset].mean() - 0.5) > 0.2
    assert len(of["fewer above a median"].x) < 4_000
    shifted, scaled = of["features shifted"], of["features scaled"]
    moved = shifted.x[shifted.at >= shifted.onset].mean(axis=0) - [0, 10, 20]
    spread = scaled.x[scaled.at >= scaled.onset].std(axis=0)
    assert sorted(np.round(moved)) == [0, 0, 1]
    assert sorted(np.round(spread)) == [1, 1, 2]
    permuted = of["features permuted"]
    assert abs(permuted.x[permuted.at >= permuted.onset].mean(axis=0) - [0, 10, 20]).max() > 5


def test_a_gradual_drift_takes_its_width() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((8_000, 2)).astype(np.float32), (np.arange(8_000) % 2).astype(np.int8)
    trial = inject(x, y, "labels swapped", 2_000, rng)
    halves = [trial.y[trial.onset + start : trial.onset + start + 1_000] for start in (0, 1_000, 2_000)]
    same = [max(half.mean(), 1 - half.mean()) for half in halves]
    assert same[0] < same[1] < same[2] == 1.0


def test_alarms_are_counted_as_the_paper_counts_them() -> None:
    found = count(np.array([100, 700, 900, 2_000]), onset=500, most=1_000, rows=1_900)
    assert (found.right, found.false, found.missed, found.delays) == (2, 2, 0, (200,))
    both = found + count(np.array([], int), onset=500, most=1_000, rows=2_100)
    assert both.f1 == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))
    assert (both.found, both.delay, both.per_thousand) == (0.5, 200.0, 0.5)
    assert both.delay_of_all(1_000) == 600.0


@pytest.mark.medium
def test_what_changes_alarms_after_its_change_and_the_rest_does_not() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((6_000, 2)).astype(np.float32)
    x[4_000:, 1] += 1
    scores = np.full(6_000, 0.5) + 0.1 * rng.standard_normal(6_000)
    outcomes = (rng.random(6_000) < 0.5).astype(np.int8)
    version = Version(x[:2_000], scores[1_000:2_000], outcomes[1_000:2_000])
    found = watch(version, x[2_000:], scores[2_000:], outcomes[2_000:], (0.001, 0.1))
    strict, lax = found["inputs"]
    assert strict
    assert lax
    assert 2_000 < lax <= strict < 2_500
    assert found["outputs"] == found["loss"] == [None, None]
    assert earliest([None, 3], [None, 2]) == [None, 2]


def test_a_figure_alone_alarms_to_its_sides() -> None:
    values = np.random.default_rng(1).random(4_000)
    values[3_000:] -= 0.3
    falls = {one_sided: watch_values(values[:1_000], values[1_000:], (0.01,), one_sided=one_sided)
             for one_sided in (False, True)}  # fmt: skip
    assert falls[True] == [None]
    assert falls[False][0]
    assert 2_000 < falls[False][0] < 2_300
