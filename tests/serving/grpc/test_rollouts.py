"""A rollout over gRPC: the key of a row decides whose answer is sent, and both versions are in the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.serving.builders import rows_by_role

if TYPE_CHECKING:
    from tests.serving.builders import Rollout
    from tests.serving.grpc.conftest import Client
    from tests.serving.http.inference_api import LogTopic


def tensor(name: str, datatype: str, **contents: Any) -> dict[str, Any]:
    """Return a tensor of four values."""
    return {"name": name, "datatype": datatype, "shape": [4], "contents": contents}


async def test_in_a_rollout_the_key_decides_whose_answer_is_sent_and_both_versions_are_in_the_log(
    client: Client, rollout: Rollout, topic: LogTopic
) -> None:
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
    assert answers == [(b"%d" % found, n * float(found)) for n, found in enumerate(rollout.versions.values())]
    assert +rows_by_role(topic.batches) == rollout.logged
