"""A rollout over gRPC: the key of a row decides whose answer is sent, and both versions are in the log."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.vocabularies import RouteRole

from tests.serving.builders import beside, rows_by_role

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.models.serving_table import ServedModels

    from tests.serving.grpc.conftest import Client
    from tests.serving.http.inference_api import LogTopic


def tensor(name: str, datatype: str, **contents: Any) -> dict[str, Any]:
    """Return a tensor of four values."""
    return {"name": name, "datatype": datatype, "shape": [4], "contents": contents}


@pytest.mark.parametrize(("share", "role"), [(0.4, RouteRole.CANARY), (0.0, RouteRole.SHADOW)])
async def test_in_a_rollout_the_key_decides_whose_answer_is_sent_and_both_versions_are_in_the_log(
    client: Client,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    topic: LogTopic,
    share: float,
    role: RouteRole,
) -> None:
    rolling = beside(version, share, role=role)
    models.swap(rolling)
    expected = {f"N{number}": rolling.version_for(f"N{number}").model_version for number in range(40)}
    canary = [*expected.values()].count(2)
    assert (canary > 0) == (share > 0)

    async def infer(first: int) -> list[tuple[bytes, float]]:
        entities = [f"N{number}".encode() for number in range(first, first + 4)]
        inputs = [
            tensor("distance", "FP32", fp32_contents=range(first, first + 4)),
            tensor("night", "BOOL", bool_contents=[False] * 4),
            tensor("rondo.entity", "BYTES", bytes_contents=entities),
        ]
        answer = await client.call("ModelInfer", model_name="delay", inputs=inputs)
        found = {each.name: each.contents for each in answer.outputs}
        return list(zip(found["rondo.model_version"].bytes_contents, found["score"].fp32_contents, strict=True))

    # At the same time, so that rows of several calls are scored together.
    answers = [each for rows in await asyncio.gather(*map(infer, range(0, 40, 4))) for each in rows]
    assert answers == [(b"%d" % found, n * float(found)) for n, found in enumerate(expected.values())]
    assert +rows_by_role(topic.batches) == +Counter(
        {(1, "primary"): 40, (2, "canary"): canary, (2, "shadow"): 40 - canary}
    )
