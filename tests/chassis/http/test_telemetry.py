from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi import APIRouter
from prometheus_client import REGISTRY
from rondo.chassis.health import Health
from rondo.chassis.http.api import api, requires
from rondo.chassis.http.server import guarded
from rondo.chassis.telemetry import span
from rondo.contracts.access_tokens import Role

from tests.support.access import bearer, token_cache
from tests.support.spans import exporter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
router = APIRouter(prefix="/v1/cats", dependencies=[requires(Role.READER)])


@router.get("/{name}")
async def cat(name: str) -> str:
    with span("stroke", TRACEPARENT):
        if name == "tiger":
            raise ZeroDivisionError
        return name


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = api("Cats", "Has cats.")
    app.include_router(router)
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://cats", headers=bearer()) as opened:
        yield opened


@pytest.fixture
def spans() -> InMemorySpanExporter:
    exporter().clear()
    return exporter()


def count(route: str, status: str) -> float:
    labels = {"method": "GET", "route": route, "status": status}
    return REGISTRY.get_sample_value("rondo_http_request_seconds_count", labels) or 0


async def test_a_request_is_a_span_of_the_callers_trace(http: httpx.AsyncClient, spans: InMemorySpanExporter) -> None:
    await http.get("/v1/cats/tom", headers={"traceparent": TRACEPARENT})
    inner, outer = spans.get_finished_spans()
    assert outer.parent is not None
    assert (f"{outer.context.trace_id:032x}", f"{outer.parent.span_id:016x}") == (TRACE, PARENT)
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert outer.name == "GET /v1/cats/{name}"
    assert dict(outer.attributes or {}) == {
        "http.request.method": "GET", "http.route": "/v1/cats/{name}", "http.response.status_code": 200,
    }  # fmt: skip


async def test_a_failure_is_an_error_of_the_span(http: httpx.AsyncClient, spans: InMemorySpanExporter) -> None:
    before = count("/v1/cats/{name}", "500")
    await http.get("/v1/cats/tiger")
    assert not spans.get_finished_spans()[-1].status.is_ok
    assert count("/v1/cats/{name}", "500") == before + 1


async def test_unknown_paths_and_unauthenticated_requests_make_no_time_series(http: httpx.AsyncClient) -> None:
    missing, refused = count("", "404"), count("", "401")
    await http.get("/wp-admin.php")
    await http.get("/v1/cats/tom", headers={"authorization": "Bearer no"})
    assert (count("", "404"), count("", "401")) == (missing + 1, refused + 1)


async def test_probes_leave_no_trace(http: httpx.AsyncClient, spans: InMemorySpanExporter) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        await http.get(path)
    assert spans.get_finished_spans() == ()
