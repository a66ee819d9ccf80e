"""Versions from the artifact store: fetched by digest, checked, built and warmed up on a thread of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError, Artifacts
from rondo.serving.errors import VersionRefusedError
from rondo.serving.layout import Layout
from rondo.serving.log import Log
from rondo.serving.onnx import OnnxModel, UnfitModelError
from rondo.serving.rehearsal import rehearse
from rondo.serving.version import Version

if TYPE_CHECKING:
    from rondo.contracts.deployment import Route


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
