"""The limits of the gRPC server, and its port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http.server import PortTakenError
from rondo.serving import metrics
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
