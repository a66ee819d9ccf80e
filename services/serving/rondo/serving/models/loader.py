"""Versions from the artifact store: fetched by digest, checked, built and warmed up on a thread of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError, Artifacts
from rondo.serving.errors import VersionRefusedError
from rondo.serving.inference.log_batch import Log
from rondo.serving.models.loaded_version import Version
from rondo.serving.models.onnx_runtime import OnnxModel, UnfitModelError
from rondo.serving.models.rehearsal import rehearse
from rondo.serving.requests.schema import Layout

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import Route


class ArtifactLoader:
    """Loads versions; `threads` are those of one inference."""

    def __init__(self, artifacts: Artifacts, threads: int) -> None:
        self._artifacts = artifacts
        self._threads = threads

    async def load(self, model: str, route: Route) -> Version:
        """Fetch, check and warm up a version.

        Raises:
            VersionRefusedError: the artifact is missing, damaged, or no model for this route.
            UnavailableError: the artifact store is away.

        """
        try:
            content = await self._artifacts.get(route.digest)
            scorer = await asyncio.to_thread(OnnxModel, content, route.features, self._threads)
        except (ArtifactMissingError, ArtifactCorruptError, UnfitModelError) as error:
            raise VersionRefusedError(model, route.model_version, str(error)) from error
        layout = Layout(model, route.features)
        log = Log(model, route.model_version, route.digest, route.features)
        version = Version(model, route.model_version, route.digest, layout, scorer, log)
        await asyncio.to_thread(rehearse, version)
        return version
