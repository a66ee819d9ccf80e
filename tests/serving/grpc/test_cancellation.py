"""A client that cancels leaves no row in the queue, and no lease on the versions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from rondo.contracts.access_tokens import Role
from rondo.serving.grpc.messages import message_class

from tests.serving.grpc.test_api import TYPED
from tests.serving.http.inference_api import SlowTopic
from tests.support.access import bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServedModels

    from tests.serving.grpc.conftest import Client

INFER = "/inference.GRPCInferenceService/ModelInfer"


@pytest.fixture
def topic() -> SlowTopic:
    return SlowTopic()


@pytest.mark.medium
@pytest.mark.parametrize("by", ["deadline", "cancel"])
async def test_a_call_that_is_given_up_releases_its_versions(
    client: Client,
    topic: SlowTopic,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
    by: str,
) -> None:
    body = message_class("inference.ModelInferRequest")(**TYPED, id="left").SerializeToString()
    call = client.channel.unary_unary(INFER)(body, metadata=metadata(), timeout=0.5 if by == "deadline" else 20)
    await topic.asked.wait()
    if by == "cancel":
        call.cancel()
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call
    models.swap(serve(version(4, 10.0), revision=2))
    await asyncio.wait_for(models.drained(), 10)
    topic.free.set()
    answer = await client.call("ModelInfer", **TYPED, id="stays")
    assert answer.model_version == "4"


async def test_the_parameter_timeout_ends_a_call_as_a_deadline_of_its_own(
    client: Client, topic: SlowTopic, models: ServedModels
) -> None:
    found = await client.refused("ModelInfer", **TYPED, parameters={"timeout": {"int64_param": 20_000}})
    assert found[:2] == ("DEADLINE_EXCEEDED", "deadline_exceeded")
    assert models.table.leases == 0
    found = await client.refused("ModelInfer", **TYPED, parameters={"timeout": {"string_param": "soon"}})
    assert found[:2] == ("INVALID_ARGUMENT", "bad_request")


def metadata() -> tuple[tuple[str, str], ...]:
    return tuple(bearer(Role.PREDICTOR).items())
