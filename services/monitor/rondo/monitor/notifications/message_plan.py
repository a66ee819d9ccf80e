"""The messages that are due: a decision from the alerts, the silences and the time.

Alerts of one version of a model are one group, and a message is about a group. The terms and the wait for further
alerts are those of Alertmanager (https://prometheus.io/docs/alerting/latest/configuration/#route). In contrast to
Alertmanager, the intervals between repetitions grow: an alert about a version is open until another version serves,
which may take weeks.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rondo.contracts.vocabularies import Severity
from rondo.monitor.notifications.alert_record import silence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from rondo.monitor.notifications.alert_record import AlertRecord, Silence

Reason = Literal["opened", "silence_ended", "repeated", "resolved"]
# The most urgent severity has the lowest rank.
_RANKS: dict[str, int] = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True)
class Policy:
    """The times of messages. A message waits `group_wait` after an alert has opened, for further alerts.

    `repeat` are the intervals between the messages about an alert that stays open. The last interval repeats. Without
    intervals there is one message. No message says that an alert below the severity `least` is open.
    """

    group_wait: timedelta
    repeat: tuple[timedelta, ...]
    least: Severity = Severity.INFO

    def sends(self, alert: AlertRecord) -> bool:
        """Return whether messages say that an alert is open. An unknown severity may be the most urgent one."""
        rank = _RANKS.get(alert.severity)
        return rank is None or rank <= _RANKS[self.least]

    def repeat_after(self, messages: int) -> timedelta | None:
        """Return the time from the message with this number, counted from 1, to the next one.

        None if there is no next one.
        """
        return self.repeat[min(messages, len(self.repeat)) - 1] if self.repeat else None


@dataclass(frozen=True)
class PlannedMessage:
    """A message about alerts of one group, the most severe first. Its id is a function of its content."""

    reason: Reason
    alerts: tuple[AlertRecord, ...]

    @property
    def message_id(self) -> str:
        end = "resolved" if self.reason == "resolved" else "firing"
        parts = sorted(f"{each.alert_id}/{each.messages}" for each in self.alerts)
        return hashlib.sha256("/".join([end, *parts]).encode()).hexdigest()[:32]


def due_messages(
    alerts: Iterable[AlertRecord], silences: Sequence[Silence], policy: Policy, now: datetime
) -> list[PlannedMessage]:
    """Return the messages that are due, the ends first.

    No message contains a silenced alert. An alert that ends before its first message has no message. The end of a
    silenced alert is sent after the silence, so that a receiver that got the alert also gets its end. So does one that
    got it before the policy had a higher severity.
    """
    groups = defaultdict[tuple[str, int | None], list["AlertRecord"]](list)
    for alert in alerts:
        if silence_of(alert, silences, now) is None:
            groups[alert.model, alert.version].append(alert)
    return [message for group in groups.values() for message in _of_group(group, silences, policy, now)]


def _of_group(
    group: Sequence[AlertRecord], silences: Sequence[Silence], policy: Policy, now: datetime
) -> list[PlannedMessage]:
    messages = []
    if ended := [each for each in group if each.closed_at and each.messages and not each.end_sent]:
        messages.append(PlannedMessage("resolved", _sorted(ended)))
    firing = [each for each in group if each.closed_at is None and policy.sends(each)]
    if reason := _reason(firing, silences, policy, now):
        messages.append(PlannedMessage(reason, _sorted(firing)))
    return messages


def _reason(firing: Sequence[AlertRecord], silences: Sequence[Silence], policy: Policy, now: datetime) -> Reason | None:
    """Return why a message about a group is due. None if no message is due."""
    if any(each.messages == 0 and each.opened_at + policy.group_wait <= now for each in firing):
        return "opened"
    if any(_silence_ended(each, silences, now) for each in firing):
        return "silence_ended"
    return "repeated" if any(_repeats(each, policy, now) for each in firing) else None


def _silence_ended(alert: AlertRecord, silences: Iterable[Silence], now: datetime) -> bool:
    """Return whether a silence of the alert has ended since the last message about it."""
    last = alert.last_message_at
    return last is not None and any(each.covers(alert) and last < each.end <= now for each in silences)


def _repeats(alert: AlertRecord, policy: Policy, now: datetime) -> bool:
    if alert.last_message_at is None:
        return False
    after = policy.repeat_after(alert.messages)
    return after is not None and alert.last_message_at + after <= now


def _sorted(alerts: Iterable[AlertRecord]) -> tuple[AlertRecord, ...]:
    def rank(alert: AlertRecord) -> tuple[int, datetime, str]:
        return _RANKS.get(alert.severity, len(_RANKS)), alert.raised_at, alert.alert_id

    return tuple(sorted(alerts, key=rank))
