"""Evidence of gaps between groups: blocks with equal rows of both, which do not follow the shares of the groups."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import AlertRaised, PerformanceDegraded
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.vocabularies import AlertKind, StatisticName
from rondo.monitor.evidence.block_figures.figure_tests import with_figure
from rondo.monitor.evidence.block_figures.group_gaps import (
    OpenGap,
    Pair,
    PartsOfSlices,
    pairs_of,
    rates_of,
    rows_of_gap,
)
from rondo.monitor.evidence.component_sums import GAPS, SLICES
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.verdicts import verdicts
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.status.model_status import model_status

from tests.monitor.builders import SPEC
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import BINARY, MULTICLASS, REFERENCE_SECONDS, REGRESSION, Data, Stream, features

if TYPE_CHECKING:
    from collections.abc import Callable

PAIR, MINUTE = Pair("city", 1, 0, ("b", "a")), 60_000_000
Rates = tuple[float, float]
FAIR = ModelSpec.model_validate({**SPEC.model_dump(), "gates": {"fairness": {"by": "city", "max_gap": 0.5}}})
CHANGE, DAYS = 24, 40


def parts_of(rows: np.ndarray, sums: np.ndarray) -> PartsOfSlices:
    return PartsOfSlices(MINUTE * np.arange(rows.shape[1], dtype=np.int64), MINUTE, rows, sums[:, None, :])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 80), st.integers(1, 6))
def test_a_block_ends_when_both_groups_have_its_rows_however_the_parts_arrive(seed: int, block: int, cuts: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 30, (2, 120)) * rng.integers(0, 2, (2, 120))
    parts = parts_of(rows, rng.binomial(rows, 0.4))
    begun = OpenGap(PAIR, block, ("accuracy",))
    after, together = begun.take(parts, "one")
    apart, found = begun, []
    for first, end in pairwise(np.linspace(0, 120, cuts + 1).astype(int)):
        which = slice(first, end)
        mine = PartsOfSlices(parts.starts[which], MINUTE, rows[:, which], parts.sums[:, :, which])
        apart, complete = apart.take(mine, "one")
        found += complete
    assert (apart, found) == (after, together)
    assert min(after.rows) < block
    for each in together:
        within = (parts.starts >= each.start) & (parts.starts < each.end)
        assert min(rows[:, within].sum(axis=1)) >= block
        assert min(rows[:, within][:, :-1].sum(axis=1)) < block
        assert abs(each.gaps["accuracy"] * block - round(each.gaps["accuracy"] * block)) < 1e-9
    assert all(a.end <= b.start for a, b in pairwise(together))


def test_a_gap_is_the_rate_of_the_first_group_less_that_of_the_second() -> None:
    rows = np.array([[10, 50, 0], [40, 60, 20]])
    sums = np.array([[0, 0, 0], [40, 60, 20]])
    after, (block,) = OpenGap(PAIR, 60, ("accuracy",)).take(parts_of(rows, sums), "one")
    assert (block.gaps, block.start, block.end) == ({"accuracy": 1.0}, 0, 2 * MINUTE)
    assert (after.start, after.rows) == (2 * MINUTE, (20, 0))


def first_alarm(
    seed: int, share: Callable[[float], float], rates: Callable[[float], Rates], level: float
) -> float | None:
    """Return when the evidence reaches 1 / level, as a part of a stream of 1,500 parts of 20 rows. None if never."""
    rng = np.random.default_rng(seed)
    at = np.arange(1_500) / 1_500
    shares = np.array([share(t) for t in at])
    rows = np.stack([rng.binomial(20, shares), rng.binomial(20, 1 - shares)])
    sums = rng.binomial(rows, np.array([rates(t) for t in at]).T)
    _, blocks = OpenGap(PAIR, 64, ("accuracy",)).take(parts_of(rows, sums), f"{seed}")
    state = None
    for each in blocks:
        state = with_figure(state, f"counter/{seed}", each.gaps["accuracy"], each.span)
        if state.evidence[0] >= np.log(1 / level):
            return each.end / MINUTE / 1_500
    return None


def steady(_: float) -> Rates:
    return 0.5, 0.3


def both(t: float) -> Rates:
    return (0.7, 0.5) if t > 0.5 else (0.5, 0.3)


def opens(t: float) -> Rates:
    return (0.5, 0.15) if t > 0.5 else (0.5, 0.3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "rates"),
    [(0.5, steady), (0.1, steady), (0.9, steady), (0.3, both)],
    ids=["equal shares", "a group becomes rare", "a group becomes frequent", "both rates rise"],
)
def test_shares_that_change_raise_no_alarm_where_the_gap_stays(share: float, rates: Callable[[float], Rates]) -> None:
    """The stated rate is 10%. Even if each stream alarms with that probability, 10 or more of 50 do in 2% of cases."""
    found = [first_alarm(seed, lambda t: share if t > 0.5 else 0.5, rates, 0.1) for seed in range(50)]
    assert sum(each is not None for each in found) < 10


@pytest.mark.slow
def test_a_gap_that_opens_is_found_while_the_shares_change() -> None:
    found = [first_alarm(seed, lambda t: 0.25 if t > 0.5 else 0.5, opens, 0.001) for seed in range(20)]
    assert sum(each is not None and each > 0.5 for each in found) >= 18


def outcomes_of(rng: np.random.Generator, data: Data, skill: float = 1.0) -> np.ndarray:
    del skill
    return BINARY.outcomes(rng, data)


def rows_of(rng: np.random.Generator, count: int, shift: float = 0.0) -> Data:
    """Return rows of which city c is selected less often once `shift` is set. The scores of others rise a little."""
    data = features(rng, count)
    score = 1 / (1 + np.exp(-data["x"] - np.where(data["city"] == "c", -shift, 0.12 * shift)))
    return {**data, "score": score.astype(np.float32)}


STREAM = Stream(BINARY.task, rows_of, outcomes_of)


def scenario(spec: ModelSpec) -> DailyScenario:
    reference = Reference.of(STREAM.profile_of(10_000, REFERENCE_SECONDS / 5, slices=True), "one")
    found = DailyScenario(spec, stream=STREAM, given=reference)
    for day in range(DAYS):
        found.day(day, shift=1.2 if day >= CHANGE else 0.0)
        found.close()
        if day in (3, CHANGE + 2):
            found.restart()
    return found


@pytest.mark.medium
def test_a_gap_that_opens_is_an_alert_with_the_groups_and_no_finding() -> None:
    seen = scenario(FAIR)
    (alert,) = (each for each in seen.all(AlertRaised) if each.kind == AlertKind.FAIRNESS)
    assert "city selection rate gap of c against a" in alert.detail
    assert "gates.fairness" in alert.detail
    assert seen.state.open_alerts[AlertKind.FAIRNESS] == alert.alert_id
    assert not seen.all(PerformanceDegraded)
    status = model_status(seen.state, FAIR, seen.reference)
    changed = [each for each in status.columns if each.changed and each.group == GAPS]
    assert ("city", "c against a, selection rate") in [(each.column, each.value) for each in changed]
    (figure,) = next(each.statistics for each in changed if each.value == "c against a, selection rate")
    assert figure.statistic == StatisticName.SELECTION_RATE_GAP
    assert figure.reference is not None
    assert figure.value < figure.reference - 0.1
    since = next(each.since for each in changed if each.value == "c against a, selection rate")
    assert since is not None
    assert CHANGE - 3 <= (since - since.replace(month=1, day=1, hour=0, minute=0)).days <= CHANGE + 4
    seen.state.apply_spec(SPEC)
    for day in (DAYS, DAYS + 1):
        seen.day(day, shift=1.2)
        seen.close()
    assert AlertKind.FAIRNESS not in seen.state.open_alerts


def test_gaps_have_half_of_the_part_of_the_slices_from_the_first_window_on() -> None:
    seen = DailyScenario(FAIR, stream=STREAM, given=Reference.of(STREAM.profile_of(5_000, 86_400, slices=True), "one"))
    for day in range(3):
        seen.day(day)
    seen.close()
    evidence = seen.state.evidence.versions[1]
    assert np.exp(evidence.threshold(SLICES, 0.01)) == pytest.approx(3 * 2 * 2 * 3 / 0.01)
    assert np.exp(evidence.threshold("loss", 0.01)) == pytest.approx(3 * 2 * evidence.count("loss") / 0.01)
    assert np.exp(evidence.threshold(GAPS, 0.01)) == pytest.approx(3 * 2 * 2 * 4 / 0.01)
    assert {each.value for each in verdicts(evidence, 0.01, [GAPS])} <= {
        f"{city} against a, {rate}" for city in "bc" for rate in ("selection rate", "accuracy")
    }


def test_losses_without_slices_have_half_of_their_part_beside_gaps() -> None:
    profile = BINARY.profile.model_copy(
        update={"slices": [each.model_copy(update={"loss": None}) for each in BINARY.profile.slices]}
    )
    evidence, reference = VersionEvidence.of("one", profile), Reference.of(profile, "one")
    evidence.watch_gaps("city")
    slices, rates = len(profile.slices), len(reference.rates)
    rows, sums = np.zeros((slices, 1), np.int64), np.zeros((slices, rates, 1), np.int64)
    evidence.take_gaps(reference, PartsOfSlices(np.zeros(1, np.int64), MINUTE, rows, sums))
    assert evidence.count(SLICES) == 0
    losses = np.exp(-evidence.threshold("loss", 0.03)) * evidence.count("loss")
    gaps = evidence._level(GAPS, 0.03)
    assert losses + gaps <= 0.03 / 3 + 1e-12
    assert losses == pytest.approx(0.005)


def test_without_fairness_in_the_spec_no_gap_is_evidence() -> None:
    seen = DailyScenario(stream=STREAM, given=Reference.of(STREAM.profile_of(5_000, 86_400, slices=True), "one"))
    for day in range(3):
        seen.day(day)
    seen.close()
    assert seen.state.evidence.versions[1].count(GAPS) == 0
    assert np.exp(seen.state.evidence.versions[1].threshold(SLICES, 0.01)) == pytest.approx(3 * 2 * 3 / 0.01)


def test_groups_are_paired_with_the_largest_one_and_a_block_is_long_enough_for_correlated_predictions() -> None:
    profile = BINARY.profile
    assert [(each.groups, each.first, each.second) for each in pairs_of(profile, "city")] == [
        ("b against a", 1, 0),
        ("c against a", 2, 0),
    ]
    assert pairs_of(profile, None) == ()
    assert pairs_of(profile, "x") == ()
    assert 64 <= rows_of_gap(profile) < 200
    assert profile.loss is not None
    slow = profile.model_copy(update={"loss": profile.loss.model_copy(update={"autocorrelation_rows": 100.0})})
    assert rows_of_gap(slow) == 500


def test_the_rates_are_those_of_the_task() -> None:
    assert rates_of(BINARY.reference.task) == ("predicted_positive", "accuracy")
    assert rates_of(MULTICLASS.reference.task) == ("accuracy",)
    assert rates_of(REGRESSION.reference.task) == ()
