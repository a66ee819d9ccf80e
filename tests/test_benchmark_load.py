"""The load generators of the benchmarks: requests in time, and frames that a real server understands."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode, aio, method_handlers_generic_handler, unary_unary_rpc_method_handler

from tests.benchmarks.load import grpc_load, open_loop, timed_connections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.mark.parametrize("rate", [0.25, 1_000.0, 40_000.0])
def test_requests_of_an_open_loop_are_never_sent_before_their_time(rate: float) -> None:
    dues = [open_loop.due(number, rate) for number in range(1_000)]
    late = [due - number / rate for number, due in enumerate(dues)]
    assert min(late) >= -1e-9
    assert max(late) < 0.0021
    assert dues == sorted(dues)
    assert len({round(due, 6) for due in dues}) == (1_000 if rate <= 1_000 else 14)


@asynccontextmanager
async def grpc_server(answer: Any) -> AsyncIterator[int]:
    """Run a real server with one method. Yield its port."""
    server = aio.server()
    handler = unary_unary_rpc_method_handler(answer)
    _, service, method = grpc_load.METHOD.split("/")
    server.add_generic_rpc_handlers([method_handlers_generic_handler(service, {method: handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(None)


@pytest.mark.slow
@pytest.mark.parametrize(("connections", "streams"), [pytest.param(1, 16, marks=pytest.mark.slow), (4, 1)])
async def test_a_server_of_grpc_understands_every_request_of_the_load(
    monkeypatch: pytest.MonkeyPatch, connections: int, streams: int
) -> None:
    seen: list[tuple[bytes, Any]] = []
    enough = asyncio.Event()

    async def answer(body: bytes, context: Any) -> bytes:
        seen.append((body, dict(context.invocation_metadata())["authorization"]))
        # The window of a connection is used up several times.
        if len(seen) * len(body) > 10 * connections * 65_535:
            enough.set()
        return b"answer"

    monkeypatch.setattr(timed_connections, "WARM_UP_SECONDS", 0.1)
    async with grpc_server(answer) as port:
        *_, answers = await grpc_load.measure(port, "token", connections, streams, 0.1)
        assert len(seen) >= answers > 0
        load = asyncio.create_task(grpc_load.measure(port, "token", connections, streams, 60))
        await asyncio.wait_for(enough.wait(), 60)
        assert not load.done()
        load.cancel()
    assert set(seen) == {(grpc_load.message(), "Bearer token")}


async def test_a_server_of_grpc_that_refuses_ends_the_load() -> None:
    async def answer(_: bytes, context: Any) -> None:
        await context.abort(StatusCode.UNAUTHENTICATED, "no token")

    async with grpc_server(answer) as port:
        with pytest.raises(ConnectionError):
            await grpc_load.measure(port, "token", 1, 16, 0.2)


async def answers_of(frames: bytes, streams: int = 1) -> tuple[grpc_load.Connection, list[bytes]]:
    """Return a connection that has received frames, and what it has written."""
    connection = grpc_load.Connection(b"m" * 30_000, (b"", b""), streams)
    written: list[bytes] = []
    connection.connection_made(SimpleNamespace(write=written.append))
    for place in range(len(frames)):
        connection.data_received(frames[place : place + 1])
    return connection, written


async def test_an_answer_over_grpc_without_a_message_ends_the_load() -> None:
    answer = grpc_load.frame(grpc_load.HEADERS, grpc_load.END_HEADERS, 1, b"")
    trailers = grpc_load.frame(grpc_load.HEADERS, grpc_load.END_HEADERS | grpc_load.END_STREAM, 1, b"")
    answered, written = await answers_of(answer + grpc_load.frame(grpc_load.DATA, 0, 1, b"message") + trailers)
    assert len(answered.took) == 1
    assert len(written) == 2
    assert not answered.ended.done()
    refused, _ = await answers_of(trailers)
    assert isinstance(refused.ended.exception(), ConnectionError)


async def test_the_load_over_grpc_keeps_to_the_window_of_the_connection() -> None:
    update = grpc_load.frame(grpc_load.WINDOW_UPDATE, 0, 0, (30_000).to_bytes(4))
    of_stream = grpc_load.frame(grpc_load.WINDOW_UPDATE, 0, 1, (30_000).to_bytes(4))
    _, written = await answers_of(b"", streams=3)
    assert b"".join(written).count(b"m" * 30_000) == 2
    _, written = await answers_of(of_stream, streams=3)
    assert b"".join(written).count(b"m" * 30_000) == 2
    _, written = await answers_of(update, streams=3)
    assert b"".join(written).count(b"m" * 30_000) == 3
