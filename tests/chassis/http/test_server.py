"""Probes report every check, all other paths require a token, and a taken port is an error."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.chassis.health import Health
from rondo.chassis.http.server import PortTakenError, guarded, listen
from rondo.chassis.security.token_cache import TokenCache
from rondo.chassis.settings import ServiceSettings
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def client(health: Health) -> httpx.AsyncClient:
    app = guarded(health, TokenCache(), Starlette(routes=[Route("/v1/hello", hello)]))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def settings(port: int) -> ServiceSettings:
    return ServiceSettings.model_validate({"service": "registry", "kafka": "nowhere:1", "http_port": port})


async def test_a_service_that_still_starts_is_alive_and_not_ready() -> None:
    async with client(Health()) as http:
        assert (await http.get("/livez")).status_code == 200
        ready = await http.get("/readyz")
    assert ready.status_code == 503
    assert (ready.json()["ready"], ready.json()["checks"].keys()) == (False, {"start"})


async def test_readiness_names_the_unavailable_dependency_and_the_reason() -> None:
    error = UnavailableError("PostgreSQL", "ConnectionRefusedError")

    async def unavailable() -> None:
        raise error

    async def fine() -> None: ...

    health = Health()
    health.add("postgres", unavailable)
    health.add("kafka", fine)
    health.started()
    async with client(health) as http:
        ready = await http.get("/readyz")
        metrics = (await http.get("/metrics")).text
    assert ready.status_code == 503
    assert ready.json() == {"ready": False, "checks": {"postgres": str(error), "kafka": "ok"}}
    assert 'rondo_dependency_up{dependency="postgres"} 0.0' in metrics


async def test_a_dependency_that_hangs_is_red_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rondo.chassis.health._CHECK_SECONDS", 0.05)

    async def hangs() -> None:
        await asyncio.Event().wait()

    health = Health()
    health.add("kafka", hangs)
    assert (await health.report())["kafka"] == "no answer within 0.05 s"


async def test_a_port_that_is_taken_is_named_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError) as caught:
            async with listen(settings(port), guarded(Health(), TokenCache(), Starlette()), Health()):
                pass
    assert str(caught.value) == (
        f"port {port} on 127.0.0.1 is taken: stop what listens there, or give this service another, RONDO_HTTP_PORT"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.medium
async def test_every_accepted_connection_has_tcp_nodelay(host: str) -> None:
    accepted: list[socket.socket] = []

    async def look(request: Request) -> PlainTextResponse:
        transports = dict(asyncio.get_running_loop()._transports)  # type: ignore[attr-defined]
        sockets = [transport.get_extra_info("socket") for transport in transports.values()]
        accepted.extend(each for each in sockets if each.getsockname()[1] == request.url.port)
        return PlainTextResponse("ok")

    app = guarded(Health(), await token_cache(), Starlette(routes=[Route("/v1/look", look)]))
    chosen = settings(0).model_copy(update={"http_host": host})
    headers = bearer()
    async with listen(chosen, app, Health()) as port:
        url = f"http://[{host}]:{port}/v1/look" if ":" in host else f"http://{host}:{port}/v1/look"
        async with httpx.AsyncClient(headers=headers) as one, httpx.AsyncClient(headers=headers) as two:
            await one.get(url)
            await two.get(url)
            options = [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in accepted]
    assert len(options) == 3  # the first request sees one connection, the second sees both
    assert all(options)


async def test_a_request_in_flight_is_finished_at_the_stop() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> PlainTextResponse:
        entered.set()
        await release.wait()
        return PlainTextResponse("done")

    app = guarded(Health(), await token_cache(), Starlette(routes=[Route("/v1/slow", slow)]))
    async with httpx.AsyncClient(headers=bearer()) as http:
        async with listen(settings(0), app, Health()) as port:
            request = asyncio.create_task(http.get(f"http://127.0.0.1:{port}/v1/slow"))
            await entered.wait()
            asyncio.get_running_loop().call_later(0.05, release.set)
        assert (await request).text == "done"


async def test_a_stop_fails_readiness_and_finishes_requests_before_their_dependencies_close() -> None:
    entered, stop_signalled, is_open, health = asyncio.Event(), asyncio.Event(), [True], Health()

    async def slow(_: Request) -> PlainTextResponse:
        entered.set()
        await stop_signalled.wait()
        return PlainTextResponse("done" if is_open else "what the answer is_open on is closed")

    async def signal_stop() -> None:
        stop_signalled.set()

    health.on_shutdown(signal_stop)

    @asynccontextmanager
    async def dependency() -> AsyncIterator[None]:
        yield
        is_open.clear()

    app = guarded(health, await token_cache(), Starlette(routes=[Route("/v1/slow", slow)]))
    async with httpx.AsyncClient(headers=bearer()) as http:
        async with listen(settings(0), app, health) as port, dependency(), health.serving():
            assert (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
            request = asyncio.create_task(http.get(f"http://127.0.0.1:{port}/v1/slow"))
            await entered.wait()
        assert (await request).text == "done"
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://127.0.0.1:{port}/readyz")
    assert "ask another replica" in (await health.report())["stop"]


async def test_a_service_that_fails_does_not_wait_for_its_requests() -> None:
    health, finished = Health(), []

    async def finish() -> None:
        finished.append(True)

    health.on_shutdown(finish)
    with pytest.raises(RuntimeError):
        async with health.serving():
            raise RuntimeError
    assert finished == []
