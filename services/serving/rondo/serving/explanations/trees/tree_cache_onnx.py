"""The trees of the versions that were explained. The first explanation of a version reads its artifact again.

A loaded version does not keep its document. So a version that nobody explains needs no memory for its trees. The trees
of all versions have at most `MOST_BYTES`, or are those of one version. The least recently used ones are released.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.chassis.errors import UnavailableError
from rondo.serving.explanations.trees.errors import UNAVAILABLE, NotTreesError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from rondo.serving.explanations.trees.tree_model_onnx import TreeModel
    from rondo.serving.models.loaded_version import LoadedVersion, Scorer
    from rondo.serving.requests.rows import Column

log = logging.getLogger(__name__)
MOST_BYTES = 256 * 2**20
_ARTIFACT_SECONDS = 5
# The time until an artifact is read again that could not be read. Each attempt keeps other explanations waiting.
RETRY_SECONDS = 30


class TreeModels:
    """`by_trees.TreeFinder`. `artifact` returns the content of an artifact by its digest."""

    def __init__(
        self, artifact: Callable[[str], Awaitable[bytes]], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._artifact, self._monotonic = artifact, monotonic
        # A version that is unloaded leaves. The least recently used version is the first one. A pair is the code and
        # the reason why a version has no trees.
        self._known: WeakKeyDictionary[Scorer, TreeModel | tuple[str, str]] = WeakKeyDictionary()
        # The time of the next attempt to read an artifact, and the code and the reason of the last one.
        self._retries: WeakKeyDictionary[Scorer, tuple[float, str, str]] = WeakKeyDictionary()

    async def find(self, version: LoadedVersion, background: Mapping[str, Column]) -> TreeModel:
        known = self._known.pop(version.scorer, None)
        if known is None:
            content = await self._content(version)
            known = await asyncio.to_thread(_read, content, version, background)
        self._known[version.scorer] = known
        if isinstance(known, tuple):
            raise NotTreesError(*known)
        self._release()
        return known

    def _release(self) -> None:
        trees = [(scorer, known.size) for scorer, known in self._known.items() if not isinstance(known, tuple)]
        total = sum(size for _, size in trees)
        for scorer, size in trees[:-1]:
            if total > MOST_BYTES:
                del self._known[scorer]
                total -= size

    async def _content(self, version: LoadedVersion) -> bytes:
        """Return the document of a version. Without it, other methods explain the version until the next attempt."""
        until, *reason = self._retries.get(version.scorer, (0.0, "", ""))
        if self._monotonic() < until:
            raise NotTreesError(*reason)
        try:
            async with asyncio.timeout(_ARTIFACT_SECONDS):
                return await self._artifact(version.digest)
        except (ArtifactMissingError, ArtifactCorruptError, UnavailableError, TimeoutError) as error:
            log.warning(
                "the artifact of version %d of %s can't be read to explain it: %r",
                version.model_version, version.model, error,
            )  # fmt: skip
            code = UNAVAILABLE if isinstance(error, UnavailableError | TimeoutError) else "artifact"
            known = code, "its artifact can't be read now, see the log of this replica"
            self._retries[version.scorer] = (self._monotonic() + RETRY_SECONDS, *known)
            raise NotTreesError(*known) from error


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
