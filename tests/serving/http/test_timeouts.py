"""The parameter `timeout` of a request: microseconds, as Triton's clients send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT, SlowTopic

if TYPE_CHECKING:
    import httpx
    from rondo.serving.models.serving_table import ServedModels


@pytest.fixture
def topic() -> SlowTopic:
    return SlowTopic()


async def send(client: httpx.AsyncClient, timeout: Any) -> httpx.Response:  # noqa: ASYNC109 - the request has it
    body = {"inputs": [DISTANCE, NIGHT], "parameters": {"timeout": timeout}}
    return await client.post(INFER, json=body, timeout=20)


@pytest.mark.medium
async def test_a_timeout_that_ends_is_answered_with_504(
    client: httpx.AsyncClient, models: ServedModels, topic: SlowTopic
) -> None:
    response = await send(client, 20_000)
    wanted = (
        "the request was not answered, and may be in the inference log, 0.02 s after it came; send it again with a"
        " longer `timeout`, or where fewer requests wait"
    )
    assert (response.status_code, response.json()["code"], response.json()["error"]) == (
        504,
        "deadline_exceeded",
        wanted,
    )
    assert models.table.leases == 0
    topic.free.set()


@pytest.mark.medium
async def test_an_answer_in_time_and_a_timeout_of_zero_are_as_without(
    client: httpx.AsyncClient, topic: SlowTopic
) -> None:
    topic.free.set()
    assert [(await send(client, timeout)).status_code for timeout in (0, 10_000_000)] == [200, 200]


@pytest.mark.medium
@pytest.mark.parametrize("timeout", [-1, 1.5, "100", True, 24 * 3600 * 10**6 + 1])
async def test_a_timeout_is_a_number_of_microseconds(client: httpx.AsyncClient, timeout: Any) -> None:  # noqa: ASYNC109
    response = await send(client, timeout)
    wanted = f"the parameter `timeout` is {timeout}: send whole microseconds, up to a day of them"
    assert (response.status_code, response.json()["detail"]) == (400, wanted)
