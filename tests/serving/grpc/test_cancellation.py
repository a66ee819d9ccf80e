"""A client that gives up leaves nothing behind: no row in the queue, and no hold on the versions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from rondo.contracts.access_tokens import Role
from rondo.serving.grpc.messages import message_class

from tests.serving.grpc.test_api import TYPED
from tests.serving.http.inference_api import LogTopic
from tests.support.access import bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServedModels

    from tests.serving.grpc.conftest import Client

INFER = "/inference.GRPCInferenceService/ModelInfer"


class SlowTopic(LogTopic):
    """Takes no record while `free` is cleared."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.free = asyncio.Event(), asyncio.Event()

    async def publish(self, model: str, record: bytes) -> None:
        self.asked.set()
        await self.free.wait()
        await super().publish(model, record)


@pytest.fixture
def topic() -> SlowTopic:
    return SlowTopic()


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


def metadata() -> tuple[tuple[str, str], ...]:
    return tuple(bearer(Role.PREDICTOR).items())
