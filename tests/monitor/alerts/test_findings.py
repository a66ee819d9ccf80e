"""Findings and their alerts: what they say of a change, and the figures for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from rondo.contracts.events.monitoring import (
    AlertRaised,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    PerformanceSuspected,
    Statistic,
    Window,
    WindowClosed,
    described,
)
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.finding_kinds import FINDING_KINDS, FindingKind, by_kind
from rondo.monitor.evidence.suspicion import Suspected
from rondo.monitor.history.closed_window import ClosedWindow

from tests.monitor.alerts.alarms import SUBJECT, alarm, at, micros
from tests.monitor.builders import EPOCH

if TYPE_CHECKING:
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.evidence.component_tests.watched import Alarm

ALARMS = {
    "drift": [alarm("inputs", "x", "level", 20.0, since=4), alarm("outputs", "output.score", "spread", 11.0, since=2)],
    "performance": [alarm("loss", None, "loss")],
    "slices": [alarm("slices", "city", "loss", value="a"), alarm("slices", "city", "loss", value="")],
    "quality": [alarm("inputs", "city", "missing"), alarm("inputs", "city", "unseen")],
    "detectors": [alarm("detectors", "x", "own:Entropy", value="own:Entropy")],
}
EVENTS = {
    "drift": DriftDetected,
    "performance": PerformanceDegraded,
    "slices": PerformanceDegraded,
    "quality": DataQualityDegraded,
    "detectors": DriftDetected,
}
WINDOW = Window(start=EPOCH, end=at(1), rows=700)


def found(kind: FindingKind) -> Announcement:
    return findings.found(kind, SUBJECT, ALARMS[kind], at(10))


def raised(kind: FindingKind) -> AlertRaised:
    event = findings.alert(kind, SUBJECT, found(kind)).event
    assert isinstance(event, AlertRaised)
    return event


@pytest.mark.parametrize("kind", FINDING_KINDS)
def test_a_finding_is_about_the_time_since_the_change_of_the_strongest_evidence(kind: FindingKind) -> None:
    event = found(kind).event
    assert isinstance(event, EVENTS[kind])
    assert (event.since, event.since_earliest, event.since_latest) == (at(4), at(3), at(5))
    assert event.window == Window(start=at(4), end=at(9), rows=700)
    assert (event.model_version, len(event.statistics)) == (3, len(ALARMS[kind]))
    assert getattr(event, "labelled_rows", None) == (1_234 if kind in {"performance", "slices"} else None)


def test_a_statistic_has_the_means_on_either_side_of_the_change_and_the_evidence() -> None:
    statistic = findings.statistic_of(ALARMS["drift"][0])
    assert (statistic.feature, statistic.statistic, statistic.category) == ("x", "level", None)
    assert (statistic.value, statistic.reference, statistic.threshold) == (0.6, 0.1, None)
    assert statistic.e_value == pytest.approx(math.exp(20))
    assert statistic.e_threshold == pytest.approx(2_400)


def test_a_share_names_its_category() -> None:
    statistic = findings.statistic_of(alarm("outputs", "output.label", "share of oak"))
    assert (statistic.feature, statistic.statistic, statistic.category) == ("output.label", "share", "oak")


def test_overwhelming_evidence_is_a_number() -> None:
    statistic = findings.statistic_of(alarm("inputs", "x", "level", 5_000.0))
    assert statistic.e_value is not None
    assert math.isfinite(statistic.e_value)
    assert Statistic.model_validate_json(statistic.model_dump_json()) == statistic


@pytest.mark.parametrize(
    ("group", "name", "kind"),
    [
        ("inputs", "level", "drift"),
        ("inputs", "share of a", "drift"),
        ("inputs", "missing", "quality"),
        ("inputs", "unseen", "quality"),
        ("inputs", "out_of_range", "quality"),
        ("outputs", "spread", "drift"),
        ("outputs", "missing", "drift"),
        ("loss", "loss", "performance"),
        ("detectors", "own:Entropy", "detectors"),
    ],
)
def test_the_kind_of_an_alarm_follows_from_its_component(group: str, name: str, kind: FindingKind) -> None:
    found = alarm(group, None if group == "loss" else "x", name)  # type: ignore[arg-type]
    assert by_kind([found])[kind] == [found]


@pytest.mark.parametrize("name", ["level", "spread"])
def test_numbers_out_of_range_are_part_of_the_drift_of_their_own_feature(name: str) -> None:
    out_of_range, missing = alarm("inputs", "x", "out_of_range"), alarm("inputs", "x", "missing")
    for group, column, kind in (
        ("inputs", "x", "drift"), ("inputs", "y", "quality"), ("inputs", "projection 1", "quality"),
        ("outputs", "x", "quality"),
    ):  # fmt: skip
        kinds = by_kind([out_of_range, missing, alarm(group, column, name)])  # type: ignore[arg-type]
        assert [each for each, alarms in kinds.items() if out_of_range in alarms] == [kind]
        assert missing in kinds["quality"], "a value may be missing because of the same change, and is a fault"


@pytest.mark.parametrize(
    ("kind", "severity"), [("performance", "critical"), ("quality", "warning"), ("drift", "warning")]
)
def test_an_alert_has_the_figures_and_the_times_of_the_change(kind: FindingKind, severity: str) -> None:
    alert = raised(kind)
    event = found(kind).event
    assert isinstance(event, EVENTS[kind])
    assert (alert.severity, alert.raised_at) == (severity, at(9))
    assert all(described(statistic) in alert.detail for statistic in event.statistics)
    assert all(f"{day:%Y-%m-%d %H:%M}" in alert.detail for day in (at(3), at(4), at(5)))
    assert ("1,234" in alert.detail) == (kind == "performance")


def test_an_alert_lists_the_strongest_evidence_and_counts_the_rest() -> None:
    many = [alarm("inputs", f"f{n}", "level", 30.0 - n) for n in range(8)]
    finding = findings.found("drift", SUBJECT, many, at(10))
    event = findings.alert("drift", SUBJECT, finding).event
    assert isinstance(event, AlertRaised)
    assert [f"f{n} " in event.detail for n in range(8)] == [True] * 5 + [False] * 3
    assert "and 3 more" in event.detail


def test_a_suspicion_has_the_losses_since_the_change_and_raises_no_alert() -> None:
    event = findings.suspected(SUBJECT, Suspected(micros(4), micros(9), 700, 0.1, 0.2, 5.0), at(9)).event
    assert isinstance(event, PerformanceSuspected)
    assert (event.since, event.window) == (at(4), Window(start=at(4), end=at(9), rows=700))
    assert (event.since_earliest, event.labelled_rows) == (None, 1_234)
    assert event.statistics == (
        Statistic(statistic="loss", value=0.2, reference=0.1, e_value=math.exp(5)),
    )  # fmt: skip


def closed_window(statistics: tuple[Statistic, ...], labelled: int = 0, no_verdict: str | None = None) -> ClosedWindow:
    return ClosedWindow(
        **WINDOW.model_dump(), model_version=1, labelled_rows=labelled, statistics=statistics, no_verdict=no_verdict
    )


def test_a_closed_window_has_every_statistic_and_why_its_losses_are_not_judged() -> None:
    statistics = tuple(Statistic(feature="x", statistic=name, value=0.1) for name in ("psi", "ks"))
    event = findings.closed(SUBJECT, closed_window(statistics, 12, "12 of about 100 outcomes")).event
    assert isinstance(event, WindowClosed)
    assert (event.statistics, event.statistics_left_out, event.labelled_rows) == (statistics, 0, 12)
    assert (event.window, event.since, event.no_verdict) == (WINDOW, EPOCH, "12 of about 100 outcomes")


@pytest.mark.medium
def test_the_events_of_a_model_with_very_many_features_fit_into_a_message() -> None:
    name, value = "f" * 58, -1.2345678901234567e-100
    statistics = tuple(
        Statistic(feature=f"{name}{n}", statistic="total_variation", value=value, reference=value, p_value=value)
        for n in range(10_000)
    )
    alarms = [alarm("inputs", f"{name}{n}", f"share of {'c' * 50}") for n in range(5_000)]
    for event, total in (
        (findings.closed(SUBJECT, closed_window(statistics)).event, 10_000),
        (findings.found("drift", SUBJECT, alarms, at(10)).event, 5_000),
    ):
        assert isinstance(event, WindowClosed | DriftDetected)
        assert len(event.model_dump_json()) < 1024 * 1024
        assert (len(event.statistics), event.statistics_left_out) == (3_000, total - 3_000)
        assert event.described(2).endswith(f", and {total - 2:,} more")


@pytest.mark.medium
@pytest.mark.parametrize("text", ["c" * 255, "\u00e9" * 256, "\U0001f6eb" * 256, "\x01" * 256])
def test_the_events_of_a_model_with_very_long_categories_fit_into_a_message(text: str) -> None:
    alarms = [alarm("inputs", "f" * 63, f"share of {text}") for _ in range(2_500)]
    slices = [alarm("slices", "f" * 63, "loss", value=text) for _ in range(400)]
    of_kinds: tuple[tuple[FindingKind, list[Alarm]], ...] = (("drift", alarms), ("slices", slices))
    for kind, each in of_kinds:
        event = findings.found(kind, SUBJECT, each, at(10)).event
        assert isinstance(event, DriftDetected | PerformanceDegraded)
        assert len(event.model_dump_json().encode()) < 1_000_000
        assert len(event.statistics) + event.statistics_left_out == len(each)
        assert len(event.statistics) >= 400


def test_a_finding_and_its_alert_share_an_id_and_each_kind_and_time_has_its_own() -> None:
    for kind in FINDING_KINDS:
        finding = found(kind)
        alert = findings.alert(kind, SUBJECT, finding)
        assert (finding.event_id, alert.event_id) == (raised(kind).alert_id, f"{raised(kind).alert_id}-raised")
    ids = {SUBJECT.finding_id(kind, at(day)) for kind in (*FINDING_KINDS, "window", "suspicion") for day in (1, 2)}
    assert len(ids) == 14
