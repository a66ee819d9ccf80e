"""An alert and a silence as they are stored, and their effects at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass(frozen=True)
class AlertRecord:
    """An alert. `raised_at` and `resolved_at` are event times. `opened_at` and `closed_at` are times of the clock.

    `messages` counts the messages about the open alert, and `last_message_at` is the time of the last one. `end_sent`
    is whether a message has reported its end.
    """

    alert_id: str
    model: str
    version: int | None
    kind: str
    severity: str
    title: str
    detail: str
    raised_at: datetime
    opened_at: datetime
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    resolution: str = ""
    messages: int = 0
    last_message_at: datetime | None = None
    end_sent: bool = False


@dataclass(frozen=True)
class Silence:
    """A silence of a model's alerts, or of those of a kind, until a time or until a person ends it."""

    silence_id: int
    model: str
    kind: str | None
    reason: str
    created_by: str
    created_at: datetime
    until: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None

    @property
    def end(self) -> datetime:
        """The time at which the silence ends, or ended."""
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

    def active(self, now: datetime) -> bool:
        return now < self.end

    def covers(self, alert: AlertRecord) -> bool:
        """Return whether the silence is about the alert, independent of the time."""
        return self.model == alert.model and self.kind in {None, alert.kind}


def silence_of(alert: AlertRecord, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """Return the active silence of an alert that lasts longest. None if there is none."""
    found = [each for each in silences if each.active(now) and each.covers(alert)]
    return max(found, key=lambda each: each.end, default=None)
