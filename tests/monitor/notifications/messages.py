"""Builders of alerts, silences and messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from rondo.monitor.notifications.alert_record import AlertRecord, Silence
from rondo.monitor.notifications.message_content import AlertMessage, message
from rondo.monitor.notifications.message_plan import PlannedMessage, Policy

from tests.monitor.builders import EPOCH, MODEL
from tests.monitor.fakes import NOW

WAIT = timedelta(seconds=30)
POLICY = Policy(WAIT, (timedelta(days=1), timedelta(days=7)))
ALERT = AlertRecord(
    alert_id="a1", model=MODEL, version=1, kind="drift", severity="warning", title="loans version 1: drifted",
    detail="x PSI 1.23 (threshold 0.25)", raised_at=EPOCH, opened_at=NOW,
)  # fmt: skip
WORSE = replace(
    ALERT,
    alert_id="a2",
    kind="performance",
    severity="critical",
    title="loans version 1: worse",
    detail="loss 0.4 (reference 0.3)",
)
OVER = replace(
    ALERT, messages=1, last_message_at=NOW, resolved_at=EPOCH, closed_at=NOW + timedelta(hours=1), resolution="over"
)
SILENCE = Silence(
    1, MODEL, None, "we know", "ada", created_at=NOW, until=NOW + timedelta(hours=2)
)  # fmt: skip


def opened(*alerts: AlertRecord) -> AlertMessage:
    return message(PlannedMessage("opened", alerts or (ALERT,)))


def resolved(*alerts: AlertRecord) -> AlertMessage:
    return message(PlannedMessage("resolved", alerts or (OVER,)))


def of(alert: AlertRecord, **changes: Any) -> AlertRecord:
    return replace(alert, **changes)
