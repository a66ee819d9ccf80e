"""The monitor's HTTP API: the status of a model, and webhook deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http import api as http_api
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.times import Utc
from rondo.monitor.errors import UnknownModelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

router = APIRouter(prefix="/v1", dependencies=[http_api.requires(Role.READER)])


class WindowStatus(Window):
    """A window that is still open. Its figures decide nothing: it is evaluated once, when it closes."""

    enough_rows: bool
    statistics: tuple[Statistic, ...]
    roc_auc: float | None
    reference_roc_auc: float | None
    roc_auc_noise: float | None
    labelled_rows: int


class AlarmStatus(BaseModel):
    since: Utc | None
    windows_over: int
    alert_id: str | None


class Unmatched(BaseModel):
    """Rows that wait for their outcome, and outcomes that wait for their prediction."""

    predictions: int
    outcomes: int


class ModelStatus(BaseModel):
    """What the monitor knows of a model. `windows` are those of its champion; `alarms` has one for each kind."""

    model_config = ConfigDict(extra="allow")

    model: str
    version: int | None
    watermark: Utc | None
    outcomes_until: Utc | None
    windows: tuple[WindowStatus, ...]
    alarms: dict[str, AlarmStatus]
    unmatched: Unmatched
    clock_set_back: dict[str, int]
    dropped: dict[str, int]
    dropped_share: float


class Delivery(BaseModel):
    """One alert for one webhook, and how the last call was answered."""

    event_id: str
    receiver: str
    alert_id: str | None
    state: str
    attempts: int
    last_answer: str | None
    written_at: Utc


class DeliveryLog(BaseModel):
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True)
class Opened:
    """`status` returns that of a model (see `status_view`), `deliveries` the newest webhook calls."""

    status: Callable[[str], dict[str, Any]]
    deliveries: Callable[[], Awaitable[list[dict[str, Any]]]]


def api() -> FastAPI:
    """Return the application; until `open_api` it answers 503."""
    app = http_api.api(
        "Rondo monitor", "What is watched of each model, and what became of its alerts.", {UnknownModelError: 404}
    )
    app.include_router(router)
    app.state.opened = None
    return app


def open_api(app: FastAPI, opened: Opened) -> None:
    """Start to answer requests."""
    app.state.opened = opened


def _opened(request: Request) -> Opened:
    opened: Opened | None = request.app.state.opened
    if opened is None:
        raise UnavailableError("the monitor", "still starting; GET /readyz names what it waits for")
    return opened


Monitor = Annotated[Opened, Depends(_opened)]


@router.get("/models/{model}/drift", summary="What is watched of a model", response_model_exclude_unset=True)
async def drift(model: str, monitor: Monitor) -> ModelStatus:
    """Return open windows with their figures so far, alarms, unmatched rows, and rows that count in no window."""
    return ModelStatus.model_validate(monitor.status(model))


@router.get("/deliveries", summary="What became of the newest alerts")
async def deliveries(monitor: Monitor) -> DeliveryLog:
    """Return the newest deliveries to webhooks, the newest first."""
    return DeliveryLog.model_validate({"deliveries": await monitor.deliveries()})
