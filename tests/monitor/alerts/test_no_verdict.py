"""The reasons why a version can't be judged yet, as text for people, and the alert when that lasts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, Window
from rondo.contracts.training_evidence import ReferenceBlocks
from rondo.monitor.alerts import no_verdict
from rondo.monitor.alerts.no_verdict import NO_LOSS, NO_REFERENCE, NO_ROWS
from rondo.monitor.alerts.version_alarms import LabelledWindow, VersionAlarms
from rondo.monitor.evidence.component_tests.watched import Taken
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.verdicts import expected_at, note_judged, verdicts
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.monitor.windows.tumbling import to_micros, to_time

from tests.monitor.alerts.alarms import SUBJECT, at
from tests.monitor.builders import EPOCH, PROFILE, REFERENCE
from tests.monitor.evidence.buckets import MINUTE, live
from tests.monitor.streams import BINARY

RATE = 0.01


def evidence_of(reference: Reference = REFERENCE, **rows: int) -> VersionEvidence:
    """Return evidence with this many rows of each group, in buckets of ten, without a change."""
    evidence = VersionEvidence.of("digest", reference.profile)
    for group, buckets in live(BINARY, 5_000).items():
        evidence.take(group, first_of(buckets, rows.get(group, 0) // 10))
    return evidence


def first_of(buckets: Buckets, count: int) -> Buckets:
    return Buckets(buckets.starts[:count], buckets.rows[:count], buckets.sums[:count], buckets.length)


def needed_outcomes() -> int:
    (loss,) = verdicts(evidence_of(), RATE, ["loss"])
    return loss.needed


def slow(memory: float = 5_000.0) -> Reference:
    """Return a reference whose x is correlated over many rows."""
    blocks = PROFILE.feature_blocks
    assert blocks is not None
    columns = {**blocks.columns, "x": blocks.columns["x"].model_copy(update={"autocorrelation_rows": memory})}
    changed = PROFILE.model_copy(update={"feature_blocks": ReferenceBlocks(rows=blocks.rows, columns=columns)})
    return Reference.of(changed)


def without(**update: None) -> Reference:
    return Reference.of(PROFILE.model_copy(update=update))


@pytest.mark.parametrize(
    ("evidence", "reference", "reason"),
    [
        (evidence_of(), without(feature_blocks=None), NO_REFERENCE),
        (None, REFERENCE, NO_ROWS),
        (evidence_of(), REFERENCE, NO_ROWS),
        (evidence_of(inputs=5_000, outputs=5_000), REFERENCE, f"0 of about {needed_outcomes():,} outcomes"),
        (evidence_of(inputs=5_000, outputs=5_000), without(loss=None), NO_LOSS),
        (evidence_of(inputs=5_000, outputs=5_000, loss=5_000), REFERENCE, None),
    ],
    ids=["no reference", "no evidence", "no rows", "no outcomes", "no losses", "judged"],
)
def test_why_a_version_is_not_judged(
    evidence: VersionEvidence | None, reference: Reference, reason: str | None
) -> None:
    assert no_verdict.no_verdict(evidence, reference, RATE) == reason


def test_what_is_missing_is_told_in_rows_and_with_the_time_when_they_are_expected() -> None:
    evidence = evidence_of(inputs=150, outputs=150, loss=60)
    missing = [each for each in verdicts(evidence, RATE) if each.group == "inputs"]
    (loss,) = [each for each in verdicts(evidence, RATE) if each.group == "loss"]
    reason = no_verdict.inputs(evidence, RATE)
    assert reason is not None
    expected = expected_at(missing[0].missing, 150, 0, 15 * MINUTE)
    assert expected is not None
    assert f"150 of about {missing[0].needed:,} rows" in reason
    assert f"{to_time(expected):%Y-%m-%d %H:%M}" in reason
    # x, city and output.score need the same number of rows.
    assert ("x" in reason, "2 more" in reason) == (True, True)
    performance = no_verdict.performance(evidence, REFERENCE, RATE)
    assert performance is not None
    assert f"60 of about {loss.needed:,} outcomes" in performance
    assert no_verdict.no_verdict(evidence, REFERENCE, RATE) == f"{reason}; {performance}"


def test_of_a_reference_that_is_extended_the_length_of_a_block_is_told() -> None:
    evidence = evidence_of(slow(), inputs=5_000, outputs=5_000)
    reason = no_verdict.inputs(evidence, RATE)
    assert reason is not None
    (verdict,) = [each for each in verdicts(evidence, RATE) if each.column == "x"]
    assert verdict.block >= 25_000
    assert all(text in reason for text in ("for x", f"{verdict.block:,} rows", f"{verdict.needed:,} rows"))
    assert "more" not in reason


@pytest.mark.medium
def test_what_waiting_does_not_help_has_neither_a_number_nor_a_time() -> None:
    evidence = evidence_of(slow(1e6), inputs=5_000, outputs=5_000, loss=5_000)
    (x,) = [each for each in verdicts(evidence, RATE) if not each.judged]
    assert (x.column, x.out_of_reach) == ("x", True)
    assert no_verdict.no_verdict(evidence, slow(1e6), RATE) is None
    reason = no_verdict.out_of_reach(evidence, RATE)
    assert reason is not None
    assert reason.startswith("x can't be judged")
    assert not any(letter.isdigit() for letter in reason)
    assert no_verdict.out_of_reach(evidence, RATE, ["loss"]) is None
    assert no_verdict.overdue(evidence, short(), RATE, ["inputs"], 0) == reason


def test_what_is_out_of_reach_does_not_hide_what_is_awaited() -> None:
    evidence = evidence_of(slow(1e6), inputs=150, outputs=150)
    waits = no_verdict.inputs(evidence, RATE)
    assert waits is not None
    assert ("for city and 1 more" in waits, "x" in waits.split()) == (True, False)


def test_the_figure_of_the_worst_column_is_not_that_of_the_others() -> None:
    evidence = evidence_of(slow(), inputs=150, outputs=150)
    waits = no_verdict.inputs(evidence, RATE)
    assert waits is not None
    assert [part for part in ("for x (", "2 more") if part not in waits] == []
    assert "x and" not in waits


def test_a_wait_of_more_than_two_years_is_out_of_reach() -> None:
    evidence = evidence_of(slow(), inputs=5_000, outputs=5_000)
    reached = [each.out_of_reach for each in verdicts(evidence, RATE) if each.column == "x"]
    taken = evidence.taken["inputs"]
    evidence.taken["inputs"] = replace(taken, last=taken.last + 30 * 86_400_000_000)
    assert [reached, [each.out_of_reach for each in verdicts(evidence, RATE) if each.column == "x"]] == [
        [False],
        [True],
    ]


def test_several_columns_are_named_by_the_first() -> None:
    assert no_verdict.names(["x", "city", None]) == "x and 2 more"
    assert no_verdict.names([None]) == "the performance"


def closed(alarms: VersionAlarms, evidence: VersionEvidence, reference: Reference) -> list[str]:
    window = LabelledWindow(Window(start=EPOCH, end=at(1), rows=0), 0, ())
    events = [
        *alarms.after_step(SUBJECT, evidence, reference, at(1), repeat=True),
        *alarms.after_window(SUBJECT, evidence, reference, window),
    ]
    return [type(each.event).__name__ for each in events if isinstance(each.event, AlertRaised | AlertResolved)]


def short(rows: int = 100) -> Reference:
    """Return a reference that reports `rows` rows, with the blocks of many rows."""
    return replace(slow(), profile=slow().profile.model_copy(update={"rows": rows}))


def test_the_alert_opens_after_as_many_rows_as_the_reference_and_resolves_when_everything_is_judged() -> None:
    alarms = VersionAlarms()
    reference, patient = short(1_000), short(1_010)
    evidence = evidence_of(reference, inputs=1_000, outputs=1_000)
    assert closed(alarms, evidence, patient) == []
    assert closed(alarms, evidence, reference) == ["AlertRaised"]
    assert closed(alarms, evidence, reference) == []
    assert alarms.open.keys() == {"no_verdict"}
    judged = evidence_of(inputs=1_000, outputs=1_000)
    assert closed(alarms, judged, reference) == ["AlertResolved"]
    assert alarms.open == {}


def test_the_alert_opens_after_twice_the_time_that_was_expected_at_first() -> None:
    alarms, evidence = VersionAlarms(), evidence_of(inputs=150, outputs=150)

    def kinds(day: int) -> list[str]:
        found = alarms.after_step(SUBJECT, evidence, REFERENCE, at(day), repeat=True)
        return [each.event.kind for each in found if isinstance(each.event, AlertRaised)]

    assert kinds(1) == [], "it is the first window"
    for group in ("inputs", "outputs"):
        evidence.taken[group] = Taken(150, to_micros(at(-30)), to_micros(at(0)))
        evidence.due[group] = to_micros(at(3))
    assert (kinds(2), kinds(3)) == ([], [])
    reason = no_verdict.overdue(evidence, REFERENCE, RATE, ["inputs", "outputs"], to_micros(at(4)))
    assert reason is not None
    assert f"{at(3):%Y-%m-%d %H:%M}" in reason
    assert "150 of about" in reason
    assert kinds(4) == ["no_verdict"]
    assert kinds(5) == []


def test_without_any_outcome_no_alert_opens_for_the_performance() -> None:
    evidence = evidence_of(inputs=5_000)
    for day in (1, 2, 90):
        note_judged(evidence, RATE, ["loss"], to_micros(at(day)))
        assert no_verdict.overdue(evidence, REFERENCE, RATE, ["loss"], to_micros(at(day))) is None


@pytest.mark.medium
def test_too_few_outcomes_after_as_many_as_the_reference_raise_an_alert_of_their_own() -> None:
    loss = PROFILE.loss
    assert loss is not None
    few = Reference.of(PROFILE.model_copy(update={"loss": loss.model_copy(update={"rows": 1, "means": (0.1,) * 40})}))
    alarms = VersionAlarms()
    assert closed(alarms, evidence_of(few, inputs=5_000, outputs=5_000, loss=30), few) == []
    assert closed(alarms, evidence_of(few, inputs=5_000, outputs=5_000, loss=40), few) == ["AlertRaised"]
    assert alarms.open.keys() == {"no_performance_verdict"}


def test_the_alert_has_an_id_of_the_version_and_the_time() -> None:
    times = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2)]
    alerts = [no_verdict.raised(name, SUBJECT, "why", time) for name in no_verdict.TITLES for time in times]
    assert len({each.event_id for each in alerts}) == 4
    for each in alerts:
        assert isinstance(each.event, AlertRaised)
        assert "why. Until then a change goes unnoticed." in each.event.detail
    titles = {each.event.title for each in alerts if isinstance(each.event, AlertRaised)}
    assert titles == {
        "loans version 3: inputs still can't be judged",
        "loans version 3: its performance still can't be judged",
    }
