"""The alert about a rollout that waits for a decision."""

from __future__ import annotations

import pytest
from rondo.contracts.events.deployment import RolloutChanged
from rondo.contracts.events.monitoring import AlertRaised
from rondo.contracts.vocabularies import AlertKind, RolloutState, Severity
from rondo.monitor.alerts.undecided_rollout import look

from tests.monitor.builders import EPOCH, MODEL


def changed(state: str, verdict: str = "inconclusive") -> RolloutChanged:
    return RolloutChanged(
        model=MODEL, candidate=2, champion=1, strategy="canary", state=state, share=0.25, verdict=verdict,
        answers=1_200, at=EPOCH,
    )  # fmt: skip


@pytest.mark.parametrize("verdict", ["inconclusive", "not_worse", ""])
def test_the_alert_names_the_version_that_waits(verdict: str) -> None:
    [announced] = look(changed("asking", verdict), [], removed=False)
    alert = announced.event
    assert isinstance(alert, AlertRaised)
    assert (alert.kind, alert.severity, alert.model_version) == (AlertKind.UNDECIDED_ROLLOUT, Severity.WARNING, 2)
    assert verdict in alert.detail


@pytest.mark.parametrize("state", [*(each.value for each in RolloutState if each != RolloutState.ASKING), "unheard"])
def test_every_other_state_ends_it_and_opens_none(state: str) -> None:
    assert look(changed(state), [], removed=False) == []
    assert [each.event_id for each in look(changed(state), ["a"], removed=False)] == ["a-resolved"]
