"""A client of the gRPC API over one model, whose answers a test can read in the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from rondo.chassis.health import Health
from rondo.contracts.access_tokens import Role
from rondo.serving.grpc.api import GrpcApi
from rondo.serving.grpc.messages import message_class, service
from rondo.serving.grpc.server import listen
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.serving_table import ServedModels

from tests.serving.http.inference_api import LogTopic
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
INFERENCE = "inference.GRPCInferenceService"


@dataclass(frozen=True)
class Client:
    """Calls methods by their names, as a principal with one role."""

    channel: grpc.aio.Channel

    async def call(self, method: str, role: Role | None = Role.PREDICTOR, **fields: Any) -> Any:
        """Return the answer of a method of the inference service. The fields are those of its request."""
        (described,) = (each for each in service(INFERENCE).methods if each.name == method)
        request = message_class(described.input_type.full_name)(**fields)
        answer = message_class(described.output_type.full_name)
        sent = await self.send(f"/{INFERENCE}/{method}", request.SerializeToString(), role)
        return answer.FromString(sent)

    async def send(self, path: str, body: bytes, role: Role | None = Role.PREDICTOR, **metadata: str) -> bytes:
        """Return the bytes of a method's answer to these bytes."""
        sent = metadata | (bearer(role) if role else {})
        found: bytes = await self.channel.unary_unary(path)(body, metadata=tuple(sent.items()), timeout=20)
        return found

    async def refused(self, method: str, role: Role | None = Role.PREDICTOR, **fields: Any) -> tuple[str, str, str]:
        """Return the status, the code and the message of a call that is refused."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, role, **fields)
        trailers = dict(caught.value.trailing_metadata())
        return caught.value.code().name, str(trailers.get("rondo-code")), caught.value.details() or ""


@pytest.fixture
def topic() -> LogTopic:
    return LogTopic()


@pytest.fixture
def models(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModels:
    models = ServedModels()
    models.swap(serve(version(3, 2.0)))
    return models


@pytest.fixture
async def client(models: ServedModels, topic: LogTopic) -> AsyncIterator[Client]:
    async def report() -> dict[str, str]:
        return {"kafka": "no answer" if topic.unavailable else "ok"}

    methods = GrpcApi(models, InferenceService(topic.publish, lambda: NOW), report).methods()
    async with (
        listen("127.0.0.1", 0, methods, await token_cache(), Health()) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Client(channel)
