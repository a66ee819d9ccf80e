"""Features that the model hardly relies on may change without harm, and are named last."""

from __future__ import annotations

import pytest
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DriftDetected
from rondo.contracts.events.training import FeatureImportance
from rondo.contracts.training_evidence import Importance
from rondo.monitor.alerts.alarms import EvidenceAlarm, update_alarm
from rondo.monitor.estimates.expected_harm import ExpectedHarm, ExpectedLoss
from rondo.monitor.estimates.reliance import Reliance, order_of, reliance
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.status.model_status import model_status

from tests.monitor.alerts.alarms import SUBJECT, alarm, at
from tests.monitor.builders import SPEC
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import BINARY


def importance(loss: float = 0.2, **increases: float) -> Importance:
    features = [FeatureImportance(feature=name, loss_increase=rise, error=0.001) for name, rise in increases.items()]
    return Importance(rows=1_000, loss=loss, features=tuple(sorted(features, key=lambda each: -each.loss_increase)))


MEASURED = importance(income=0.05, city=0.01, age=0.012, shoe=-0.0005)


@pytest.mark.parametrize(
    ("columns", "harm"),
    [
        (["shoe"], "none"),
        (["city"], "none"),
        (["shoe", "projection 1"], "none"),
        (["income"], None),
        # Each alone is little. Both together are more than a tenth of the loss.
        (["city", "age"], None),
        (["shoe", "output.score"], None),
        (["shoe", "a feature without importance"], None),
    ],
)
def test_harm_is_ruled_out_where_the_loss_would_hardly_rise_without_all_that_has_changed(
    columns: list[str], harm: str | None
) -> None:
    assert ExpectedHarm(None, reliance(MEASURED, columns)).harm == harm


def test_nothing_is_known_without_importance_or_of_projections_and_outputs_alone() -> None:
    assert reliance(None, ["income"]) is None
    assert reliance(MEASURED, ["projection 1", "output.score"]) is None


def test_what_matters_comes_first_and_projections_after_the_features_that_explain_them() -> None:
    columns = ["shoe", "projection 1", "new", "income", "output.score"]
    assert sorted(columns, key=order_of(MEASURED, columns)) == ["new", "income", "output.score", "projection 1", "shoe"]
    assert [order_of(None, columns)(each) for each in ("shoe", "income")] == [0, 0]
    assert order_of(MEASURED, ["projection 1"])("projection 1") == order_of(MEASURED, ["income"])("income")


SLIGHT, MUCH = Reliance((), 0.2, complete=True), Reliance(MEASURED.features[:1], 0.2, complete=True)
RISEN, SAME, UNSURE = (ExpectedLoss(value, error, 0.2, 5_000) for value, error in ((0.3, 0.01), (0.2, 0), (0.2, 0.05)))


@pytest.mark.parametrize(
    ("loss", "relied", "harm"),
    [
        (None, None, None),
        (None, SLIGHT, "none"),
        (None, MUCH, None),
        (UNSURE, SLIGHT, "none"),
        (UNSURE, MUCH, "uncertain"),
        (SAME, MUCH, "none"),
        # Beyond the range of the training values the model may be wrong, although the importance is slight.
        (RISEN, SLIGHT, "likely"),
    ],
)
def test_an_estimated_rise_counts_more_than_a_slight_reliance(
    loss: ExpectedLoss | None, relied: Reliance | None, harm: str | None
) -> None:
    assert ExpectedHarm(loss, relied).harm == harm


def test_an_alert_without_harm_is_for_information_and_is_replaced_once_harm_can_not_be_ruled_out() -> None:
    x, city = alarm("inputs", "x", "level"), alarm("inputs", "city", "share of a")
    before, published = update_alarm(
        EvidenceAlarm(), "drift", SUBJECT, [x], at(1), repeat=False, assess=lambda _: ExpectedHarm(None, SLIGHT)
    )
    first = published[1].event
    assert isinstance(first, AlertRaised)
    assert first.severity == "info"
    same, published = update_alarm(
        before, "drift", SUBJECT, [x], at(2), repeat=True, assess=lambda _: ExpectedHarm(None, SLIGHT)
    )
    assert ([type(each.event).__name__ for each in published], same.alert_id) == (["DriftDetected"], first.alert_id)
    after, published = update_alarm(
        same, "drift", SUBJECT, [x, city], at(3), repeat=False, assess=lambda _: ExpectedHarm(UNSURE, MUCH)
    )
    _, ended, raised = (each.event for each in published)
    assert isinstance(ended, AlertResolved)
    assert isinstance(raised, AlertRaised)
    assert (ended.alert_id, raised.severity) == (first.alert_id, "warning")
    assert (after.alert_id, after.first, after.harmless) == (raised.alert_id, before.first, False)
    last, published = update_alarm(
        after, "drift", SUBJECT, [x, city], at(30), repeat=True, assess=lambda _: ExpectedHarm(SAME, MUCH)
    )
    assert ([type(each.event).__name__ for each in published], last.alert_id) == (["DriftDetected"], raised.alert_id)


@pytest.mark.medium
def test_drift_of_a_feature_that_the_model_does_not_use_is_said_to_do_no_harm() -> None:
    found: dict[str, tuple[str | None, list[str]]] = {}
    for name, rise in (("used", 0.1), ("unused", 0.0)):
        reference = Reference.of(BINARY.profile.model_copy(update={"importance": importance(x=rise, city=0.0)}))
        scenario = DailyScenario(given=reference)
        for day in range(6):
            # The scores of this stream follow x less its shift, so they do not change.
            scenario.day(day, shift=1.0 if day >= 3 else 0.0, labels=False)
            scenario.restart()
            scenario.close()
        drift = scenario.all(DriftDetected)[-1]
        assert [each.feature for each in drift.importance] == ["x"]
        status = model_status(scenario.state, SPEC, reference)
        (x,) = (each for each in status.columns if each.column == "x")
        assert x.importance == drift.importance[0]
        assert (x.hardly_used, status.expected_harm) == (name == "unused", drift.harm)
        assert ("hardly relies" in status.verdict.sentence) == (name == "unused")
        found[name] = drift.harm, [each.severity for each in scenario.all(AlertRaised)]
    assert found["unused"] == ("none", ["info"])
