"""The e-detector: without a change the mean number of rows until an alarm is at least the run length of the spec."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DriftDetected
from rondo.contracts.spec.policy import LEAST_RUN_LENGTH
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.likelihood_ratios import normal_bets
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.evidence.staged_test import MOST_LIVE_BLOCKS, Buckets, StagedTest
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.report.page import report_page
from rondo.monitor.state.evidence_codec import decode_evidence, encode_evidence
from rondo.monitor.status.model_status import model_status, summary

from tests.monitor.builders import PROFILE, REFERENCE, SPEC, spec
from tests.monitor.evidence.buckets import MINUTE
from tests.monitor.scenarios import DailyScenario

BLOCK, RUN_LENGTH = 32, 1_000_000
BY_RUN_LENGTH = spec(run_length=RUN_LENGTH)


def begun(means: np.ndarray, *, normal: bool = False, one_sided: bool = False) -> BlockTest:
    flags = np.full(len(means), normal)
    return BlockTest.of("v", means, flags, one_sided=one_sided, run_length=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.booleans())
def test_the_evidence_is_a_part_of_the_sum_of_the_bets_on_all_starts(seed: int, live: int, one_sided: bool) -> None:  # noqa: FBT001
    blocks = np.random.default_rng(seed).standard_normal((3, 20 + live))
    test = begun(blocks[:, :20], one_sided=one_sided).with_blocks(blocks[:, 20:])
    sums = np.cumsum(test.scores[:, ::-1], axis=1)
    all_starts = np.logaddexp.reduce(normal_bets(sums, np.arange(1, live + 1), one_sided=one_sided), axis=1)
    newest = normal_bets(sums[:, :1], np.array([1]), one_sided=one_sided)[:, 0]
    assert (test.evidence() <= all_starts + 1e-9).all()
    assert (test.evidence() >= newest - 1e-9).all()


@pytest.mark.parametrize("kind", ["ranks of skewed means", "means", "one-sided ranks"])
def test_within_n_blocks_a_sum_reaches_c_with_probability_n_by_c_at_most(kind: str) -> None:
    """300 streams of 250 blocks after 50 of the reference, looked at after each block."""
    streams, rng, largest = 300, np.random.default_rng(5), np.full(300, -np.inf)
    is_normal = kind == "means"
    blocks = rng.standard_normal((streams, 300)) if is_normal else rng.gamma(0.5, size=(streams, 300))
    test = begun(blocks[:, :50], normal=is_normal, one_sided=kind.startswith("one"))
    for at in range(50, 300):
        test = test.with_blocks(blocks[:, at : at + 1])
        largest = np.maximum(largest, test.evidence())
    for bound in (1_000, 2_500, 10_000):
        # A binomial number is above the expected one plus three standard deviations in 0.1% of cases.
        allowed = streams * 250 / bound
        assert (largest >= np.log(bound)).sum() <= allowed + 3 * np.sqrt(allowed) + 1


def test_a_stage_keeps_the_changes_that_any_run_length_may_report_alone() -> None:
    """Without a change the evidence of most components is above log 3, and a change is slow to estimate."""
    rng, components = np.random.default_rng(0), 40
    test = StagedTest(begun(rng.standard_normal((components, 9))), BLOCK)
    values = rng.standard_normal((MOST_LIVE_BLOCKS, components))
    values[500:, 0] += 3
    rows = np.full(MOST_LIVE_BLOCKS, BLOCK)
    test.take(Buckets(MINUTE * np.arange(MOST_LIVE_BLOCKS), rows, BLOCK * values, MINUTE))
    assert 0 in test.earlier
    assert (test.stage, test.evidence[0] > np.log(12 * LEAST_RUN_LENGTH)) == (2, True)
    assert np.median(test.evidence) > np.log(3)
    assert set(test.earlier) == set(np.flatnonzero(test.evidence >= np.log(12 * LEAST_RUN_LENGTH)).tolist())
    assert len(test.earlier) < components / 2


def test_a_late_change_needs_no_more_blocks_than_an_early_one() -> None:
    """Bets on later starts have smaller weights by level."""

    def blocks_until(bound: float, live: int, seed: int, *, run_length: bool) -> int:
        rng = np.random.default_rng(seed)
        means = rng.standard_normal((1, 50 + live))
        test = BlockTest.of("v", means[:, :50], np.ones(1, np.bool_), one_sided=False, run_length=run_length)
        test = test.with_blocks(means[:, 50:])
        for count in range(1, 60):
            test = test.with_blocks(rng.standard_normal((1, 1)) + 2)
            if test.evidence()[0] >= np.log(bound):
                return count
        return 60

    seeds = range(12)
    early, late = (sum(blocks_until(30_000, live, seed, run_length=True) for seed in seeds) for live in (50, 800))
    level = sum(blocks_until(30_000, 800, seed, run_length=False) for seed in seeds)
    assert late <= 1.1 * early
    assert late < 0.8 * level


def take(test: StagedTest, rng: np.random.Generator, first: int, count: int, shift: float = 0.0) -> None:
    rows = np.full(count, BLOCK)
    sums = BLOCK * (rng.standard_normal((count, 1)) + shift)
    assert test.take(Buckets(MINUTE * np.arange(first, first + count, dtype=np.int64), rows, sums, MINUTE)) is None


def test_further_stages_count_rows_and_find_a_change() -> None:
    rng = np.random.default_rng(2)
    test = StagedTest(begun(rng.standard_normal((1, 40)), normal=True), BLOCK)
    take(test, rng, 0, MOST_LIVE_BLOCKS + 500)
    assert (test.stage, test.block) == (2, 2 * BLOCK)
    assert test.share == pytest.approx(-np.log(2 * BLOCK))
    before = test.evidence[0]
    assert before < np.log(BLOCK * 100_000)
    take(test, rng, MOST_LIVE_BLOCKS + 500, 60, shift=1.5)
    assert test.evidence[0] > np.log(RUN_LENGTH * 1_000)


def test_the_threshold_is_four_run_lengths_for_each_figure_and_share() -> None:
    evidence = VersionEvidence.of("one", PROFILE, run_length=True)
    rate = BY_RUN_LENGTH.monitor.evidence_rate
    for group in ("inputs", "outputs", "loss"):
        assert np.exp(evidence.threshold(group, rate)) == pytest.approx(4 * RUN_LENGTH * 3 * evidence.count(group))
    assert SPEC.monitor.evidence_rate == SPEC.monitor.false_alarm_rate


def scenario(days: int, change: int) -> DailyScenario:
    found = DailyScenario(BY_RUN_LENGTH)
    for day in range(days):
        found.day(day, shift=0.5 if day >= change else 0.0)
        found.close()
        if day == change:
            found.restart()
    return found


@pytest.mark.medium
def test_a_change_is_a_finding_and_the_status_has_the_run_length() -> None:
    seen = scenario(10, 5)
    finding = seen.all(DriftDetected)[0]
    assert "x" in {each.feature for each in finding.statistics}
    assert finding.since_latest is not None
    assert 4 <= finding.since_latest.day - 1 <= 7
    for each in finding.statistics:
        assert each.e_value is not None
        assert each.e_threshold is not None
        assert each.e_value >= each.e_threshold > 4 * RUN_LENGTH
    assert [each.kind for each in seen.all(AlertRaised)][:1] == ["drift"]
    status = model_status(seen.state, BY_RUN_LENGTH, REFERENCE)
    assert (status.run_length, status.verdict.state) == (RUN_LENGTH, "changed")
    assert "1,000,000 rows" in report_page(status, ())
    assert summary(seen.state, BY_RUN_LENGTH, REFERENCE).strength is None


@pytest.mark.medium
def test_another_kind_of_rate_begins_the_evidence_again_and_ends_the_alerts() -> None:
    seen = scenario(10, 5)
    evidence, open_alerts = seen.state.evidence, set(seen.state.open_alerts.values())
    assert evidence.versions
    assert open_alerts
    ended = seen.state.apply_spec(SPEC)
    assert {each.event.alert_id for each in ended if isinstance(each.event, AlertResolved)} == open_alerts
    assert evidence.versions == {}
    assert seen.state.apply_spec(SPEC) == []
    seen.spec = SPEC
    seen.day(10, shift=0.5)
    seen.close()
    assert not seen.state.evidence.versions[1].run_length


def test_a_restart_keeps_the_form_of_the_evidence() -> None:
    evidence = ModelEvidence(run_length=True)
    evidence.of(1, REFERENCE)
    again = decode_evidence(encode_evidence(evidence))
    assert again.run_length
    assert again.versions[1].run_length
    assert encode_evidence(again).equals(encode_evidence(evidence))
    assert not again.begin_by(run_length=True)
