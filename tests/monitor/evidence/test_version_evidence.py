"""The tests of a version: the watched columns, the shares of the false-alarm rate, and the alarms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.training_evidence import ReferenceBlocks, ReferenceProfile, UnknownProfile
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.component_sums import Component
from rondo.monitor.evidence.component_tests.watched import Watched
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets, StagedTest
from rondo.monitor.evidence.stretches import Learning
from rondo.monitor.evidence.verdicts import verdicts
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.evidence.window_lengths import Lengths
from rondo.monitor.state.evidence_codec import decode_evidence, encode_evidence

from tests.monitor.evidence.buckets import MINUTE, buckets_of, live
from tests.monitor.streams import BINARY, MULTICLASS, STREAMS, Stream

PROFILE = BINARY.profile
X, CITY = ["level", "spread", "missing"], ["share of a", "share of b", "share of c"]
INPUTS = [("x", name) for name in X] + [("city", name) for name in (*CITY, "unseen", "missing")]
RATE = 0.01


def changed(profile: ReferenceProfile = PROFILE, **update: object) -> ReferenceProfile:
    return profile.model_copy(update=update)


def begun(profile: ReferenceProfile = PROFILE) -> VersionEvidence:
    return VersionEvidence.of("digest", profile)


def watched(evidence: VersionEvidence, group: str) -> list[tuple[str | None, str]]:
    return [(c.column, c.name) for each in evidence.watched if each.group == group for c in each.components]


def test_columns_with_the_same_length_of_blocks_share_a_test() -> None:
    evidence = begun()
    assert [each.group for each in evidence.watched] == ["inputs", "outputs", "loss"]
    assert watched(evidence, "inputs") == INPUTS
    assert watched(evidence, "outputs") == [("output.score", name) for name in X]
    assert watched(evidence, "loss") == [(None, "loss")]
    blocks = PROFILE.feature_blocks
    assert blocks is not None
    slow = {**blocks.columns, "city": blocks.columns["city"].model_copy(update={"autocorrelation_rows": 100.0})}
    apart = begun(changed(feature_blocks=ReferenceBlocks(rows=blocks.rows, columns=slow)))
    assert [len(each.components) for each in apart.watched if each.group == "inputs"] == [3, 5]
    assert watched(apart, "inputs") == INPUTS


@pytest.mark.parametrize(("stream", "loss"), [(BINARY, 0.0), (MULTICLASS, 1.0)], ids=["log loss", "0 or 1"])
def test_the_resolution_of_a_mean_is_what_one_row_of_the_reference_can_change(stream: Stream, loss: float) -> None:
    found: dict[str, set[float]] = {}
    for each in begun(stream.profile).watched:
        assert isinstance(each.state, StagedTest)
        for component, resolution in zip(each.components, each.state.test.resolution.tolist(), strict=True):
            found.setdefault(component.name, set()).add(round(resolution * each.state.block, 9))
    assert found["loss"] == {loss}
    assert all(found[name] == {1.0} for name in found if name not in ("level", "spread", "loss"))
    assert min(found["level"] | found["spread"]) > 1.0


def test_each_group_has_a_third_of_the_rate_shared_by_its_components() -> None:
    evidence = begun()
    shares = [(evidence.count("inputs"), 8), (evidence.count("outputs"), 3), (evidence.count("loss"), 1)]
    assert all(count == expected for count, expected in shares)
    found = [np.exp(evidence.threshold(group, RATE)) for group in ("inputs", "outputs", "loss")]
    assert found == [pytest.approx(3 * 8 / RATE), pytest.approx(3 * 3 / RATE), pytest.approx(3 / RATE)]
    spent = sum(count / found for (count, _), found in zip(shares, found, strict=True))
    assert spent == pytest.approx(RATE)


def test_where_components_alarm_the_others_of_their_group_need_less() -> None:
    evidence = begun()
    (inputs,) = [each for each in evidence.watched if each.group == "inputs"]
    inputs.state.evidence[:] = np.log(3 * 8 / RATE) - 0.2
    assert list(evidence.alarms(RATE)) == []
    inputs.state.evidence[0] += 0.2
    assert len({alarm.component for alarm in evidence.alarms(RATE)}) == 8
    # All 8 are named: each needs the sum of 1/k up to 8 times the evidence that a single one needs.
    (threshold,) = {alarm.threshold for alarm in evidence.alarms(RATE)}
    assert np.exp(threshold) == pytest.approx(3 * 2.717857 / RATE)
    assert np.exp(evidence.threshold("loss", RATE)) == pytest.approx(3 / RATE), "each group decides for itself"


def test_a_column_of_an_unknown_profile_is_not_watched_and_the_sums_of_others_stay_theirs() -> None:
    profile = changed(features={"x": UnknownProfile(kind="new"), "city": PROFILE.features["city"]})
    evidence, reference = begun(profile), Reference.of(profile)
    assert {column for column, _ in watched(evidence, "inputs")} == {"city"}
    assert evidence.count("inputs") == 5
    counts = np.zeros((1, reference.binning.size), np.int64)
    (city,) = [column for column in reference.binning.columns if column.name == "city"]
    city.of(counts[0])[:] = [6, 3, 1, 0, 2]
    sums = reference.components.sums("inputs", counts)
    places = [component.at for each in evidence.watched if each.group == "inputs" for component in each.components]
    assert sums[0, places].tolist() == [6, 3, 1, 0, 2]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("update", "groups"),
    [
        ({"feature_blocks": None}, {"outputs", "loss"}),
        ({"output_blocks": None}, {"inputs", "loss"}),
        ({"loss": None}, {"inputs", "outputs"}),
        ({"feature_blocks": None, "output_blocks": None, "loss": None}, set()),
    ],
)
def test_what_has_no_blocks_is_not_watched(update: dict[str, Any], groups: set[str]) -> None:
    evidence = begun(changed(**update))
    assert {each.group for each in evidence.watched} == groups
    assert (evidence.suspicion is None) == ("loss" not in groups)
    for group, buckets in live(BINARY, 2_000, shift=3.0).items():
        evidence.take(group, buckets)
    # The scores of this stream do not follow the shift.
    assert {alarm.component.group for alarm in evidence.alarms(RATE)} == groups & {"inputs"}


def test_a_column_whose_blocks_lack_a_component_is_not_watched() -> None:
    """The release of the trainer did not have the component yet."""
    blocks = PROFILE.feature_blocks
    assert blocks is not None
    columns = dict(blocks.columns)
    columns["x"] = columns["x"].model_copy(update={"means": {"level": columns["x"].means["level"]}})
    evidence = begun(changed(feature_blocks=ReferenceBlocks(rows=blocks.rows, columns=columns)))
    assert {column for column, _ in watched(evidence, "inputs")} == {"city"}
    assert [component.at for component in evidence.watched[0].components] == [3, 4, 5, 6, 7]


def test_a_column_whose_reference_is_too_short_is_learned_while_the_others_are_tested() -> None:
    blocks = PROFILE.feature_blocks
    assert blocks is not None
    slow = {**blocks.columns, "x": blocks.columns["x"].model_copy(update={"autocorrelation_rows": 5_000.0})}
    evidence = begun(changed(feature_blocks=ReferenceBlocks(rows=blocks.rows, columns=slow)))
    kinds = {each.components[0].column: type(each.state) for each in evidence.watched if each.group == "inputs"}
    assert kinds == {"x": Learning, "city": StagedTest}
    assert evidence.count("inputs") == 8, "the rate is shared by what will be tested, too"


@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
@pytest.mark.medium
def test_a_shift_alarms_and_the_strongest_evidence_comes_first(stream: Stream) -> None:
    evidence = begun(stream.profile)
    for group, buckets in live(stream, 3_000).items():
        evidence.take(group, buckets)
    assert list(evidence.alarms(RATE)) == []
    for group, buckets in live(stream, 3_000, shift=1.0, seed=4, first=300).items():
        evidence.take(group, buckets)
    found = list(evidence.alarms(RATE, ["inputs"]))
    assert {alarm.component.column for alarm in found} == {"x"}
    assert [alarm.evidence for alarm in found] == sorted((alarm.evidence for alarm in found), reverse=True)
    assert all(alarm.evidence >= alarm.threshold for alarm in found)
    level = next(alarm for alarm in found if alarm.component.name == "level")
    # A block has a hundred rows.
    assert abs(level.change.since - 300 * MINUTE) <= 20 * MINUTE
    assert (abs(level.change.before) < 0.1, level.change.after > 0.7, level.end) == (True, True, 600 * MINUTE)


def test_empty_buckets_are_skipped_and_what_is_taken_is_counted_by_group() -> None:
    evidence = begun()
    full = live(BINARY, 100)["inputs"]
    starts = np.concatenate((full.starts, full.starts[-1:] + MINUTE))
    with_empty = Buckets(
        starts, np.append(full.rows, 0), np.concatenate((full.sums, np.zeros((1, full.sums.shape[1])))), MINUTE
    )
    evidence.take("inputs", with_empty)
    assert (evidence.taken["inputs"].rows, evidence.taken["outputs"].rows) == (100, 0)
    assert (evidence.taken["inputs"].first, evidence.taken["inputs"].last) == (0, 10 * MINUTE)
    before = evidence.taken
    evidence.take("inputs", Buckets(starts[:1], np.zeros(1, np.int64), np.zeros((1, 8)), MINUTE))
    assert evidence.taken == before


def test_losses_feed_the_test_and_the_suspicion() -> None:
    """The reference has a mean loss of about 0.13."""
    evidence, model = begun(), ModelEvidence()
    model.versions[1] = evidence
    rows = np.full((1, 3_000), 0.6)
    buckets = buckets_of(rows, 10)
    model.take_losses(1, BINARY.reference, 0, MINUTE, buckets.rows, buckets.sums)
    (alarm,) = evidence.alarms(RATE)
    assert (alarm.component.statistic, alarm.component.column) == (StatisticName.LOSS, None)
    assert evidence.suspicion is not None
    assert evidence.suspicion.found is not None
    assert evidence.suspicion.found.since == 0
    assert evidence.taken["loss"].rows == 3_000


def test_the_rows_of_a_step_become_evidence_once_it_has_passed_in_the_order_of_buckets() -> None:
    """Steps of five minutes, of which the second has no row."""
    model, reference = ModelEvidence(), MULTICLASS.reference
    starts = MINUTE * np.array([0, 3, 11, 14, 15])
    counts = np.zeros((5, reference.binning.size), np.int64)
    model.open.add(1, starts, np.array([4, 1, 2, 2, 7]), counts)
    lengths = Lengths(5 * MINUTE, 5 * MINUTE, MINUTE)
    assert list(model.close(1, reference, 5 * MINUTE - 1, lengths)) == []
    assert list(model.close(1, reference, 16 * MINUTE, lengths)) == [(5 * MINUTE, True), (15 * MINUTE, True)]
    assert model.versions[1].taken["inputs"].rows == model.versions[1].taken["outputs"].rows == 9
    assert [key for key, _, _ in model.open] == [(1, 15 * MINUTE)]
    model.keep([2])
    assert model.known == set()


@pytest.mark.slow
@pytest.mark.parametrize("rows_of_bucket", [4, 300])
def test_steps_that_can_not_change_the_evidence_are_taken_together_and_nothing_comes_later(rows_of_bucket: int) -> None:
    """Steps have 10 buckets, windows 200. The shift begins after 3,000 buckets.

    A bucket of 300 rows fills several blocks.
    """
    reference, lengths, number = BINARY.reference, Lengths(200 * MINUTE, 10 * MINUTE, MINUTE), 4_000
    rng, starts, rows = np.random.default_rng(3), MINUTE * np.arange(number), np.full(number, rows_of_bucket)
    parts = [BINARY.rows(rng, count * rows_of_bucket, shift) for count, shift in ((3_000, 0.0), (1_000, 0.5))]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table = pa.table({
        "feature.x": columns["x"], "feature.city": columns["city"].tolist(), "output.score": columns["score"]
    })  # fmt: skip
    counts = reference.binning.count_groups(table, np.repeat(np.arange(number), rows_of_bucket), number)

    def closed(at_once: int) -> dict[int, tuple[list[float], int]]:
        model, found = ModelEvidence(), {}
        model.open.add(1, starts, rows, counts.copy())
        for upto in range(at_once, number + 1, at_once):
            for end, _ in model.close(1, reference, upto * MINUTE, lengths):
                evidence = model.versions[1]
                shown = np.concatenate([each.state.evidence for each in evidence.watched]).tolist()
                found[end] = (shown, evidence.taken["inputs"].rows)
        return found

    one_by_one, together = closed(10), closed(4_000)
    assert len(one_by_one) == 400
    assert all(one_by_one[end] == each for end, each in together.items())
    # Every change is found with the same step, and the same steps begin windows.
    changes = [
        end
        for end, before in zip(list(one_by_one)[1:], one_by_one, strict=False)
        if one_by_one[end][0] != one_by_one[before][0]
    ]
    assert {*changes, *(MINUTE * (10 + 200 * window) for window in range(20))} <= together.keys()
    assert max(one_by_one[4_000 * MINUTE][0]) > 20
    assert len(together) < (300 if rows_of_bucket == 4 else 401)


@pytest.mark.parametrize(
    ("name", "statistic", "category"),
    [
        ("level", StatisticName.LEVEL, None),
        ("spread", StatisticName.SPREAD, None),
        ("missing", StatisticName.MISSING, None),
        ("unseen", StatisticName.UNSEEN, None),
        ("share of oak", StatisticName.SHARE, "oak"),
        ("share of share of x", StatisticName.SHARE, "share of x"),
    ],
)
def test_a_component_is_a_statistic_and_perhaps_of_a_category(
    name: str, statistic: StatisticName, category: str | None
) -> None:
    component = Component("inputs", "city", name, 0)
    assert (component.statistic, component.category) == (statistic, category)


@pytest.mark.medium
def test_an_alarm_lasts_while_live_rows_extend_its_reference_and_after() -> None:
    """Ten blocks of a hundred rows are too few once a bucket has the rows of eight blocks."""
    profile = BINARY.profile_of(1_000, 86_400)
    evidence = begun(profile)
    shifted = live(BINARY, 2_000, shift=2.0)["inputs"]
    evidence.take("inputs", shifted)
    before = list(evidence.alarms(RATE, ["inputs"]))
    began = before[0].change
    states = []
    for part in range(12):
        rows = live(BINARY, 8_000, shift=2.0, seed=part)["inputs"]
        dense = Buckets(
            MINUTE * (200 + part) * np.ones(1, np.int64), rows.rows.sum(keepdims=True),
            rows.sums.sum(axis=0, keepdims=True), MINUTE,
        )  # fmt: skip
        evidence.take("inputs", dense)
        after = list(evidence.alarms(RATE, ["inputs"]))
        assert {alarm.component for alarm in after} >= {alarm.component for alarm in before}
        found = next(alarm for alarm in after if alarm.component == before[0].component)
        assert found.evidence >= before[0].evidence
        assert (found.change.since, found.change.rows >= began.rows) == (began.since, True)
        assert found.end >= before[0].end
        states.append(type(next(each.state for each in evidence.watched if each.group == "inputs")))
        shown = [each.evidence for each in verdicts(evidence, RATE) if each.column == "x"]
        assert shown[0] >= before[0].evidence
    assert states == sorted(states, key=[Learning, StagedTest].index)
    assert set(states) == {Learning, StagedTest}
    decoded = decode_evidence(encode_evidence(ModelEvidence({1: evidence}))).versions[1]
    assert [each.change for each in decoded.alarms(RATE)] == [each.change for each in evidence.alarms(RATE)]


def test_a_test_after_another_one_has_a_share_of_what_the_rate_has_left() -> None:
    test = StagedTest(BlockTest.of("v", np.zeros((1, 6)), np.zeros(1, np.bool_), one_sided=False), 32)
    watched = Watched((Component("inputs", "x", "level", 0),), test)
    watched.take(buckets_of(np.random.default_rng(1).standard_normal((1, 320)), 32))
    watched.take(buckets_of(np.random.default_rng(2).standard_normal((1, 80 * 320)), 320, 100))
    assert isinstance(watched.state, StagedTest)
    assert watched.state.stage == 2
