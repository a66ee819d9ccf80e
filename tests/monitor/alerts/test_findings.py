"""Findings and their alerts: the figures for people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rondo.contracts.events.monitoring import AlertRaised, DriftDetected, Statistic, Window, WindowClosed
from rondo.monitor.alerts import findings
from rondo.monitor.statistics.base import FINDING_KINDS, DetectorResult, FindingKind
from rondo.monitor.statistics.evaluate import WindowResult

from tests.monitor.builders import EPOCH, MODEL

SUBJECT = findings.Subject(MODEL, 3, Window(start=EPOCH, end=EPOCH, rows=700), EPOCH)
RESULT = WindowResult(
    {
        "drift": tuple(
            result
            for n in range(2, 10)
            for result in (
                DetectorResult(
                    Statistic(feature=f"f{n}", statistic="psi", value=n / 10, threshold=0.25), exceeded=n > 2
                ),
                DetectorResult(Statistic(feature=f"f{n}", statistic="ks", value=0.1)),
            )
        ),
        "quality": (
            DetectorResult(Statistic(feature="x", statistic="missing", value=0.1, reference=0.01), exceeded=True),
        ),
        "performance": (
            DetectorResult(Statistic(statistic="roc_auc", value=0.6, reference=0.7, threshold=0.67), exceeded=True),
        ),
    },
    rows=5_000,
    labelled_rows=1_234,
    min_rows=500,
)


def raised(kind: FindingKind) -> AlertRaised:
    event = findings.found(kind, SUBJECT, RESULT)[1].event
    assert isinstance(event, AlertRaised)
    return event


def test_the_features_with_the_largest_distance_are_listed_and_the_rest_counted() -> None:
    assert raised("drift").detail.split(";")[0] == (
        "f9 PSI 0.90 (threshold 0.25), f8 PSI 0.80 (threshold 0.25), f7 PSI 0.70 (threshold 0.25), "
        "f6 PSI 0.60 (threshold 0.25), f5 PSI 0.50 (threshold 0.25), and 2 more"
    )


@pytest.mark.parametrize(
    ("kind", "severity", "figures"),
    [
        ("performance", "critical", "ROC AUC 0.600 (reference 0.700, threshold 0.670), on 1,234 outcomes"),
        ("quality", "warning", "x missing 10.0% (reference 1.0%)"),
    ],
)
def test_each_kind_has_its_figures(kind: FindingKind, severity: str, figures: str) -> None:
    alert = raised(kind)
    assert (alert.severity, alert.detail.split(";")[0]) == (severity, figures)


def test_drift_names_the_columns_over_their_threshold_and_then_their_other_distances() -> None:
    event = findings.found("drift", SUBJECT, RESULT)[0].event
    assert isinstance(event, DriftDetected)
    over = [f"f{n}" for n in range(9, 2, -1)]
    assert [s.feature for s in event.statistics if s.statistic == "psi"] == over
    assert [s.feature for s in event.statistics[len(over) :]] == over[::-1]


def test_a_closed_window_has_every_statistic() -> None:
    event = findings.closed(SUBJECT, RESULT).event
    assert isinstance(event, WindowClosed)
    assert event.statistics == RESULT.statistics
    assert {s.statistic for s in event.statistics} == {"psi", "ks", "missing", "roc_auc"}
    assert event.statistics_left_out == 0


def test_the_events_of_a_window_with_very_many_features_fit_into_a_message() -> None:
    name, value = "f" * 58, -1.2345678901234567e-100
    drift = tuple(
        DetectorResult(
            Statistic(feature=f"{name}{n}", statistic="total_variation", value=value, threshold=value, p_value=value),
            exceeded=n % 2 == 0,
        )
        for n in range(10_000)
    )
    result = replace(RESULT, results={**RESULT.results, "drift": drift})
    for event in (findings.closed(SUBJECT, result).event, findings.found("drift", SUBJECT, result)[0].event):
        assert isinstance(event, WindowClosed | DriftDetected)
        assert len(event.model_dump_json()) < 1024 * 1024
        total = len(result.statistics) if isinstance(event, WindowClosed) else 5_000
        assert (len(event.statistics), event.statistics_left_out) == (3_000, total - 3_000)
        assert event.described(2).endswith(f", and {total - 2:,} more")


def test_a_finding_and_its_alert_share_an_id_and_each_kind_has_its_own() -> None:
    for kind in FINDING_KINDS:
        finding, alert = findings.found(kind, SUBJECT, RESULT)
        assert (finding.event_id, alert.event_id) == (raised(kind).alert_id, f"{raised(kind).alert_id}-raised")
    assert len({raised(kind).alert_id for kind in FINDING_KINDS} | {SUBJECT.finding_id("window")}) == 4
