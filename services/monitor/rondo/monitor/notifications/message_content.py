"""The content of a message: the values that are stored, its text for people, and the body in each format."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import AlertKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.monitor.notifications.alert_record import AlertRecord
    from rondo.monitor.notifications.message_plan import PlannedMessage

# Alertmanager resolves an alert without an end after its `resolve_timeout` (5 min), unless it is posted repeatedly. An
# outage of the monitor must not resolve an alert, so a firing alert has an end in the far future.
_NEVER_ENDS = "2200-01-01T00:00:00Z"
# An end that is in the future by Alertmanager's clock would not resolve the alert.
_MAX_CLOCK_SKEW = timedelta(minutes=1)
# The kinds of alerts that evidence of the false-alarm rate opens.
BY_EVIDENCE = (
    AlertKind.DRIFT,
    AlertKind.PERFORMANCE,
    AlertKind.SLICES,
    AlertKind.QUALITY,
    AlertKind.DETECTORS,
    AlertKind.FAIRNESS,
)
# A model and its version, None for alerts about all requests.
Version = tuple[str, int | None]
_UNKNOWN: Mapping[Version, bool] = {}
_OPENINGS = {"repeated": "Still open: ", "silence_ended": "No longer silenced: "}


class MessageAlert(Value):
    """An alert in a message. `resolved_at` and `resolution` are set once it is resolved. Times are event times.

    `evident_over_models` is whether the evidence of an open alert suffices among all models. It is None for alerts that
    are not by evidence, and where that is not known.
    """

    alert_id: str
    kind: str
    severity: str
    title: str
    detail: str
    raised_at: Utc
    resolved_at: Utc | None = None
    resolution: str | None = None
    evident_over_models: bool | None = None


class AlertMessage(Value):
    """A message about alerts. `status` is `firing` or `resolved`, for all its alerts. `reason` is why it is sent."""

    message_id: str
    status: str
    reason: str
    model: str
    model_version: int | None
    alerts: tuple[MessageAlert, ...]


def message(planned: PlannedMessage, evident: Mapping[Version, bool] = _UNKNOWN) -> AlertMessage:
    """Return the content of a message. `evident` is whether the evidence of a version suffices among all models."""
    first = planned.alerts[0]
    return AlertMessage(
        message_id=planned.message_id,
        status="resolved" if planned.reason == "resolved" else "firing",
        reason=planned.reason,
        model=first.model,
        model_version=first.version,
        alerts=tuple(message_alert(each, evident) for each in planned.alerts),
    )


def message_alert(alert: AlertRecord, evident: Mapping[Version, bool] = _UNKNOWN) -> MessageAlert:
    is_by_evidence = alert.kind in BY_EVIDENCE and alert.closed_at is None
    return MessageAlert(
        alert_id=alert.alert_id,
        kind=alert.kind,
        severity=alert.severity,
        title=alert.title,
        detail=alert.detail,
        raised_at=alert.raised_at,
        resolved_at=alert.resolved_at,
        resolution=alert.resolution if alert.resolved_at else None,
        evident_over_models=evident.get((alert.model, alert.version)) if is_by_evidence else None,
    )


def with_ends(content: AlertMessage, ends: Mapping[str, tuple[datetime, str]]) -> AlertMessage:
    """Return the message with the ends of its alerts that are resolved by now, by `alert_id`."""
    alerts = [
        each.model_copy(update={"resolved_at": ends[each.alert_id][0], "resolution": ends[each.alert_id][1]})
        if each.alert_id in ends
        else each
        for each in content.alerts
    ]
    return content.model_copy(update={"alerts": tuple(alerts)})


def title(content: AlertMessage) -> str:
    """Return the title, one line."""
    first = content.alerts[0]
    opening = "Resolved: " if content.status == "resolved" else _OPENINGS.get(content.reason, "")
    if len(content.alerts) == 1:
        return f"{opening}{first.title}" if content.status == "resolved" else f"{opening}{_headline(first)}"
    version = "" if content.model_version is None else f" version {content.model_version}"
    return f"{opening}{content.model}{version}: {len(content.alerts)} alerts"


def text(content: AlertMessage) -> str:
    """Return the lines below the title."""
    resolved = content.status == "resolved"
    if len(content.alerts) == 1:
        return _explanation(content.alerts[0], resolved=resolved)
    return "\n".join(
        f"- {each.title if resolved else _headline(each)}\n  {_explanation(each, resolved=resolved)}"
        for each in content.alerts
    )


def slack_body(content: AlertMessage) -> dict[str, Any]:
    """Return the message with its text in the member that Slack displays."""
    return {"text": f"{title(content)}\n{text(content)}", **content.model_dump(mode="json")}


def alertmanager_body(content: AlertMessage, now: datetime) -> list[dict[str, Any]]:
    """Return `postableAlerts` of Alertmanager's OpenAPI v2.

    Alertmanager identifies an alert by its labels, so these do not change when it is resolved.
    """
    return [_postable(content, each, now) for each in content.alerts]


def _postable(content: AlertMessage, alert: MessageAlert, now: datetime) -> dict[str, Any]:
    labels = {
        "alertname": "RondoFinding", "model": content.model, "alert_id": alert.alert_id, "kind": alert.kind,
        "severity": alert.severity,
    }  # fmt: skip
    if content.model_version is not None:
        labels["model_version"] = str(content.model_version)
    explanation = _explanation(alert, resolved=alert.resolved_at is not None)
    annotations = {"summary": f"{alert.title}{_mark(alert)}", "description": explanation}
    if alert.resolved_at is not None:
        ended = min(alert.resolved_at, now - _MAX_CLOCK_SKEW).isoformat()
        return {"labels": labels, "annotations": annotations, "endsAt": ended}
    starts = alert.raised_at.isoformat().replace("+00:00", "Z")
    return {"labels": labels, "annotations": annotations, "startsAt": starts, "endsAt": _NEVER_ENDS}


def _headline(alert: MessageAlert) -> str:
    return f"{alert.severity.upper()}: {alert.title}{_mark(alert)}"


def _mark(alert: MessageAlert) -> str:
    return " (weak among all models)" if alert.evident_over_models is False and alert.resolved_at is None else ""


def _explanation(alert: MessageAlert, *, resolved: bool) -> str:
    return (alert.resolution or "") if resolved else alert.detail
