"""The routes of the HTTP API about alerts, silences and deliveries. None of them takes a path or an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ConfigDict, Field

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http import api as http_api
from rondo.chassis.http.api import Engineer  # noqa: TC001 - FastAPI reads it at run time
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.base import Value
from rondo.contracts.text import Message, Text
from rondo.contracts.times import LONGEST_SILENCE, Utc
from rondo.contracts.vocabularies import AlertKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rondo.monitor.notifications.alert_record import AlertRecord, Silence
    from rondo.monitor.notifications.postgres_alerts import PostgresAlerts
    from rondo.monitor.notifications.webhook_delivery import Deliveries

T = TypeVar("T")
LARGEST_ID = 2**63 - 1
"""The largest value of PostgreSQL's bigint."""
RowId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
ModelName = Annotated[Text, Path()]
OfModel = Annotated[Text | None, Query(description="only those of this model")]
readers = APIRouter(prefix="/v1", dependencies=[http_api.requires(Role.READER)])
engineers = APIRouter(prefix="/v1", dependencies=[http_api.requires(Role.ENGINEER)])


class SilenceView(Value):
    """A silence of a model's alerts, or of those of a kind. `active` is whether it holds back messages now."""

    silence_id: int
    model: str
    kind: str | None
    reason: str
    created_by: str
    created_at: Utc
    until: Utc
    ended_at: Utc | None
    ended_by: str | None
    active: bool


class AlertView(Value):
    """An alert. `raised_at` and `resolved_at` are event times, the others are times of the clock.

    `messages` is the number of messages that reported it as open. `state` is `open`, `silenced` or `resolved`.
    `silence` is that of a silenced alert.
    """

    alert_id: str
    model: str
    model_version: int | None
    kind: str
    severity: str
    title: str
    detail: str
    state: str
    silence: SilenceView | None
    raised_at: Utc
    opened_at: Utc
    resolved_at: Utc | None
    closed_at: Utc | None
    resolution: str
    messages: int
    last_message_at: Utc | None


class AlertList(Value):
    alerts: tuple[AlertView, ...]


class SilenceList(Value):
    silences: tuple[SilenceView, ...]


class Delivery(Value):
    """A message for one receiver, and the answer to the last call."""

    id: int
    message_id: str
    receiver: str
    model: str
    status: str
    reason: str
    alert_ids: tuple[str, ...]
    state: str
    attempts: int
    last_answer: str
    written_at: Utc


class DeliveryLog(Value):
    deliveries: tuple[Delivery, ...]


class NewSilence(Value):
    """A silence for `seconds` from now, 30 days at most. Without `kind` it covers all alerts of the model.

    Other members are rejected, because a misspelt `kind` would silence all alerts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: AlertKind | None = None
    seconds: float = Field(gt=0, le=LONGEST_SILENCE.total_seconds())
    reason: Message = Field(min_length=1)


@dataclass(frozen=True)
class Notifications:
    """The services behind the routes. `require` raises UnknownModelError."""

    alerts: PostgresAlerts
    deliveries: Deliveries
    require: Callable[[str], Awaitable[None]]


def started(part: T | None) -> T:
    """Return a part of the monitor. It is None until the monitor has started.

    Raises:
        UnavailableError: the monitor has not started.

    """
    if part is None:
        raise UnavailableError("the monitor", "still starting; GET /readyz names what it waits for")
    return part


def _opened(request: Request) -> Notifications:
    found: Notifications | None = request.app.state.notifications
    return started(found)


Opened = Annotated[Notifications, Depends(_opened)]


@readers.get("/alerts", summary="Open alerts, and those that ended in the last seven days")
async def alerts(opened: Opened, model: OfModel = None) -> AlertList:
    """Return the alerts, the open ones first, each with its silence if it has one."""
    if model is not None:
        await opened.require(model)
    return AlertList(alerts=tuple(_alert(*each) for each in await opened.alerts.alerts(model)))


@readers.get("/silences", summary="Silences that are active or ended in the last seven days")
async def silences(opened: Opened, model: OfModel = None) -> SilenceList:
    """Return the silences, and who made and ended them."""
    if model is not None:
        await opened.require(model)
    found = await opened.alerts.silences(model)
    return SilenceList(silences=tuple(_silence(each, active=active) for each, active in found))


@readers.get("/deliveries", summary="The newest deliveries of messages about alerts")
async def deliveries(opened: Opened, model: OfModel = None) -> DeliveryLog:
    """Return the newest deliveries to receivers, the newest first."""
    if model is not None:
        await opened.require(model)
    return DeliveryLog.model_validate({"deliveries": await opened.deliveries.log(model)})


@engineers.post("/models/{model}/silences", summary="Silence the alerts of a model", status_code=201)
async def silence(model: ModelName, body: NewSilence, opened: Opened, principal: Engineer) -> SilenceView:
    """Hold back the messages about alerts. The alerts open, end and are listed as before."""
    await opened.require(model)
    lasting = timedelta(seconds=body.seconds)
    return _silence(await opened.alerts.silence(model, body.kind, lasting, body.reason, principal.name), active=True)


@engineers.delete("/silences/{silence_id}", summary="End a silence early")
async def end_silence(silence_id: RowId, opened: Opened, principal: Engineer) -> SilenceView:
    """End a silence now. Messages about alerts that are open are sent again."""
    return _silence(await opened.alerts.end_silence(silence_id, principal.name), active=False)


@engineers.post("/deliveries/{delivery_id}/redeliver", summary="Deliver a message again", status_code=202)
async def redeliver(delivery_id: RowId, opened: Opened) -> Delivery:
    """Deliver a message again to its receiver, with the same id."""
    return Delivery.model_validate(await opened.deliveries.redeliver(delivery_id))


def _alert(alert: AlertRecord, silence: Silence | None) -> AlertView:
    return AlertView(
        alert_id=alert.alert_id,
        model=alert.model,
        model_version=alert.version,
        kind=alert.kind,
        severity=alert.severity,
        title=alert.title,
        detail=alert.detail,
        state="resolved" if alert.closed_at else "silenced" if silence else "open",
        silence=_silence(silence, active=True) if silence else None,
        raised_at=alert.raised_at,
        opened_at=alert.opened_at,
        resolved_at=alert.resolved_at,
        closed_at=alert.closed_at,
        resolution=alert.resolution,
        messages=alert.messages,
        last_message_at=alert.last_message_at,
    )


def _silence(silence: Silence, *, active: bool) -> SilenceView:
    return SilenceView(
        silence_id=silence.silence_id,
        model=silence.model,
        kind=silence.kind,
        reason=silence.reason,
        created_by=silence.created_by,
        created_at=silence.created_at,
        until=silence.until,
        ended_at=silence.ended_at,
        ended_by=silence.ended_by,
        active=active,
    )
