"""Alerts for people, by webhook: Slack-compatible JSON, or Alertmanager's API v2.

The addresses come from the operator's settings alone. A redirect is not followed: it would take the alert to an
address that nobody chose.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Format = Literal["slack", "alertmanager"]
FORMATS: tuple[Format, ...] = ("slack", "alertmanager")
_TIMEOUT = httpx.Timeout(5.0)
_SHOWN = 200
# Alertmanager takes an alert without an end for over after its `resolve_timeout` (5 min), unless it is posted again
# and again. A monitor that is away for longer ends no alert, so it names an end that never comes, until its own does.
_NEVER_ENDS = "2200-01-01T00:00:00Z"
# An end that lies in the future by Alertmanager's clock would not end anything.
_CLOCKS_DIFFER = timedelta(minutes=1)
# What httpx says of an address that it can't call, and is no HTTPError; the second is idna.IDNAError, of a host.
_UNCALLABLE = (httpx.InvalidURL, UnicodeError)
# None is that of the scheme.
_PORTS = {None, *range(1, 65536)}
# Whoever answers so asks to be called again.
_PASSING = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})


class WebhookUrlError(ValueError):
    """An address of RONDO_WEBHOOK_URLS can't be used."""

    def __init__(self, position: int) -> None:
        # Not the address: it may hold a secret, and this goes to a log.
        super().__init__(
            f"address number {position} is no webhook: write http(s)://host/path for Slack-compatible JSON, or "
            "alertmanager+http(s)://host:9093 for Alertmanager, with commas in between"
        )


@dataclass(frozen=True)
class Receiver:
    """Who hears of alerts. `name` tells it from others, for the database and the logs."""

    url: str
    format: Format

    @property
    def name(self) -> str:
        """The host, and enough of the address's digest to tell two receivers apart; no secret."""
        return f"{httpx.URL(self.url).host}#{hashlib.sha256(self.url.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Answer:
    """What a call came to: `delivered`, `refused` for good, or `retry`; `text` is for the delivery log."""

    outcome: Literal["delivered", "refused", "retry"]
    text: str


def receivers(text: str) -> tuple[Receiver, ...]:
    """Read the operator's setting: addresses with commas in between.

    Raises:
        WebhookUrlError: one of them is no http(s) address.

    """
    return tuple(_receiver(each.strip(), n) for n, each in enumerate(text.split(","), 1) if each.strip())


def _receiver(text: str, position: int) -> Receiver:
    prefix, _, rest = text.partition("+")
    kind = next((known for known in FORMATS if known == prefix), None)
    url = rest if kind else text
    path = _path(url)
    if path is None:
        raise WebhookUrlError(position)
    if kind == "alertmanager" and path in ("", "/"):
        url = f"{url.rstrip('/')}/api/v2/alerts"
    return Receiver(url, kind or "slack")


def _path(url: str) -> str | None:
    """Return the path of an address that can be called, or None: the client's own reading of it decides."""
    try:
        parts = httpx.URL(url)
        usable = parts.scheme in ("http", "https") and parts.host and parts.port in _PORTS
    except _UNCALLABLE:
        return None
    return parts.path if usable else None


def body(kind: Format, alert: Mapping[str, Any], now: datetime) -> Any:
    """Return the JSON of a call; `alert` is AlertRaised or AlertResolved as JSON."""
    return _alertmanager(alert, now) if kind == "alertmanager" else _slack(alert)


def _slack(alert: Mapping[str, Any]) -> dict[str, Any]:
    over = "resolved_at" in alert
    head = f"Resolved: {alert['model']}" if over else f"{alert['severity'].upper()}: {alert['title']}"
    return {"text": f"{head}\n{alert['detail']}", "status": "resolved" if over else "firing", **alert}


def _alertmanager(alert: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    # Alertmanager knows an alert by its labels, so those of the end are those of the beginning; see `postableAlerts`
    # of its OpenAPI v2.
    labels = {"alertname": "RondoFinding", "model": alert["model"], "alert_id": alert["alert_id"]}
    if "resolved_at" in alert:
        ended = min(datetime.fromisoformat(alert["resolved_at"]), now - _CLOCKS_DIFFER).isoformat()
        return [{"labels": labels, "annotations": {"description": alert["detail"]}, "endsAt": ended}]
    annotations = {"summary": alert["title"], "description": alert["detail"], "severity": alert["severity"]}
    return [{"labels": labels, "annotations": annotations, "startsAt": alert["raised_at"], "endsAt": _NEVER_ENDS}]


class Webhook:
    """Calls receivers; `now` tells the time in UTC."""

    def __init__(self, client: httpx.AsyncClient, now: Callable[[], datetime]) -> None:
        self._client, self._now = client, now

    async def call(self, receiver: Receiver, event_id: str, alert: Mapping[str, Any]) -> Answer:
        """Deliver one alert; `event_id` goes along, by which the receiver can tell a repetition."""
        try:
            answer = await self._client.post(
                receiver.url,
                json=body(receiver.format, alert, self._now()),
                headers={"Idempotency-Key": event_id},
                timeout=_TIMEOUT,
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            return Answer("retry", f"{type(error).__name__}: {error}"[:_SHOWN])
        except _UNCALLABLE as error:
            return Answer("refused", f"the address can't be called ({type(error).__name__}); see RONDO_WEBHOOK_URLS")
        text = f"{answer.status_code} {answer.reason_phrase}"
        if answer.is_success:
            return Answer("delivered", text)
        passing = answer.is_server_error or answer.status_code in _PASSING
        return Answer("retry" if passing else "refused", f"{text}: {answer.text}"[:_SHOWN])
