"""Evidence that is encoded and decoded: the decoded evidence continues like the original."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.training_evidence import ReferenceBlocks
from rondo.monitor.evidence import staged_test
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.evidence.staged_test import Buckets, StagedTest
from rondo.monitor.evidence.stretches import Learning
from rondo.monitor.evidence.suspicion import ShortReference, Suspicion
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.state.evidence_codec import decode_evidence, encode_evidence

from tests.monitor.evidence.buckets import MINUTE, buckets_of, live
from tests.monitor.streams import BINARY, MULTICLASS

RATE = 0.01


def learning_evidence() -> VersionEvidence:
    """Return evidence in which live rows still extend the reference of column x, but not the other references."""
    blocks = BINARY.profile.feature_blocks
    assert blocks is not None
    columns = {**blocks.columns, "x": blocks.columns["x"].model_copy(update={"autocorrelation_rows": 5_000.0})}
    changed = ReferenceBlocks(rows=blocks.rows, columns=columns)
    return VersionEvidence.of("one", BINARY.profile.model_copy(update={"feature_blocks": changed}))


def filled(monkeypatch: pytest.MonkeyPatch) -> ModelEvidence:
    """Return the evidence of two versions: one in later stages with a suspicion, and one with a short reference."""
    monkeypatch.setattr(staged_test, "MOST_LIVE_BLOCKS", 30)
    found = ModelEvidence(late=5)
    found.versions = {1: learning_evidence(), 2: VersionEvidence.of("two", MULTICLASS.profile)}
    for version, stream, shift in ((1, BINARY, 0.0), (2, MULTICLASS, 1.0)):
        for group, buckets in live(stream, 5_550, shift=shift).items():
            found.versions[version].take(group, buckets)
    losses = np.full((200, 1), 8.0)
    rising = Buckets(MINUTE * (555 + np.arange(200)), np.full(200, 10), losses, MINUTE)
    found.versions[2].take("loss", rising)
    for version, size in ((2, MULTICLASS.reference.binning.size), (3, BINARY.reference.binning.size)):
        counts = np.arange(2 * size).reshape(2, size)
        found.open.add(version, MINUTE * np.array([900, 905]), np.array([3, 4]), counts)
    found.versions[2].judged_since = {"inputs": 40 * MINUTE, "loss": 50 * MINUTE}
    found.versions[1].due = {"inputs": 60 * MINUTE}
    return found


def decoded(evidence: ModelEvidence) -> ModelEvidence:
    return decode_evidence(encode_evidence(evidence))


@pytest.mark.medium
def test_decoded_evidence_is_encoded_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled(monkeypatch)
    after = decoded(before)
    assert encode_evidence(after).equals(encode_evidence(before))
    kinds = {(each.group, type(each.state)) for each in after.versions[1].watched}
    assert {("inputs", Learning), ("inputs", StagedTest), ("loss", StagedTest)} <= kinds
    tests = [each.state for each in after.versions[2].watched if isinstance(each.state, StagedTest)]
    assert min(test.stage for test in tests) >= 2
    assert after.versions[2].suspicion is not None
    assert after.versions[2].suspicion.found is not None
    assert (after.late, after.known, after.open.versions()) == (5, {1, 2, 3}, {2, 3})


def test_a_short_reference_of_losses_is_extended_alike_after_it_was_decoded() -> None:
    profile = BINARY.profile
    assert profile.loss is not None
    few = profile.loss.model_copy(update={"rows": 1, "means": profile.loss.means[:90]})
    before = ModelEvidence(versions={1: VersionEvidence.of("one", profile.model_copy(update={"loss": few}))})
    losses = np.random.default_rng(1).uniform(0.1, 0.3, (1, 400))
    before.versions[1].take("loss", buckets_of(losses[:, :20], 5))
    assert isinstance(before.versions[1].suspicion, ShortReference)
    after = decoded(before)
    assert encode_evidence(after).equals(encode_evidence(before))
    for each in (before, after):
        each.versions[1].take("loss", buckets_of(losses[:, 20:], 5, first=4))
        assert isinstance(each.versions[1].suspicion, Suspicion)
    assert encode_evidence(after).equals(encode_evidence(before))


@pytest.mark.medium
def test_decoded_evidence_has_the_same_alarms_and_continues_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled(monkeypatch)
    after = decoded(before)
    for more in (False, True):
        for version, stream in ((1, BINARY), (2, MULTICLASS)):
            alarms = [list(each.versions[version].alarms(RATE)) for each in (before, after)]
            assert alarms[0] == alarms[1]
            assert [each.change for each in alarms[0]] == [each.change for each in alarms[1]]
            assert (alarms[0] != []) == (version == 2)
            for evidence in (before, after):
                if not more:
                    for group, buckets in live(stream, 4_440, seed=8, first=1_000).items():
                        evidence.versions[version].take(group, buckets)
    assert encode_evidence(after).equals(encode_evidence(before))


@pytest.mark.slow
def test_a_reference_that_is_learned_ends_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled(monkeypatch)
    for each in before.versions[1].watched:
        if isinstance(each.state, Learning):
            each.state.stretches.autocorrelation_rows = 100.0
    after = decoded(before)
    for evidence in (before, after):
        for group, buckets in live(BINARY, 20_000, seed=9, first=1_000).items():
            evidence.versions[1].take(group, buckets)
    assert {type(each.state) for each in after.versions[1].watched} == {StagedTest}
    assert encode_evidence(after).equals(encode_evidence(before))


@pytest.mark.medium
def test_evidence_of_an_earlier_release_ranks_means_alone_and_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stored neither the `resolution` of a test nor the `row_range` of a reference."""
    table = encode_evidence(filled(monkeypatch))
    fields = [json.loads(each) for each in table.column("fields").to_pylist()]
    parts = [part for each in fields for part in (each, each.get("test", {}))]
    removed = [part.pop(name) for part in parts for name in ("resolution", "row_range") if name in part]
    assert any(max(each) > 0 for each in removed)
    stored = pa.array([json.dumps(each) for each in fields])
    after = decode_evidence(table.set_column(table.column_names.index("fields"), "fields", stored))
    for version, stream in ((1, BINARY), (2, MULTICLASS)):
        for group, buckets in live(stream, 4_440, seed=8, first=1_000).items():
            after.versions[version].take(group, buckets)
    tests = [each.state.test for one in after.versions.values() for each in one.watched
             if isinstance(each.state, StagedTest)]  # fmt: skip
    assert {float(test.resolution.max()) for test in tests} == {0.0}
    assert encode_evidence(decoded(after)).equals(encode_evidence(after))


def test_what_is_decoded_can_be_added_to() -> None:
    evidence = ModelEvidence()
    evidence.open.add(1, np.array([0]), np.array([2]), np.array([[1, 2]]))
    after = decoded(evidence)
    after.open.add(1, np.array([0]), np.array([1]), np.array([[5, 5]]))
    assert [(rows, counts.tolist()) for _, rows, counts in after.open] == [(3, [6, 7])]


def test_nothing_is_decoded_from_nothing() -> None:
    assert decoded(ModelEvidence()) == ModelEvidence()
