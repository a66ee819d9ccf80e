"""An alert and its end, as the tests of the webhooks need them."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor_world import EPOCH, MODEL
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RAISED = AlertRaised(
    model=MODEL, alert_id="a1", severity="warning", title="loans version 1: drifted", detail="x PSI 1.23 (bound 0.25)",
    raised_at=EPOCH,
)  # fmt: skip
RESOLVED = AlertResolved(model=MODEL, alert_id="a1", detail="over", resolved_at=EPOCH)
ENVIRONMENT = {"RONDO_KAFKA": "unused:1", "RONDO_HTTP_PORT": "0", "RONDO_API_TOKEN": "a-token-for-the-tests"}
