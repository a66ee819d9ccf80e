"""Loads versions from the artifact store by digest, and warms them up, in a separate thread."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError, Artifacts
from rondo.contracts.spec.feature_types import unknown_types_sentence
from rondo.serving.deployments.plan import unknown_fields
from rondo.serving.errors import VersionRefusedError
from rondo.serving.inference.warm_up import warm_up
from rondo.serving.models.answer_cache import AnswerCache
from rondo.serving.models.loaded_version import LoadedVersion
from rondo.serving.models.onnx_runtime import OnnxModel, UnfitModelError
from rondo.serving.prediction_log.batch import VersionLog
from rondo.serving.requests.schema import RequestSchema

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import Route


class ArtifactLoader:
    """Implements `ports.Loader`. `threads` is the number of threads of one inference.

    Versions that are not `live` only answer bulk requests.
    """

    def __init__(self, artifacts: Artifacts, threads: int, *, live: bool = True) -> None:
        self._artifacts = artifacts
        self._threads, self._live = threads, live

    async def load(self, model: str, route: Route) -> LoadedVersion:
        if sentence := unknown_types_sentence(route.features, "serving"):
            raise VersionRefusedError(model, route.model_version, f"its feature {sentence}")
        try:
            content = await self._artifacts.get(route.digest)
            scorer = await asyncio.to_thread(OnnxModel, content, route.features, self._threads)
        except (ArtifactMissingError, ArtifactCorruptError, UnfitModelError) as error:
            raise VersionRefusedError(model, route.model_version, str(error)) from error
        schema = RequestSchema(model, route.features, unknown_fields(route))
        log = VersionLog(model, route.model_version, route.digest, route.features, scorer.outputs)
        cache = AnswerCache(model, scorer.outputs)
        version = LoadedVersion(model, route.model_version, route.digest, schema, scorer.outputs, scorer, log, cache)
        return replace(version, row_seconds=await asyncio.to_thread(warm_up, version, live=self._live))
