"""A rollout over HTTP: the key of a row decides whose answer is sent, and both versions are in the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.serving.builders import rows_by_role
from tests.serving.http.inference_api import INFER, LogTopic, tensor

if TYPE_CHECKING:
    import httpx

    from tests.serving.builders import Rollout


@pytest.mark.medium
async def test_in_a_rollout_the_key_decides_whose_answer_is_sent_and_both_versions_are_in_the_log(
    client: httpx.AsyncClient, rollout: Rollout, topic: LogTopic
) -> None:
    async def infer(first: int) -> list[tuple[str, str, float]]:
        entities = [f"N{number}" for number in range(first, first + 4)]
        inputs = [
            tensor("distance", "FP32", *range(first, first + 4)), tensor("night", "BOOL", *[False] * 4),
            tensor("rondo.entity", "BYTES", *entities),
        ]  # fmt: skip
        answer = (await client.post(INFER, json={"inputs": inputs})).json()
        found = {output["name"]: output["data"] for output in answer["outputs"]}
        return list(zip(entities, found["rondo.model_version"], found["score"], strict=True))

    # At the same time, so that rows of several requests are scored together.
    answers = [each for rows in await asyncio.gather(*map(infer, range(0, 40, 4))) for each in rows]
    assert answers == [(key, str(found), n * float(found)) for n, (key, found) in enumerate(rollout.versions.items())]
    assert +rows_by_role(topic.batches) == rollout.logged
