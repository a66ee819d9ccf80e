"""The roles that may call each method. Other calls are denied. Health is open to probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from rondo.contracts.access_tokens import Role
from rondo.serving.grpc.messages import message_class

from tests.support.access import bearer

if TYPE_CHECKING:
    from tests.serving.grpc.conftest import Client
    from tests.serving.http.inference_api import LogTopic

LOOKING = ("ServerLive", "ServerReady", "ServerMetadata", "ModelReady", "ModelMetadata", "RepositoryIndex")
DENIED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
CHECK = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


async def status(client: Client, method: str, role: Role | None) -> str:
    try:
        await client.call(method, role)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.mark.parametrize("role", Role)
async def test_inferences_need_a_predictor_and_a_look_a_reader(client: Client, role: Role) -> None:
    allowed = {method for method in LOOKING if await status(client, method, role) not in DENIED}
    assert allowed == (set() if role is Role.PUBLISHER else set(LOOKING))
    may_predict = await status(client, "ModelInfer", role) not in DENIED
    assert may_predict == (role in {Role.PREDICTOR, Role.ADMIN})
    may_change = await status(client, "RepositoryModelUnload", role) not in DENIED
    assert may_change == (role in {Role.ENGINEER, Role.ADMIN})


async def test_without_a_token_every_method_is_refused(client: Client) -> None:
    found = {await status(client, method, None) for method in (*LOOKING, "ModelInfer", "RepositoryModelLoad")}
    assert found == {"UNAUTHENTICATED"}
    refused = await client.refused("ModelInfer", None)
    assert refused[:2] == ("UNAUTHENTICATED", "unauthenticated")
    assert "Authorization: Bearer" in refused[2]


async def test_of_two_credentials_the_first_counts_as_over_http(client: Client) -> None:
    (token,) = bearer(Role.READER).values()
    live = client.channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
    assert await live(b"", metadata=(("authorization", token), ("authorization", "Bearer x")), timeout=20)
    for sent in [("authorization", "Bearer x"), ("authorization", token)], [("authorization-bin", token.encode())]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await live(b"", metadata=tuple(sent), timeout=20)
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_the_refusal_of_a_role_says_what_it_lacks(client: Client) -> None:
    found = await client.refused("ModelInfer", Role.READER)
    assert found[:2] == ("PERMISSION_DENIED", "forbidden")
    assert "predictor" in found[2]


async def test_a_method_that_does_not_exist_is_unimplemented(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.send("/inference.GRPCInferenceService/ModelStreamInfer", b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_probes_need_no_token(client: Client, topic: LogTopic) -> None:
    request, answer = (
        message_class("grpc.health.v1.HealthCheckRequest"),
        message_class("grpc.health.v1.HealthCheckResponse"),
    )

    async def check(name: str) -> int:
        found: int = answer.FromString(await client.send(CHECK, request(service=name).SerializeToString(), None)).status
        return found

    assert [await check(name) for name in ("", "inference.GRPCInferenceService", "x")] == [
        SERVING, SERVING, SERVICE_UNKNOWN,
    ]  # fmt: skip
    topic.unavailable = True
    assert await check("") == NOT_SERVING
