"""The monitor's HTTP API: the status and the closed windows of a model. Routes about alerts: `notifications.http`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response

from rondo.chassis.errors import UnavailableError
from rondo.chassis.http import api as http_api
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.monitor.assignment.postgres_replicas import ReplicaList  # noqa: TC001 - FastAPI reads it at run time
from rondo.monitor.errors import (
    UnknownDeliveryError,
    UnknownModelError,
    UnknownReceiverError,
    UnknownSilenceError,
    UnknownWindowError,
    UnreadableStateError,
)
from rondo.monitor.history.closed_window import KeptWindow, WindowPage, WindowQuery
from rondo.monitor.label_requests.wanted_labels import WantedLabels  # noqa: TC001 - FastAPI reads it at run time
from rondo.monitor.notifications import http as notifications
from rondo.monitor.notifications.http import ModelName  # noqa: TC001 - FastAPI reads it at run time
from rondo.monitor.report.page import report_page
from rondo.monitor.report.style import CONTENT_SECURITY_POLICY
from rondo.monitor.report.window_page import window_page
from rondo.monitor.status.model_status import ModelStatus, ModelSummary
from rondo.monitor.status.window_detail import WindowDetail, window_detail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from datetime import datetime

    from rondo.monitor.notifications.http import Notifications

_WINDOWS_OF_REPORT = 200
Before = Annotated[int | None, Query(ge=1, le=notifications.LARGEST_ID, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200, description="the most windows of a page")]
Since = Annotated[Utc | None, Query(description="only windows that begin then or later, such as 2024-03-01T00:00:00Z")]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
Start = Annotated[Utc, Path(description="the begin of the window, such as 2024-03-01T00:00:00Z")]
Until = Annotated[Utc | None, Query(description="only windows that begin before this time")]
Budget = Annotated[int, Query(ge=1, le=10_000, description="the most predictions of a day")]
Uncertain = Annotated[bool, Query(description="choose those with an uncertain loss more often")]
router = APIRouter(prefix="/v1", dependencies=[http_api.requires(Role.READER)])


class ModelList(Value):
    models: tuple[ModelSummary, ...]


@dataclass(frozen=True)
class Opened:
    """The services behind the routes, once they are available.

    `status` returns the status of a model (see `status.model_status`). `require` raises UnknownModelError. `windows`
    returns closed windows, see `WindowLog.page`, and `window` one of them. `notifications` are alerts and their
    messages.
    """

    summaries: Callable[[], Awaitable[tuple[ModelSummary, ...]]]
    status: Callable[[str], Awaitable[ModelStatus]]
    require: Callable[[str], Awaitable[None]]
    windows: Callable[[str, WindowQuery], Awaitable[WindowPage]]
    window: Callable[[str, int, datetime], Awaitable[KeptWindow]]
    notifications: Notifications
    wanted_labels: Callable[[str, int, bool], Awaitable[WantedLabels]]
    replicas: Callable[[], Awaitable[ReplicaList]]


def api() -> FastAPI:
    """Return the application. It answers 503 until `open_api` is called."""
    unknown = dict.fromkeys((UnknownModelError, UnknownWindowError, UnknownSilenceError, UnknownDeliveryError), 404)
    app = http_api.api(
        "Rondo monitor",
        "The status of each model, and its alerts.",
        {**unknown, UnknownReceiverError: 409, UnreadableStateError: 503},
    )
    for each in (router, notifications.readers, notifications.engineers):
        app.include_router(each)
    app.state.opened = app.state.notifications = None
    return app


def open_api(app: FastAPI, opened: Opened) -> None:
    """Start to answer requests with `opened`."""
    app.state.opened, app.state.notifications = opened, opened.notifications


def _opened(request: Request) -> Opened:
    found: Opened | None = request.app.state.opened
    return notifications.started(found)


Monitor = Annotated[Opened, Depends(_opened)]


@router.get("/models", summary="The monitored models")
async def models(monitor: Monitor) -> ModelList:
    """Return each model's champion, the reasons why it can't be judged yet, and its open alerts with their silences."""
    summaries = await monitor.summaries()
    try:
        silenced = await monitor.notifications.alerts.silenced()
    except UnavailableError:
        # The summaries do not need PostgreSQL. While it is unavailable, it is unknown which alerts are silenced.
        return ModelList(models=summaries)
    return ModelList(models=tuple(_marked(each, silenced) for each in summaries))


def _marked(summary: ModelSummary, silenced: Collection[tuple[str, str]]) -> ModelSummary:
    kinds = tuple(kind for kind in summary.open_alerts if (summary.model, kind) in silenced)
    return summary.model_copy(update={"silenced_alerts": kinds})


@router.get("/replicas", summary="The replicas of the monitor")
async def replicas(monitor: Monitor) -> ReplicaList:
    """Return the partitions of both logs that each replica has, and so the models that are in its memory."""
    return await monitor.replicas()


@router.get("/models/{model}/drift", summary="The status of a model")
async def drift(model: ModelName, monitor: Monitor) -> ModelStatus:
    """Return the changes and their start times, the evidence by column, the newest distributions and figures.

    The status also has unmatched rows, and rows that count in no window.
    """
    return await monitor.status(model)


@router.get("/models/{model}/windows", summary="The closed windows of a model")
async def windows(
    model: ModelName,
    monitor: Monitor,
    before: Before = None,
    limit: Limit = 20,
    since: Since = None,
    until: Until = None,
) -> WindowPage:
    """Return the newest closed windows, with their figures and the evidence at their ends."""
    await monitor.require(model)
    return await monitor.windows(model, WindowQuery(limit, before, since, until))


@router.get("/models/{model}/windows/{version}/{start}", summary="One closed window of a version")
async def window(model: ModelName, version: VersionNumber, start: Start, monitor: Monitor) -> WindowDetail:
    """Return the window that begins at `start`, with the distribution of each column beside the training data."""
    await monitor.require(model)
    kept = await monitor.window(model, version, start)
    # Compiling a profile of many columns takes up to a second.
    return await asyncio.to_thread(window_detail, kept)


@router.get(
    "/models/{model}/windows/{version}/{start}/report",
    summary="A report about one closed window as a page",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
async def window_report(model: ModelName, version: VersionNumber, start: Start, monitor: Monitor) -> Response:
    """Return one HTML file without scripts or external resources: performance, slices, distributions, cost."""
    await monitor.require(model)
    kept = await monitor.window(model, version, start)
    return _page(await asyncio.to_thread(lambda: window_page(model, window_detail(kept))))


@router.get("/models/{model}/labels/wanted", summary="The predictions whose outcomes are wanted")
async def wanted_labels(
    model: ModelName,
    monitor: Monitor,
    budget: Budget = 100,
    uncertain: Uncertain = False,  # noqa: FBT002 - of the query
) -> WantedLabels:
    """Return predictions without an outcome, at most `budget` of each day of event time, and how they were chosen."""
    return await monitor.wanted_labels(model, budget, uncertain)


@router.get(
    "/models/{model}/report",
    summary="A report about a model as a page",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
async def report(model: ModelName, monitor: Monitor) -> Response:
    """Return one HTML file without scripts or external resources: the verdict, distributions, evidence, performance."""
    status, page = await monitor.status(model), await monitor.windows(model, WindowQuery(_WINDOWS_OF_REPORT))
    # Rendering runs outside the event loop: a page of many columns and windows takes up to a second.
    return _page(await asyncio.to_thread(report_page, status, page.windows))


def _page(content: str) -> Response:
    headers = {"content-security-policy": CONTENT_SECURITY_POLICY}
    return Response(content, media_type="text/html", headers=headers)
