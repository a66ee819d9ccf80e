"""A slow model delays the answers of no other model of its replica."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServedModels

BODY = {"inputs": [DISTANCE, NIGHT]}


class Held:
    """A model that scores once `free` is set."""

    background = None

    def __init__(self, version: LoadedVersion) -> None:
        self._scorer = version.scorer
        self.asked, self.free = threading.Event(), threading.Event()

    def score(self, columns: Any) -> Any:
        self.asked.set()
        assert self.free.wait(20)
        return self._scorer.score(columns)


@pytest.mark.medium
async def test_a_model_answers_while_another_one_scores(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
) -> None:
    slow = version(model="slow")
    held = Held(slow)
    models.swap(serve(replace(slow, scorer=held)))
    late = asyncio.create_task(client.post("/v2/models/slow/infer", json=BODY))
    try:
        assert await asyncio.to_thread(held.asked.wait, 10)
        answers = [await client.post(INFER, json=BODY) for _ in range(3)]
        assert ([each.status_code for each in answers], late.done()) == ([200] * 3, False)
    finally:
        held.free.set()
    assert (await late).status_code == 200
