"""Evidence about slices: it has a share of the false-alarm rate, and finds changes that the losses of all rows hide."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.alerts import no_verdict
from rondo.monitor.evidence.component_sums import SLICES
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.verdicts import verdicts
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.state.evidence_codec import decode_evidence, encode_evidence

from tests.monitor.evidence.buckets import MINUTE, exact
from tests.monitor.streams import BINARY, CITIES, MULTICLASS, STREAMS, Stream, counted

RATE, HIGH_RATE, VERSIONS = 0.01, 0.3, 40
PART = 50


@cache
def reference_of(stream: Stream, seed: int = 99, rows: int = 5_000) -> Reference:
    return Reference.of(stream.profile_of(rows, 86_400, seed, slices=True), f"{seed}")


def begun(reference: Reference) -> VersionEvidence:
    return VersionEvidence.of(reference.digest, reference.profile)


def take(
    evidence: VersionEvidence, stream: Stream, reference: Reference, count: int, *, seed: int = 3, first: int = 0,
    worse: str | None = None, skill: float = 0.3,
) -> None:  # fmt: skip
    """Take the losses of `count` rows.

    The outcomes of the city `worse` follow the predictions with the skill `skill`.
    """
    rng = np.random.default_rng(seed)
    data = stream.rows(rng, count)
    good, bad = stream.outcomes(rng, data), stream.outcomes(rng, data, skill)
    rows = counted(data, np.where(data["city"] == worse, bad, good))
    losses = exact(task_named(stream.task).losses(reference.task, rows, reference.largest_loss))
    for city in (None, *CITIES):
        mine = data["city"] == city if city else np.ones(count, np.bool_)
        part, parts = np.arange(count)[mine] // PART, count // PART
        sums = np.zeros((parts, 1 if city else reference.loss_components))
        sums[:, 0] = np.bincount(part, losses[mine], minlength=parts)
        starts = MINUTE * (first + np.arange(parts, dtype=np.int64))
        buckets = Buckets(starts, np.bincount(part, minlength=parts), sums, MINUTE)
        if city:
            evidence.take_slice("city", city, buckets)
        else:
            evidence.take("loss", buckets)


@pytest.mark.medium
def test_the_slice_that_lacks_the_most_outcomes_is_named_until_all_are_judged() -> None:
    reference = reference_of(BINARY)
    evidence = begun(reference)
    take(evidence, BINARY, reference, PART)
    waiting = [each for each in verdicts(evidence, RATE, [SLICES]) if not each.judged]
    most = max(waiting, key=lambda each: each.missing)
    assert len(waiting) == len(CITIES)
    assert no_verdict.unjudged_slices(evidence, RATE) == (
        f"slice city={most.value}: {most.rows} of about {most.needed:,} outcomes; {len(CITIES) - 1} more slices wait"
    )
    take(evidence, BINARY, reference, 100 * PART, first=1)
    assert no_verdict.unjudged_slices(evidence, RATE) is None


def test_the_loss_of_all_rows_and_the_slices_have_half_of_a_third_of_the_rate() -> None:
    evidence = begun(reference_of(BINARY))
    assert evidence.count(SLICES) == len(CITIES)
    assert np.exp(evidence.threshold(SLICES, RATE)) == pytest.approx(len(CITIES) * 6 / RATE)
    assert np.exp(evidence.threshold("loss", RATE)) == pytest.approx(6 / RATE)
    assert np.exp(evidence.threshold("outputs", RATE)) == pytest.approx(3 * 3 / RATE)
    without = begun(BINARY.reference)
    assert without.count(SLICES) == 0
    assert np.exp(without.threshold("loss", RATE)) == pytest.approx(3 / RATE)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("stream", "skill"), list(zip(STREAMS, (0.0, 0.3, 0.6), strict=True)), ids=[each.task for each in STREAMS]
)
def test_a_drop_in_one_slice_is_found_where_all_rows_together_do_not_show_it(stream: Stream, skill: float) -> None:
    """The slice has a tenth of the rows."""
    reference = reference_of(stream)
    evidence = begun(reference)
    take(evidence, stream, reference, 6_000)
    assert list(evidence.alarms(RATE)) == []
    take(evidence, stream, reference, 6_000, seed=4, first=120, worse="c", skill=skill)
    (alarm,) = evidence.alarms(RATE)
    found = alarm.component
    assert (found.group, found.column, found.category, found.statistic) == (SLICES, "city", "c", StatisticName.LOSS)
    assert alarm.change.after > alarm.change.before
    assert alarm.change.since >= 100 * MINUTE
    assert evidence.strength(RATE) > 0


@pytest.mark.slow
def test_without_a_change_no_more_versions_alarm_about_slices_than_their_share_of_the_rate() -> None:
    """Each version has its own holdout of 600 rows, about 60 of which are in the smallest slice."""
    alarmed = 0
    for seed in range(VERSIONS):
        reference = reference_of(MULTICLASS, seed, 600)
        evidence = begun(reference)
        take(evidence, MULTICLASS, reference, 8_000, seed=1_000 + seed)
        alarmed += bool(list(evidence.alarms(HIGH_RATE, (SLICES,))))
    # The share of slices is .05. Even if each version alarms with that probability, 5 or more of 40 alarm in 5% of
    # cases.
    assert alarmed <= 4


def test_each_slice_is_judged_by_its_own_rows() -> None:
    reference = reference_of(BINARY)
    evidence = begun(reference)
    take(evidence, BINARY, reference, 500)
    found = {each.value: each for each in verdicts(evidence, RATE) if each.group == SLICES}
    assert list(found) == list(CITIES)
    assert sum(each.rows for each in found.values()) == 500
    assert found["a"].rows > found["b"].rows > found["c"].rows
    assert not found["c"].judged
    assert found["c"].missing > 0


def test_the_parts_of_a_window_at_once_are_the_evidence_of_one_after_the_other() -> None:
    reference, rng = reference_of(BINARY), np.random.default_rng(6)
    rows = rng.integers(0, 40, 200)
    sums = exact(rows * np.where(np.arange(200) < 120, 0.4, 0.8))[:, None]
    starts = MINUTE * np.arange(200, dtype=np.int64)
    together, apart = begun(reference), begun(reference)
    together.take_slice("city", "b", Buckets(starts, rows, sums, MINUTE))
    for at in range(200):
        part = slice(at, at + 1)
        apart.take_slice("city", "b", Buckets(starts[part], rows[part], sums[part], MINUTE))
    assert encode_evidence(ModelEvidence({1: together})).equals(encode_evidence(ModelEvidence({1: apart})))
    assert [each.component.value for each in together.alarms(RATE)] == ["b"]


def test_a_slice_without_a_reference_of_its_losses_is_not_watched() -> None:
    profile = reference_of(BINARY).profile
    first, *others = profile.slices
    slices = (first.model_copy(update={"loss": None}), *others)
    reference = Reference.of(profile.model_copy(update={"slices": slices}), "one")
    evidence = begun(reference)
    take(evidence, BINARY, reference, 500)
    assert evidence.count(SLICES) == 2
    assert {each.value for each in verdicts(evidence, RATE) if each.group == SLICES} == {"b", "c"}
    assert not any("city=a" in key for key in evidence.taken)


@pytest.mark.medium
def test_a_restart_continues_the_evidence_of_slices() -> None:
    reference = reference_of(BINARY)
    model, again = ModelEvidence({1: begun(reference)}), ModelEvidence({1: begun(reference)})
    for each in (model, again):
        take(each.versions[1], BINARY, reference, 2_000)
    again = decode_evidence(encode_evidence(again))
    for each in (model, again):
        take(each.versions[1], BINARY, reference, 4_000, seed=5, first=40, worse="b")
    assert encode_evidence(again).equals(encode_evidence(model))
    assert verdicts(again.versions[1], RATE) == verdicts(model.versions[1], RATE)
    (alarm,) = again.versions[1].alarms(RATE, (SLICES,))
    assert alarm.component.value == "b"
