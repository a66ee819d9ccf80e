"""The evidence of users' detectors: blocks of equal rows, and ranks of whatever a detector returns."""

from __future__ import annotations

import math
from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rondo.chassis.profiles.binning import ColumnBins
from rondo.monitor.evidence.block_figures.count_blocks import (
    CountBlock,
    CountBlocks,
    OpenCountBlock,
    kept_rows,
    rows_of_block,
)
from rondo.monitor.evidence.block_figures.figure_tests import BLOCKS_OF_REFERENCE, detector_of, figure_component
from rondo.monitor.evidence.component_sums import DETECTORS, Component
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.evidence.open_buckets import BucketArrays
from rondo.monitor.evidence.verdicts import verdicts
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.state.evidence_codec import decode_evidence, encode_evidence
from scipy.signal import lfilter

from tests.monitor.builders import REFERENCE

ENTROPY, OTHER = "own.detectors:Entropy", "own:Other"
RATE, ROWS, MINUTE = 0.01, 64, 60_000_000


def begun(*detectors: str) -> VersionEvidence:
    evidence = VersionEvidence.of("one", REFERENCE.profile)
    evidence.name_detectors(detectors)
    return evidence


def block(number: int) -> CountBlock:
    return CountBlock(("x",), ROWS, number * MINUTE, (number + 1) * MINUTE, np.zeros(1, np.int64))


def take(evidence: VersionEvidence, figures: list[float], first: int = 0, detector: str = ENTROPY) -> None:
    for number, figure in enumerate(figures, first):
        evidence.take_figures("one", detector, {("x", ""): figure}, block(number))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=40), st.integers(1, 100), st.integers(1, 5))
def test_blocks_have_all_rows_once_and_do_not_depend_on_how_the_buckets_arrive(
    rows: list[int], least: int, parts: int
) -> None:
    counts = np.array([[each // 3, each - each // 3] for each in rows], np.int64)
    buckets = BucketArrays(MINUTE * np.arange(len(rows), dtype=np.int64), np.array(rows), counts)
    together, apart = (OpenCountBlock(("x",), least, np.zeros(2, np.int64)) for _ in range(2))
    found = together.take(buckets, MINUTE)
    bounds = np.linspace(0, len(rows), parts + 1).astype(int)
    again = [each for a, b in pairwise(bounds) for each in apart.take(buckets.at(slice(a, b)), MINUTE)]
    assert [(each.start, each.end, each.counts.tolist()) for each in found] == [
        (each.start, each.end, each.counts.tolist()) for each in again
    ]
    assert together.block == apart.block
    assert all(each.block <= each.counts.sum() <= 1.25 * each.block for each in found)
    assert together.rows == together.counts.sum() < together.block
    if together.block == least:
        assert sum(each.counts.sum() for each in found) + together.counts.sum() == sum(rows)
    else:
        assert max(rows) > least / 4
    assert all(a.end <= b.start for a, b in pairwise(found))


def correlated(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return normal values, each of which keeps .9 of the one before."""
    found = lfilter([1], [1, -0.9], rng.normal(size=count) * np.sqrt(1 - 0.9**2))
    return np.asarray(found)


def alarms_where_traffic_becomes(rows: int, rng: np.random.Generator, name: str) -> tuple[bool, int]:
    """Return whether unchanged correlated rows raise an alarm, and the rows of the last block.

    After 300 buckets of 20 rows, those of 60 blocks, buckets have `rows` rows.
    """
    of_bucket = np.array([20] * 300 + [rows] * 240, np.int64)
    bins = np.searchsorted(np.linspace(-1.5, 1.5, 9), correlated(int(of_bucket.sum()), rng))
    numbers = np.repeat(np.arange(len(of_bucket)), of_bucket)
    counts = np.bincount(numbers * 10 + bins, minlength=10 * len(of_bucket)).reshape(-1, 10)
    open_, evidence = OpenCountBlock(("x",), 100, np.zeros(10, np.int64)), begun(ENTROPY)
    buckets = BucketArrays(MINUTE * np.arange(len(of_bucket), dtype=np.int64), of_bucket, counts)
    column = ColumnBins("x", "x", 0, 10, None, None)
    for each in (complete := open_.take(buckets, MINUTE)):
        shares = kept_rows(each, [column], name)["x"] / each.block
        evidence.take_figures(name, ENTROPY, {("x", ""): float((shares**2).sum())}, each)
    return bool(list(evidence.alarms(RATE))), complete[-1].block


@pytest.mark.medium
@pytest.mark.parametrize("rows", [60, 300, 2_000])
def test_correlated_rows_raise_no_alarm_where_their_traffic_becomes_denser(rows: int) -> None:
    """A detector has a share of .25%, so one of 20 streams alarms in 5% of cases at most."""
    rng = np.random.default_rng(rows)
    found = [alarms_where_traffic_becomes(rows, rng, f"{stream}") for stream in range(20)]
    assert sum(alarmed for alarmed, _ in found) <= 1
    assert {block for _, block in found} == {{60: 400, 300: 1_600, 2_000: 12_800}[rows]}


def test_a_change_is_found_before_and_after_blocks_become_longer_and_the_first_one_is_kept() -> None:
    rng = np.random.default_rng(2)

    def figures(evidence: VersionEvidence, values: np.ndarray, first: int, rows: int) -> None:
        for number, value in enumerate(values.tolist(), first):
            evidence.take_figures("one", ENTROPY, {("x", ""): value}, block(number)._replace(block=rows))

    early, late = begun(ENTROPY), begun(ENTROPY)
    for evidence, shift in ((early, 3.0), (late, 0.0)):
        figures(evidence, rng.normal(size=40), 0, 64)
        figures(evidence, rng.normal(size=40) + shift, 40, 64)
        figures(evidence, rng.normal(size=40) + 50, 80, 256)
    (alarm,) = early.alarms(RATE)
    assert 35 * MINUTE <= alarm.change.since <= 45 * MINUTE
    assert alarm.change.rows > 35 * 64 + 39 * 256
    assert not list(late.alarms(RATE))
    (verdict,) = verdicts(late, RATE, [DETECTORS])
    assert verdict.block == 256
    assert verdict.judged
    again = decode_evidence(encode_evidence(ModelEvidence({1: late}))).versions[1]
    again.name_detectors((ENTROPY,))
    for each in (late, again):
        figures(each, np.random.default_rng(5).normal(54, 1, 40), 120, 256)
        (alarm,) = each.alarms(RATE)
        assert 115 * MINUTE <= alarm.change.since <= 125 * MINUTE


def test_a_detector_waits_for_the_reference_of_longer_blocks() -> None:
    evidence = begun(ENTROPY)
    take(evidence, np.random.default_rng(1).normal(size=80).tolist())
    assert verdicts(evidence, RATE, [DETECTORS])[0].judged
    evidence.take_figures("one", ENTROPY, {("x", ""): 1.0}, block(80)._replace(block=128))
    (verdict,) = verdicts(evidence, RATE, [DETECTORS])
    assert not verdict.judged
    assert (BLOCKS_OF_REFERENCE - 1) * 128 < verdict.missing < 50 * 128


def test_a_sample_has_the_rows_of_the_block_and_is_the_same_again() -> None:
    counts = np.zeros(REFERENCE.binning.size, np.int64)
    for column in REFERENCE.binning.columns:
        counts[column.offset] = 300
        counts[column.offset + 1] = 700
    found = [kept_rows(CountBlock(("x", "city"), 80, 5, 6, counts), REFERENCE.binning.columns, "one") for _ in range(2)]
    assert set(found[0]) == {"x", "city"}
    for name, sample in found[0].items():
        assert sample.sum() == 80
        assert 5 < sample[0] < 50
        assert np.array_equal(sample, found[1][name])


def test_a_block_is_as_long_as_the_column_needs_and_a_long_reference_has_no_shorter_ones() -> None:
    assert rows_of_block(500, 10_000) == 500
    assert rows_of_block(32, 1_000) == 64
    assert rows_of_block(32, 1_000_000) == 5_000


def test_each_group_has_a_quarter_and_detectors_and_columns_divide_theirs() -> None:
    evidence = begun(ENTROPY, OTHER)
    without = begun()
    take(evidence, [1.0, 2.0])
    for key in ("a", "b", "c"):
        evidence.take_figures("one", OTHER, {("x", "a"): 1.0, ("x", "b"): 1.0, ("x", "c"): 2.0}, block(ord(key)))
    found = {family: math.exp(each) for family, each in evidence.thresholds(RATE).items()}
    columns = len(REFERENCE.binning.columns)
    assert found[f"{ENTROPY} x"] == pytest.approx(4 * 2 * columns / RATE)
    assert found[f"{OTHER} x"] == pytest.approx(4 * 2 * columns * 3 / RATE)
    assert found["loss"] == pytest.approx(4 * evidence.count("loss") / RATE)
    assert math.exp(without.threshold("loss", RATE)) == pytest.approx(3 * without.count("loss") / RATE)


def test_the_figures_of_another_column_change_no_threshold_and_end_no_alarm() -> None:
    evidence, rng = begun(ENTROPY), np.random.default_rng(1)
    take(evidence, [*rng.normal(size=40), *rng.normal(4, size=20)])
    (before,) = evidence.alarms(RATE)
    evidence.take_figures("one", ENTROPY, {("city", key): 1.0 for key in "abcdefghij"}, block(60))
    assert [(each.component, each.threshold) for each in evidence.alarms(RATE)] == [
        (before.component, before.threshold)
    ]
    parts = [math.exp(-each) for key, each in evidence.thresholds(RATE).items() if key.startswith(ENTROPY)]
    assert len(parts) == 2
    columns = len(REFERENCE.binning.columns)
    assert parts == pytest.approx([RATE / 4 / columns, RATE / 4 / columns / 10])


def test_the_figures_of_many_columns_are_taken_in_little_time() -> None:
    evidence, rng, names = begun(ENTROPY), np.random.default_rng(1), [f"column {at}" for at in range(500)]
    compared = 0

    def equal(one: Component, other: object) -> bool:
        nonlocal compared
        compared += 1
        return isinstance(other, Component) and astuple(one) == astuple(other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Component, "__eq__", equal)
        for number in range(3):
            evidence.take_figures("one", ENTROPY, {(name, ""): rng.normal() for name in names}, block(number))
    assert evidence.count(DETECTORS) == len(names)
    assert compared < 10 * len(names)


@pytest.mark.parametrize("scale", [1e-9, 1.0, -1e200])
def test_a_change_of_a_figure_of_any_size_is_found_with_its_begin(scale: float) -> None:
    evidence, rng = begun(ENTROPY), np.random.default_rng(3)
    figures = scale * np.exp(rng.normal(size=100))
    take(evidence, figures.tolist())
    assert not list(evidence.alarms(RATE))
    take(evidence, (5 * scale * np.exp(rng.normal(size=40))).tolist(), 100)
    (alarm,) = evidence.alarms(RATE)
    assert (alarm.component.column, alarm.component.statistic, alarm.component.category) == ("x", "Entropy", None)
    assert 85 * MINUTE <= alarm.change.since <= 115 * MINUTE
    assert alarm.change.rows >= 25 * ROWS
    before, after = (alarm.component.reported(each) for each in (alarm.change.before, alarm.change.after))
    assert 0.7 < before / scale < 2.2
    assert 2.5 < after / scale < 11


def figures_of(kind: str, rng: np.random.Generator) -> list[float]:
    """Return 300 figures that are exchangeable, of any distribution."""
    match kind:
        case "always equal":
            return [0.0] * 300
        case "heavy-tailed":
            return rng.standard_cauchy(300).tolist()
        case "mostly zero":
            return np.where(rng.random(300) < 0.03, 1e9, 0.0).tolist()
        case "few values":
            return rng.integers(0, 3, 300).astype(float).tolist()
        case _:
            return np.exp(30 * rng.normal(size=300)).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["always equal", "heavy-tailed", "mostly zero", "few values", "huge"])
def test_whatever_a_detector_returns_it_alarms_no_more_often_than_its_share(kind: str) -> None:
    """At a rate of 80% a detector has a share of 20%.

    Even if each stream alarms with that probability, 20 or more of 60 alarm in 1% of cases.
    """
    rng, alarmed = np.random.default_rng(8), 0
    for stream in range(60):
        evidence = VersionEvidence.of(f"{stream}", REFERENCE.profile)
        evidence.name_detectors((ENTROPY,))
        for number, figure in enumerate(figures_of(kind, rng)):
            evidence.take_figures(f"{stream}", ENTROPY, {("x", ""): figure}, block(number))
        alarmed += bool(list(evidence.alarms(0.8, [DETECTORS])))
    assert alarmed < 20


def test_figures_that_appear_later_are_not_watched_and_missing_ones_are_left_out() -> None:
    evidence = begun(ENTROPY)
    evidence.take_figures("one", ENTROPY, {("x", "a"): 1.0, ("x", "b"): 1.0}, block(0))
    evidence.take_figures("one", ENTROPY, {("x", "a"): 1.0, ("x", "late"): 1.0}, block(1))
    evidence.take_figures("one", ENTROPY, {("city", ""): 1.0}, block(2))
    found = {(each.column, each.value): each.rows for each in verdicts(evidence, RATE, [DETECTORS])}
    assert found == {("x", f"{ENTROPY}.a"): 2 * ROWS, ("x", f"{ENTROPY}.b"): ROWS, ("city", ENTROPY): ROWS}


def test_a_detector_is_judged_after_its_first_blocks_and_those_that_an_alarm_needs() -> None:
    evidence = begun(ENTROPY)
    take(evidence, [1.0])
    (first,) = verdicts(evidence, RATE, [DETECTORS])
    assert not first.judged
    assert BLOCKS_OF_REFERENCE * ROWS < first.needed < 40 * ROWS
    take(evidence, np.random.default_rng(1).normal(size=first.needed // ROWS).tolist(), 1)
    (later,) = verdicts(evidence, RATE, [DETECTORS])
    assert later.judged
    assert later.needed == first.needed


def test_a_restart_continues_the_evidence_and_the_blocks() -> None:
    rng = np.random.default_rng(4)
    model = ModelEvidence({1: begun(ENTROPY)})
    model.versions[1].blocks = CountBlocks([OpenCountBlock(("x",), 64, np.arange(5), 7, 10)], [block(8)])
    take(model.versions[1], rng.normal(size=30).tolist())
    again = decode_evidence(encode_evidence(model))
    again.name_detectors((ENTROPY,))
    for each in (model, again):
        take(each.versions[1], np.random.default_rng(5).normal(4, 1, 30).tolist(), 30)
    assert encode_evidence(again).equals(encode_evidence(model))
    assert list(again.versions[1].alarms(RATE)) == list(model.versions[1].alarms(RATE))
    assert len(list(again.versions[1].alarms(RATE))) == 1


def test_a_detector_that_the_spec_no_longer_names_leaves_nothing() -> None:
    evidence = begun(ENTROPY, OTHER)
    take(evidence, [1.0])
    take(evidence, [1.0], detector=OTHER)
    evidence.name_detectors((OTHER,))
    assert {each.detector for each in evidence.watched if each.group == DETECTORS} == {OTHER}
    evidence.name_detectors(())
    assert encode_evidence(ModelEvidence({1: evidence})).equals(encode_evidence(ModelEvidence({1: begun()})))


def test_the_detector_of_a_figure_follows_from_its_component() -> None:
    assert detector_of(figure_component(ENTROPY, "x", "")) == ENTROPY
    assert detector_of(figure_component(ENTROPY, "x", "a.b:c")) == ENTROPY
    assert figure_component(ENTROPY, "x", "a.b:c").statistic == "Entropy.a.b:c"
