"""The simulation of the thresholds decides as the services do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.events.models import GateResult
from rondo.contracts.spec.file import parse_spec

from tests.benchmarks.simulation.cases import Case, Played
from tests.benchmarks.simulation.trainings import Flights, Trainings
from tests.benchmarks.simulation.year import Simulation, Year
from tests.benchmarks.tables import thresholds

ROOT = Path(__file__).resolve().parents[1]
SPEC = parse_spec("""
model: flight-delay
data: {dataset: flights, entity: flight_id, event_time: scheduled_departure, label: late, label_delay: 6h}
features: {distance: {type: float}}
trainer: {params: {n_estimators: 5}, min_rows: 1000}
gates: {roc_auc: {min: 0.5}}
retrain: {on: [drift, performance]}
monitor: {drift: 1.0, performance_drop: 0.2}
""")
START, CHANGE, LAG = datetime(2013, 1, 29, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC), timedelta(days=10)


def flights() -> pl.DataFrame:
    """Return a flight every ten minutes for 100 days: the farther, the later; from CHANGE on all go much farther."""
    random, count = np.random.default_rng(7), 100 * 144
    left = [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(count)]
    distance = random.normal(size=count)
    times = pl.Series(left, dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "flight_id": [f"f{n:05}" for n in range(count)],
            "scheduled_departure": times,
            "distance": pl.Series(distance + np.where(times >= CHANGE, 9, 0), dtype=pl.Float32),
            "late": (random.normal(size=count) < distance).astype(np.int8),
            "known_at": times + timedelta(hours=3),
        }
    )


def test_drift_retrains_and_the_new_version_serves_after_the_lag() -> None:
    trainings = Trainings(Flights(flights(), START, SPEC), SPEC)
    year = Simulation(SPEC, trainings, LAG).play()
    first, second = year.versions
    # Windows begin on Thursdays: that of February 28 is mostly of what changed, so the second one ends on March 14.
    assert (first.trigger.kind, second.trigger.kind, second.trigger.at) == (
        "data",
        "drift",
        CHANGE + timedelta(days=13),
    )
    assert (first.since, second.since - second.as_of) == (START, LAG)
    assert not np.isnan(year.scores(trainings)).any()


def test_without_thresholds_nothing_is_retrained() -> None:
    trainings = Trainings(Flights(flights(), START, SPEC), SPEC)
    case = Case(None, None, 10)
    assert len(Simulation(case.spec(SPEC), trainings, LAG).play().versions) == 1


def test_a_case_puts_its_thresholds_into_the_spec() -> None:
    spec = Case(3.0, None, 10).spec(SPEC)
    assert (spec.monitor.drift, spec.monitor.performance_drop, spec.retrain.on) == (3.0, 0.2, ("drift",))


def played(auc: dict[int, float]) -> Any:
    return Played(Year(), dict.fromkeys(range(3, 13), 0.7) | auc)


def test_thresholds_that_are_no_better_than_none_miss_the_goal() -> None:
    rows = thresholds.of_lags(lambda _: played({}), SPEC.monitor)
    assert [row.met for row in rows if row.row.startswith("AUC, 12")] == [False]


@pytest.mark.parametrize(("early", "late"), [(0.8, [0.68, 0.68]), (0.7, [0.68, 0.7]), (0.6, [0.7, 0.7])])
def test_thresholds_are_chosen_on_the_first_half_and_judged_on_the_second(early: float, late: list[float]) -> None:
    committed = parse_spec((ROOT / "examples" / "flights" / "rondo.yaml").read_text()).monitor

    def play(case: Any) -> Any:
        return played({5: early, 9: 0.6} if case.drift == 3.0 else {})

    rows = {row.row: row.ours for row in thresholds.of_halves(play, committed, 12)}
    chosen = [rows[f"AUC from August on, 12 d, best from March to July, {end}"] for end in ("least", "most")]
    assert chosen == pytest.approx(late)


def test_a_candidate_beside_the_same_champion_counts_once() -> None:
    def seen(gate: str, observed: float, bound: float | None = None, *, passed: bool = True) -> GateResult:
        return GateResult(gate=gate, passed=passed, observed=observed, bound=bound, message="")

    first = (
        seen("roc_auc.not_worse_than_champion", -0.02, 0.03),
        seen("slices.carrier", 0.01),
        seen("fairness.origin", 0.1),
    )
    second = (
        seen("roc_auc.not_worse_than_champion", 0.1, 0.03, passed=False),
        seen("slices.carrier", 0.02),
        seen("fairness.origin", 0.05),
    )
    years = [Year(judged=[first]), Year(judged=[first, second])]
    rows = [round(row.ours, 3) for row in thresholds.of_gates(years)]
    assert rows == [2, 1, -0.1, 0.02, 0.02, 0.1]
