"""Small requests to chosen paths are answered without ASGI. The application answers all other requests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from rondo.chassis.health import Health
from rondo.chassis.http.direct_protocol import MAX_BODY, DirectProtocol
from rondo.chassis.http.server import listen
from rondo.chassis.settings import ServiceSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rondo.chassis.http.direct_protocol import DirectRequest
    from starlette.types import Receive, Scope, Send


class Echo:
    """Takes requests to /echo, and answers with their body: at once, or when `answer` is called."""

    def __init__(self) -> None:
        self.taken: list[DirectRequest] = []
        self.takes, self.at_once, self.copies = True, True, 1
        self.asked = 0

    def wants(self, path: bytes) -> bool:
        self.asked += 1
        return path == b"/echo"

    def take(self, request: DirectRequest) -> bool:
        if self.takes:
            request.route = "/echo"
            self.taken.append(request)
            if self.at_once:
                self.answer()
        return self.takes

    def answer(self) -> None:
        request = self.taken[-1]
        request.respond(200, [(b"x-by", b"handler")], request.body * self.copies)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    body = b"%b %d" % (scope["method"].encode(), len(body))
    headers = [(b"x-by", b"application"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Client:
    """A client with one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, body: bytes = b"hello", *, start: str = "POST /echo", **headers: str) -> None:
        sent = {"host": "h", "content-length": str(len(body))} | {k.replace("_", "-"): v for k, v in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
        self.writer.write(f"{start} HTTP/1.1\r\n{lines}\r\n".encode() + body)

    async def response(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            assert head[0] == "HTTP/1.1 200 OK"
            headers = dict(line.split(": ") for line in head[1:-2])
            return headers, await self.reader.readexactly(int(headers["content-length"]))


@pytest.fixture
def echo() -> Echo:
    return Echo()


SETTINGS = ServiceSettings.model_validate({"service": "serving", "kafka": "nowhere:1", "http_port": 0})


@asynccontextmanager
async def connected(echo: Echo) -> AsyncIterator[Client]:
    async with listen(SETTINGS, application, Health(), echo) as port:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        try:
            yield client
        finally:
            client.writer.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what changes is inside the server
            await asyncio.sleep(0.01)


def observed() -> float:
    labels = {"method": "POST", "route": "/echo", "status": "200"}
    return REGISTRY.get_sample_value("rondo_http_request_seconds_count", labels) or 0


@pytest.mark.medium
async def test_a_connection_may_have_many_requests_and_each_is_measured(echo: Echo) -> None:
    before = observed()
    async with connected(echo) as client:
        for body in (b"one", b"", b"x" * MAX_BODY):
            client.send(body)
            headers, answer = await client.response()
            assert (headers["x-by"], answer) == ("handler", body)
            assert {"date", "server"} <= headers.keys()
    assert observed() == before + 3


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "unusual",
    [
        {"start": "PUT /echo"},
        {"start": "POST /other"},
        {"start": "POST /echo?"},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        {"content_encoding": "gzip"},
        {"body": b"x" * (MAX_BODY + 1)},
        {"content_length": "", "transfer_encoding": "chunked", "body": b"1\r\nx\r\n0\r\n\r\n"},
    ],
    ids=str,
)
@pytest.mark.medium
async def test_what_is_not_usual_is_the_applications(echo: Echo, unusual: dict[str, Any]) -> None:
    async with connected(echo) as client:
        client.send(**unusual)
        headers, _ = await client.response()
        assert (headers["x-by"], echo.taken) == ("application", [])


async def test_what_the_handler_does_not_take_is_the_applications_with_its_body(echo: Echo) -> None:
    echo.takes = False
    async with connected(echo) as client:
        for size in (0, 5, MAX_BODY):
            client.send(b"x" * size)
            headers, body = await client.response()
            assert (headers["x-by"], body) == ("application", b"POST %d" % size)
        echo.takes = True
        client.send()
        assert (await client.response())[0]["x-by"] == "handler"


async def test_pipelined_requests_are_answered_in_their_order(echo: Echo) -> None:
    echo.at_once = False
    async with connected(echo) as client:
        for start in ("POST /echo", "POST /echo", "PUT /echo"):
            client.send(b"first", start=start)
        await client.writer.drain()
        await until(lambda: bool(echo.taken))
        echo.answer()
        found = [await client.response() for _ in range(3)]
        assert [(headers["x-by"], body) for headers, body in found] == [
            ("handler", b"first"), ("application", b"POST 5"), ("application", b"PUT 5"),
        ]  # fmt: skip


async def test_a_connection_that_its_client_ends_is_closed_after_the_answer(echo: Echo) -> None:
    async with connected(echo) as client:
        client.send(connection="close")
        headers, _ = await client.response()
        assert (headers["x-by"], headers["connection"]) == ("handler", "close")
        assert await client.reader.read() == b""


async def answer_at_the_stop(echo: Echo) -> None:
    await until(lambda: not echo.taken[0].keep_alive)
    echo.answer()


async def test_a_request_that_was_taken_is_answered_at_a_stop(echo: Echo) -> None:
    echo.at_once = False
    async with listen(SETTINGS, application, Health(), echo) as port:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        client.send()
        await until(lambda: bool(echo.taken))
        answering = asyncio.create_task(answer_at_the_stop(echo))
    await answering
    headers, body = await client.response()
    client.writer.close()
    assert (headers["connection"], body) == ("close", b"hello")


async def test_a_request_that_a_stop_meets_before_its_body_closes_its_connection_though_it_is_not_taken(
    echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo.takes = False
    stopped, shutdown = asyncio.Event(), DirectProtocol.shutdown

    def noted(self: DirectProtocol) -> None:
        shutdown(self)
        stopped.set()

    async def send_the_body() -> None:
        await stopped.wait()
        client.writer.write(b"hello")

    monkeypatch.setattr(DirectProtocol, "shutdown", noted)
    async with listen(SETTINGS, application, Health(), echo) as port:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        client.send(b"", content_length="5")
        await until(lambda: echo.asked > 0)
        sending = asyncio.create_task(send_the_body())
    await sending
    headers, body = await client.response()
    assert (headers["x-by"], headers.get("connection"), body) == ("application", "close", b"POST 5")
    assert await client.reader.read() == b""
    client.writer.close()


@pytest.mark.medium
async def test_a_client_that_leaves_gets_no_answer_and_disturbs_nobody(echo: Echo) -> None:
    echo.at_once = False
    async with connected(echo) as client:
        client.send()
        await until(lambda: bool(echo.taken))
        client.writer.transport.abort()
        await until(lambda: echo.taken[0].disconnected)
        echo.answer()
        assert echo.taken[0].response_complete


@pytest.mark.medium
async def test_a_client_that_reads_no_answers_is_not_answered_on_and_on(echo: Echo) -> None:
    echo.copies = 100
    async with connected(echo) as client:
        for _ in range(1_000):
            client.send(b"x" * 10_000)
        await asyncio.wait([asyncio.create_task(client.writer.drain())], timeout=0.5)
        # More than the buffers of both sockets. Each answer has 1 MB.
        assert len(echo.taken) < 50
        client.writer.transport.abort()
