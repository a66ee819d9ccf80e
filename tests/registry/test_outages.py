"""PostgreSQL is unavailable at the start and in the middle, or the port is taken: the messages, and the recovery."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from tests.support.access import bearer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rondo.registry.settings import Settings

DEADLINE = 40.0


class Cable:
    """A TCP proxy to PostgreSQL that can be unplugged and plugged in. It refuses connections while unplugged."""

    def __init__(self, host: str, port: int, listen: int) -> None:
        self._target = (host, port)
        self._listen = listen
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def plug(self) -> None:
        """Accept connections from now on."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._listen)

    async def pull(self) -> None:
        """Break every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        ends = {writer, far_writer}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, far_writer))
                group.create_task(_pump(far_reader, writer))
        finally:
            self._open -= ends


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while content := await reader.read(65_536):
            writer.write(content)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


@asynccontextmanager
async def cable(dsn: str, port: int) -> AsyncIterator[tuple[Cable, str]]:
    """Yield an unplugged cable, and the DSN through it."""
    parts = urlsplit(dsn)
    pulled = Cable(parts.hostname or "127.0.0.1", parts.port or 5432, port)
    user = parts.netloc.rpartition("@")[0]
    try:
        yield pulled, parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
    finally:
        await pulled.pull()


async def health(client: httpx.AsyncClient) -> dict[str, Any]:
    try:
        report: dict[str, Any] = (await client.get("/readyz")).json()
    except httpx.TransportError:
        return {"ready": False, "checks": {}}
    return report


async def until_health(client: httpx.AsyncClient, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        report = await health(client)
        return report if condition(report) else None

    reached: dict[str, Any] = await until(found, DEADLINE)
    return reached


async def test_postgresql_unavailable_at_the_start_and_in_the_middle(
    clean_kafka: str,
    registry_settings: Settings,
    run_registry: Callable[..., Any],
    free_port: Callable[[], int],
    spec_text: str,
) -> None:
    async with cable(registry_settings.postgres.get_secret_value(), free_port()) as (line, dsn):
        settings = registry_settings.model_copy(update={"kafka": clean_kafka, "postgres": SecretStr(dsn)})
        headers = bearer()
        async with (
            run_registry(settings) as running,
            httpx.AsyncClient(base_url=running.url, headers=headers, timeout=15) as client,
        ):
            report = await until_health(client, lambda r: bool(r["checks"]))
            assert report["checks"]["postgresql"] == (
                "PostgreSQL is not available (it has not answered yet: start it, or correct RONDO_POSTGRES if its "
                "address is wrong); this will be tried again until it is"
            )
            answer = await client.put("/v1/specs", content=spec_text)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            await line.plug()
            await until_health(client, lambda r: r["ready"])
            assert (await client.put("/v1/specs", content=spec_text)).status_code == 200

            await line.pull()
            report = await until_health(client, lambda r: not r["ready"])
            assert report["checks"]["postgresql"].startswith("PostgreSQL is not available (")
            assert report["checks"]["kafka"] == "ok"
            answer = await client.get("/v1/models")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert "nothing was changed: send the request again once /readyz answers 200" in answer.json()["detail"]
            assert (await client.get("/livez")).status_code == 200

            await line.plug()
            await until_health(client, lambda r: r["ready"])
            assert (await client.get("/v1/models/late")).json()["spec_revision"] == 1
            assert (await client.put("/v1/specs", content=spec_text)).json()["changed"] is False
    assert running.exit_code == 0


@pytest.mark.slow
async def test_a_port_that_is_taken(registry_settings: Settings, run_registry: Callable[..., Any]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", registry_settings.http_port))
        other.listen()
        async with run_registry(registry_settings) as running:
            assert await asyncio.to_thread(running.wait, 60) == 2
    message = running.lines()[-1]["message"]
    assert message.startswith(f"port {registry_settings.http_port} on 127.0.0.1 is taken: ")
    assert "RONDO_HTTP_PORT" in message


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["RONDO_ARTIFACTS"])
async def test_settings_that_are_missing(
    registry_settings: Settings, run_registry: Callable[..., Any], missing: str
) -> None:
    async with run_registry(registry_settings, without=missing) as running:
        assert await asyncio.to_thread(running.wait, 60) == 2
    assert f"{missing} is not set" in running.log.read_text()
