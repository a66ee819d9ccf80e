"""Versions for bulk requests are loaded once, even if two threads need them, and a few are kept."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from rondo.serving.bulk.versions import BulkVersions

from tests.serving.builders import FEATURES, build_model, version_of
from tests.serving.bulk.test_answers import about

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import Route
    from rondo.contracts.events.scores import ScoreRequest
    from rondo.serving.models.loaded_version import LoadedVersion

VERSION = version_of("delay", 1, build_model(2.0), FEATURES)


class Loads:
    """A loader whose load lasts until another load begins, or 0.2 s."""

    def __init__(self) -> None:
        self.begun = 0
        self.other = asyncio.Event()

    async def load(self, _: str, __: Route) -> LoadedVersion:
        self.begun += 1
        if self.begun > 1:
            self.other.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.other.wait(), 0.2)
        return VERSION


async def test_two_threads_that_need_one_version_load_it_once() -> None:
    loads = Loads()
    versions, both = BulkVersions(loads, asyncio.get_running_loop()), threading.Barrier(2)

    def ask(request: ScoreRequest) -> LoadedVersion:
        both.wait(10)
        return versions.of(request)

    found = await asyncio.gather(*(asyncio.to_thread(ask, about(VERSION)) for _ in range(2)))
    assert (found, loads.begun) == ([VERSION, VERSION], 1)
