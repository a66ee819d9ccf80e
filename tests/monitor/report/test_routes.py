"""The routes of closed windows and of the report."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.monitor import http
from rondo.monitor.errors import UnknownModelError, UnknownWindowError
from rondo.monitor.history.closed_window import KeptWindow, WindowPage, WindowQuery
from rondo.monitor.http import Opened, api, open_api
from rondo.monitor.report.page import report_page
from rondo.monitor.report.style import CONTENT_SECURITY_POLICY
from rondo.monitor.report.window_page import window_page
from rondo.monitor.status.window_detail import window_detail

from tests.monitor.builders import MODEL
from tests.monitor.report.story import story
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from typing import Any

    from rondo.monitor.status.model_status import ModelStatus, ModelSummary

# Tests in `notifications` cover the routes that need it.
UNUSED: Any = None
ASKED: list[WindowQuery] = []


async def require(model: str) -> None:
    if model != MODEL:
        raise UnknownModelError(model, [MODEL])


async def status(model: str) -> ModelStatus:
    await require(model)
    return story().status


async def windows(model: str, query: WindowQuery) -> WindowPage:
    """Return the windows whose number is below `before`. They are numbered from 1 on, the oldest first."""
    ASKED.append(query)
    found = story().windows
    first = 0 if query.before is None else len(found) - query.before + 1
    shown = found[first : first + query.limit]
    left = len(found) - first - len(shown)
    return WindowPage(windows=shown, next=left + 1 if left else None)


async def window(model: str, version: int, start: datetime) -> KeptWindow:
    await require(model)
    found = [each for each in story().kept if (each.window.model_version, each.window.start) == (version, start)]
    if not found:
        raise UnknownWindowError(model, version, start, story().windows[0].start)
    return found[0]


async def no_models() -> tuple[ModelSummary, ...]:
    return ()


async def get(path: str, role: Role = Role.READER) -> httpx.Response:
    app = api()
    open_api(app, Opened(no_models, status, require, windows, window, UNUSED, UNUSED, UNUSED))
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), app))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor", headers=bearer(role)) as client:
        return await client.get(f"/v1/models/{path}")


async def test_the_closed_windows_of_a_model_in_pages() -> None:
    starts: list[str] = []
    following = ""
    while True:
        page = (await get(f"{MODEL}/windows?limit=4{following}")).json()
        starts += [each["start"] for each in page["windows"]]
        if page["next"] is None:
            break
        following = f"&before={page['next']}"
    assert starts == [f"{each.start:%Y-%m-%dT%H:%M:%SZ}" for each in story().windows]
    assert page["windows"][0].keys() >= {"statistics", "evidence", "model_version", "labelled_rows"}


async def test_the_windows_of_a_time_are_asked_for_in_utc() -> None:
    query = "since=2024-03-01T01:00:00%2B01:00&until=2024-04-01T00:00:00Z"
    assert (await get(f"{MODEL}/windows?{query}")).status_code == 200
    assert ASKED[-1] == WindowQuery(20, None, datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))


async def test_the_report_is_a_page_with_a_policy() -> None:
    answer = await get(f"{MODEL}/report")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.text == report_page(story().status, story().windows)


async def test_the_page_is_made_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def page(*_: object) -> str:
        threads.append(threading.get_ident())
        return ""

    monkeypatch.setattr(http, "report_page", page)
    await get(f"{MODEL}/report")
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_a_window_has_its_distributions_and_a_page() -> None:
    kept = story().kept[0]
    path = f"{MODEL}/windows/1/{kept.window.start:%Y-%m-%dT%H:%M:%SZ}"
    found = (await get(path)).json()
    assert found == window_detail(kept).model_dump(mode="json")
    answer = await get(f"{path}/report")
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.text == window_page(MODEL, window_detail(kept))


@pytest.mark.parametrize("route", ["", "/report"])
async def test_a_window_that_is_not_kept_is_not_found_and_the_nearest_one_is_named(route: str) -> None:
    answer = await get(f"{MODEL}/windows/1/2025-06-01T00:00:00Z{route}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_window")
    detail, nearest = answer.json()["detail"], f"{story().windows[0].start:%Y-%m-%dT%H:%M:%SZ}"
    assert f"no closed window of {MODEL} version 1 begins at 2025-06-01T00:00:00Z: the nearest one begins at" in detail
    assert [each for each in (MODEL, "2025-06-01T00:00:00Z", nearest, "--history") if each not in detail] == []
    assert (await get(f"{MODEL}/windows/0/2025-06-01T00:00:00Z{route}")).status_code == 422
    assert (await get(f"{MODEL}/windows/1/soon{route}")).status_code == 422


WINDOW = "windows/1/2024-01-01T00:00:00Z"


@pytest.mark.parametrize("route", ["report", "windows", WINDOW, f"{WINDOW}/report"])
async def test_a_reader_may_look_and_an_unknown_model_is_not_found(route: str) -> None:
    assert (await get(f"{MODEL}/{route}", Role.PUBLISHER)).status_code == 403
    answer = await get(f"flights/{route}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "before=0", "before=x", f"before={2**63}", "since=2024-03-01", "until=soon"]
)
async def test_a_page_has_bounds(query: str) -> None:
    assert (await get(f"{MODEL}/windows?{query}")).status_code == 422
