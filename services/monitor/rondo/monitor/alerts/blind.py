"""What is said when the monitor sees too little of a model to tell anything about it, and when it sees again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import AlertRaised
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.findings import Announcement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rondo.monitor.alerts.coverage import Coverage, Turn

# Rows that are late, or too far ahead of when they were made; whose profile never came; that had to make room while
# they waited for it.
REASONS = ("late_rows", "future_rows", "unprofiled", "dropped")


def ring(model: str, turn: Turn, counted: Mapping[str, int], at: datetime) -> Announcement:
    """Say that too many rows count in no window, or that they count again; `counted` are the reasons, in all."""
    block = turn.block
    if turn.change == "raised":
        return _raised(model, block, counted, at)
    why = f"{1 - block.share:.0%} of the last {block.rows:,} rows count in a window again"
    return findings.resolved(model, _alert_id(model, str(block.alarm.alert_id)), at, why)


def _raised(model: str, block: Coverage, counted: Mapping[str, int], at: datetime) -> Announcement:
    reasons = ", ".join(f"{reason} {counted[reason]:,}" for reason in REASONS)
    alert = AlertRaised(
        model=model,
        alert_id=_alert_id(model, str(block.blocks)),
        severity="critical",
        title=f"{model}: the monitor can't see {block.share:.0%} of its requests",
        detail=(
            f"{block.left_out:,} of the last {block.rows:,} rows count in no window, so drift and decline go unnoticed "
            f"(in all: {reasons}). Late or future rows: correct the event_time of the requests. Unprofiled or dropped: "
            "train the model anew and promote that version."
        ),
        raised_at=at,
    )
    return Announcement(alert, f"{alert.alert_id}-raised")


def _alert_id(model: str, block: str) -> str:
    """Return the alert's id: a function of the model and the number of rows before it."""
    return hashlib.sha256(f"{model}/coverage/{block}".encode()).hexdigest()[:32]
