"""What is said: the figures that a person reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from monitor_world import EPOCH, MODEL
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, FeatureDrift, QualityProblem, Window
from rondo.monitor.alerts import blind, findings
from rondo.monitor.alerts.coverage import Coverage, Turn
from rondo.monitor.alerts.hysteresis import Alarm, Kind
from rondo.monitor.detectors.evaluate import Verdict
from rondo.monitor.detectors.performance import Performance

SUBJECT = findings.Subject(MODEL, 3, Window(start=EPOCH, end=EPOCH, rows=700), EPOCH)
VERDICT = Verdict(
    tuple(FeatureDrift(feature=f"f{n}", psi=n / 10, ks=0.1, threshold=0.25) for n in range(3, 10)),
    (QualityProblem(feature="x", problem="missing", observed=0.1, reference=0.01),),
    Performance(1_234, 0.6, 0.7, 0.02, degraded=True),
    enough=True,
    enough_labelled=True,
)


def raised(kind: Kind) -> AlertRaised:
    event = findings.found(kind, SUBJECT, VERDICT)[1].event
    assert isinstance(event, AlertRaised)
    return event


def test_the_farthest_features_are_named_and_the_rest_counted() -> None:
    assert raised("drift").detail.startswith(
        "f9 PSI 0.90 (bound 0.25), f8 PSI 0.80 (bound 0.25), f7 PSI 0.70 (bound 0.25), f6 PSI 0.60 (bound 0.25), "
        "f5 PSI 0.50 (bound 0.25), and 2 more; since 2024-01-01 00:00 UTC. The trainer decides"
    )


@pytest.mark.parametrize(
    ("kind", "severity", "figures"),
    [
        ("performance", "critical", "ROC AUC 0.600 on 1,234 outcomes (was 0.700)"),
        ("quality", "warning", "x missing 10.0% (was 1.0%)"),
    ],
)
def test_each_kind_has_its_figures(kind: Kind, severity: str, figures: str) -> None:
    alert = raised(kind)
    assert (alert.severity, alert.detail.split(";")[0]) == (severity, figures)


def test_an_alert_and_its_finding_have_one_id_and_each_kind_its_own() -> None:
    kinds: tuple[Kind, ...] = ("drift", "performance", "quality")
    for kind in kinds:
        finding, alert = findings.found(kind, SUBJECT, VERDICT)
        assert (finding.event_id, alert.event_id) == (raised(kind).alert_id, f"{raised(kind).alert_id}-raised")
    assert len({raised(kind).alert_id for kind in kinds} | {SUBJECT.finding_id("window")}) == 4


def test_being_blind_is_told_with_its_reasons_and_its_end_has_the_same_id() -> None:
    block = Coverage(rows=500, left_out=400, blocks=7)
    counted = {"late_rows": 390, "future_rows": 10, "unprofiled": 0, "dropped": 0}
    told = blind.ring(MODEL, Turn("raised", block), counted, EPOCH).event
    assert isinstance(told, AlertRaised)
    assert told.title == "loans: the monitor can't see 80% of its requests"
    assert "400 of the last 500 rows count in no window, so drift and decline go unnoticed" in told.detail
    assert "late_rows 390, future_rows 10, unprofiled 0, dropped 0" in told.detail
    after = replace(block, left_out=5, blocks=9, alarm=Alarm(alert_id="7"))
    over = blind.ring(MODEL, Turn("recovered", after), counted, EPOCH).event
    assert isinstance(over, AlertResolved)
    assert (over.alert_id, over.detail) == (told.alert_id, "99% of the last 500 rows count in a window again")
