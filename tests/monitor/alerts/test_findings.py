"""Findings and their alerts: the figures for people."""

from __future__ import annotations

import pytest
from rondo.contracts.events.monitoring import AlertRaised, FeatureDrift, QualityProblem, Window
from rondo.monitor.alerts import findings
from rondo.monitor.detectors.base import FINDING_KINDS, FindingKind
from rondo.monitor.detectors.evaluate import WindowResult
from rondo.monitor.detectors.performance import Performance

from tests.monitor.builders import EPOCH, MODEL

SUBJECT = findings.Subject(MODEL, 3, Window(start=EPOCH, end=EPOCH, rows=700), EPOCH)
RESULT = WindowResult(
    tuple(FeatureDrift(feature=f"f{n}", psi=n / 10, ks=0.1, threshold=0.25) for n in range(3, 10)),
    (QualityProblem(feature="x", problem="missing", observed=0.1, reference=0.01),),
    Performance(1_234, 0.6, 0.7, 0.02, degraded=True),
    enough=True,
    enough_labelled=True,
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
        ("performance", "critical", "ROC AUC 0.600 on 1,234 outcomes (was 0.700)"),
        ("quality", "warning", "x missing 10.0% (was 1.0%)"),
    ],
)
def test_each_kind_has_its_figures(kind: FindingKind, severity: str, figures: str) -> None:
    alert = raised(kind)
    assert (alert.severity, alert.detail.split(";")[0]) == (severity, figures)


def test_a_finding_and_its_alert_share_an_id_and_each_kind_has_its_own() -> None:
    for kind in FINDING_KINDS:
        finding, alert = findings.found(kind, SUBJECT, RESULT)
        assert (finding.event_id, alert.event_id) == (raised(kind).alert_id, f"{raised(kind).alert_id}-raised")
    assert len({raised(kind).alert_id for kind in FINDING_KINDS} | {SUBJECT.finding_id("window")}) == 4
