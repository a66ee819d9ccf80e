"""The trees of the versions that were explained. The first explanation of a version reads its artifact again.

A loaded version does not keep its document. So a version that nobody explains needs no memory for its trees.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.chassis.errors import UnavailableError
from rondo.serving.explanations.trees.errors import NotTreesError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from rondo.serving.explanations.trees.tree_model_onnx import TreeModel
    from rondo.serving.models.loaded_version import LoadedVersion, Scorer
    from rondo.serving.requests.rows import Column

log = logging.getLogger(__name__)
_ARTIFACT_SECONDS = 5


class TreeModels:
    """`by_trees.TreeFinder`. `artifact` returns the content of an artifact by its digest."""

    def __init__(self, artifact: Callable[[str], Awaitable[bytes]]) -> None:
        self._artifact = artifact
        # A version that is unloaded leaves. A pair is the code and the reason why a version has no trees.
        self._known: WeakKeyDictionary[Scorer, TreeModel | tuple[str, str]] = WeakKeyDictionary()

    async def find(self, version: LoadedVersion, background: Mapping[str, Column]) -> TreeModel:
        known = self._known.get(version.scorer)
        if known is None:
            content = await self._content(version)
            known = self._known[version.scorer] = await asyncio.to_thread(_read, content, version, background)
        if isinstance(known, tuple):
            raise NotTreesError(*known)
        return known

    async def _content(self, version: LoadedVersion) -> bytes:
        """Return the document of a version. Without it, other methods explain the version until the next request."""
        try:
            async with asyncio.timeout(_ARTIFACT_SECONDS):
                return await self._artifact(version.digest)
        except (ArtifactMissingError, ArtifactCorruptError, UnavailableError, TimeoutError) as error:
            log.warning(
                "the artifact of version %d of %s can't be read to explain it: %r",
                version.model_version, version.model, error,
            )  # fmt: skip
            raise NotTreesError("artifact", "its artifact can't be read now, see the log of this replica") from error


def _read(content: bytes, version: LoadedVersion, background: Mapping[str, Column]) -> TreeModel | tuple[str, str]:
    from rondo.serving.explanations.trees.tree_model_onnx import TreeModel  # noqa: PLC0415 - only explanations need it

    try:
        return TreeModel(content, version, background)
    except NotTreesError as error:
        return error.code, error.reason
    except Exception:
        # The boundary: a graph from elsewhere may have any fault, and the other methods don't need the trees.
        log.exception("the trees of version %d of %s can't be read", version.model_version, version.model)
        return "unreadable", "its trees can't be read, see the log of this replica"
