"""The limits of the gRPC server, and its port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http.server import PortTakenError
from rondo.serving import metrics
from rondo.serving.errors import RequestRefusedError
from rondo.serving.grpc.api import Method
from rondo.serving.grpc.server import listen
from rondo.serving.open_inference.protocol import MAX_BODY

from tests.support.access import token_cache

if TYPE_CHECKING:
    from tests.serving.grpc.conftest import Client

INFER = "/inference.GRPCInferenceService/ModelInfer"


async def test_a_message_that_is_too_large_is_refused_by_itself(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.send(INFER, b"\x00" * (MAX_BODY + 1))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await client.call("ServerLive")).live


@pytest.mark.parametrize("letter", ["x", "é", "語"])
async def test_a_long_message_is_shortened_to_what_clients_take(letter: str) -> None:
    async def refuse(_: bytes) -> bytes:
        raise RequestRefusedError("missing_feature", letter * 20_000)

    methods = {"/a.B/C": Method((), refuse)}
    async with (
        listen("127.0.0.1", 0, methods, await token_cache(), Health()) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/a.B/C")(b"", timeout=20)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert dict(caught.value.trailing_metadata())["rondo-code"] == "missing_feature"
    assert (caught.value.details() or "").startswith(letter * 500)


async def test_calls_under_way_are_answered_at_a_shutdown_and_later_ones_refused() -> None:
    began, free, health = asyncio.Event(), asyncio.Event(), Health()

    async def wait(body: bytes) -> bytes:
        began.set()
        await free.wait()
        return body

    methods = {"/a.B/C": Method((), wait)}
    async with (
        listen("127.0.0.1", 0, methods, await token_cache(), health) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        call = channel.unary_unary("/a.B/C")

        async def stop() -> None:
            async with health.serving():
                pass

        sent = asyncio.ensure_future(call(b"sent", timeout=20))
        await began.wait()
        stopping = asyncio.create_task(stop())
        with pytest.raises(grpc.aio.AioRpcError):
            await call(b"", timeout=20)
        await asyncio.wait([stopping], timeout=0.2)
        assert not stopping.done()
        free.set()
        assert await sent == b"sent"
        await stopping


async def test_a_port_that_is_taken_names_its_setting() -> None:
    tokens = await token_cache()
    async with listen("127.0.0.1", 0, {}, tokens, Health()) as port:
        with pytest.raises(PortTakenError) as caught:
            async with listen("127.0.0.1", port, {}, tokens, Health()):
                pass
    assert f"port {port} on 127.0.0.1 is taken" in str(caught.value)
    assert "RONDO_GRPC_PORT" in str(caught.value)


async def test_a_call_is_measured_by_its_method_and_status(client: Client) -> None:
    def count(status: str) -> float:
        samples = metrics.GRPC_CALL_SECONDS.collect()[0].samples
        labels = {"method": "ModelMetadata", "status": status}
        return sum(
            each.value for each in samples if each.name.endswith("_count") and labels.items() <= each.labels.items()
        )

    before = count("OK"), count("NOT_FOUND")
    await client.call("ModelMetadata", name="delay")
    await client.refused("ModelMetadata", name="other")
    assert (count("OK"), count("NOT_FOUND")) == (before[0] + 1, before[1] + 1)
