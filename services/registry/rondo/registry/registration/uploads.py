"""The files of registrations. The file of a refused one is removed, unless something else needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import SkipReason

if TYPE_CHECKING:
    from rondo.chassis.artifacts import Artifacts
    from rondo.contracts.events.training import TrainingSkipped
    from rondo.registry.ports import UploadTable


def is_final(skipped: TrainingSkipped) -> bool:
    """Return whether a skipped registration has ended. One that waits for its spec is repeated when that arrives."""
    return skipped.reason == SkipReason.NOT_ENOUGH_DATA


async def discard(work: UploadTable, artifacts: Artifacts, artifact: str | None, trigger: str | None = None) -> None:
    """Remove the file of a refused registration, unless another registration or a version needs it.

    Raises:
        UnavailableError: the artifact store is unavailable.

    """
    if artifact is not None and await work.release_upload(artifact, trigger):
        await artifacts.delete(artifact)
