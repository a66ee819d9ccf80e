"""Versions for bulk requests, loaded by digest. A few are kept, and they need not be deployed."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from rondo.contracts.events.deployment import Route
from rondo.contracts.vocabularies import RouteRole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.contracts.events.scores import ScoreRequest
    from rondo.contracts.spec.model import Feature
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.ports import Loader

_KEPT = 2


class BulkVersions:
    """Loads versions on the event loop for threads that score in bulk, and keeps the versions used last.

    Several threads may call it concurrently. One thread waits while another loads, so at most `kept` versions are in
    memory.
    """

    def __init__(self, loader: Loader, loop: asyncio.AbstractEventLoop, kept: int = _KEPT) -> None:
        self._loader, self._loop, self._kept = loader, loop, kept
        self._loaded: OrderedDict[tuple[str, int, str], tuple[Mapping[str, Feature], LoadedVersion]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, request: ScoreRequest) -> LoadedVersion:
        """Return the version of a request. The call blocks while the version is loaded.

        Raises:
            VersionRefusedError: the version can't be loaded.
            UnavailableError: the artifact store is unavailable. A retry may succeed.

        """
        key = (request.model, request.model_version, request.digest)
        with self._lock:
            features, version = self._loaded.get(key, (None, None))
            if version is None or features != request.features:
                while len(self._loaded) >= self._kept:
                    self._loaded.popitem(last=False)
                version = asyncio.run_coroutine_threadsafe(self._load(request), self._loop).result()
                self._loaded[key] = request.features, version
            self._loaded.move_to_end(key)
            return version

    async def _load(self, request: ScoreRequest) -> LoadedVersion:
        route = Route(
            model_version=request.model_version, digest=request.digest, share=0, role=RouteRole.PRIMARY,
            features=dict(request.features),
        )  # fmt: skip
        return await self._loader.load(request.model, route)
