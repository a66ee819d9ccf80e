"""The bytes that a client sends outside of bodies are limited before authentication. Bodies are not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http.bounded_protocol import MAX_BYTES
from rondo.chassis.http.problems import MEDIA_TYPE
from rondo.chassis.http.server import guarded, listen
from rondo.chassis.settings import ServiceSettings
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

TOKEN = f"authorization: {bearer()['authorization']}\r\nhost: h\r\n"
CHUNKED = f"POST /size HTTP/1.1\r\n{TOKEN}transfer-encoding: chunked\r\n\r\n".encode()


async def size(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    app = guarded(Health(), await token_cache(), Starlette(routes=[Route("/size", size, methods=["POST"])]))
    settings = ServiceSettings.model_validate({"service": "registry", "kafka": "nowhere:1", "http_port": 0})
    async with listen(settings, app, Health()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.close()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /livez?", b"x" * 1000),
        (b"GET /livez HTTP/1.1\r\nx: ", b"x" * 1000),
        (b"GET /livez HTTP/1.1\r\n", b"x: %b\r\n" % (b"x" * 1000)),
        (CHUNKED + b"0\r\n", b"x: %b\r\n" % (b"x" * 1000)),
        (CHUNKED + b"1;", b"x" * 1000),
    ],
    ids=["url", "header", "headers", "trailers", "chunk extension"],
)
@pytest.mark.medium
async def test_a_client_that_sends_no_end_is_refused(connection: Connection, begin: bytes, more: bytes) -> None:
    reader, writer = connection
    writer.write(begin)
    answer = asyncio.create_task(reader.read(12))
    for _ in range(100 * MAX_BYTES // len(more)):
        if answer.done() or writer.is_closing():
            break
        writer.write(more)
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        try:
            assert await answer in {b"HTTP/1.1 400", b""}
        except ConnectionResetError:  # what was on its way met a closed socket, and took the answer with it
            return


SEND_HTTP = "send HTTP/1.1, with a known method, valid headers and a URL of less than 64 KiB"


@pytest.mark.parametrize(
    ("sent", "code", "to_do"),
    [
        (b"BREW /livez HTTP/1.1\r\nhost: h\r\n\r\n", "malformed_http", SEND_HTTP),
        (b"GET /livez HTTP/1.1\r\nhost: h\r\ncontent-length: many\r\n\r\n", "malformed_http", SEND_HTTP),
        (b"nothing\r\n\r\n", "malformed_http", SEND_HTTP),
        (b"GET /livez?%b HTTP/1.1\r\nhost: h\r\n\r\n" % (b"x" * MAX_BYTES), "malformed_http", SEND_HTTP),
        (b"GET /livez HTTP/1.1\r\nx: " + b"x" * MAX_BYTES, "headers_too_large", "send a shorter URL and headers"),
    ],
    ids=["method", "content-length", "no request", "long url", "long header"],
)
@pytest.mark.medium
async def test_what_is_no_request_is_answered_with_a_problem(
    connection: Connection, sent: bytes, code: str, to_do: str
) -> None:
    reader, writer = connection
    writer.write(sent)
    head, body = (await reader.read()).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    headers = {f"content-type: {MEDIA_TYPE}".encode(), b"content-length: %d" % len(body), b"connection: close"}
    assert headers <= set(head.split(b"\r\n"))
    problem = orjson.loads(body)
    assert (problem["status"], problem["code"], to_do in problem["detail"]) == (400, code, True)


@pytest.mark.medium
async def test_a_body_may_be_larger_and_a_connection_may_have_any_number_of_requests(connection: Connection) -> None:
    reader, writer = connection
    for _ in range(3):
        writer.write(CHUNKED)
        for _ in range(50):
            writer.write(b"fa00\r\n%b\r\n" % (b"x" * 64_000))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(7) == b"3200000"
    for _ in range(1_000):
        writer.write(b"GET /livez HTTP/1.1\r\nhost: h\r\nx: %b\r\n\r\n" % (b"x" * 100))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await reader.read(1_000)
