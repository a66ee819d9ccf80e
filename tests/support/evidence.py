"""Evidence and models of candidates that tests make: kept by digest, as the artifact store keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.artifacts import ArtifactMissingError, Artifacts, digest_of
from rondo.contracts.training_evidence import Evidence

if TYPE_CHECKING:
    from rondo.contracts.events.training import ModelTrained

_STORED: dict[str, bytes] = {}


def stored(evidence: Evidence) -> str:
    """Keep evidence and return its digest."""
    digest = digest_of(evidence.encode())
    _STORED[digest] = evidence.encode()
    return digest


def stored_artifact(content: bytes) -> str:
    """Keep an artifact and return its digest."""
    digest = digest_of(content)
    _STORED[digest] = content
    return digest


def evidence_of(trained: ModelTrained) -> Evidence:
    """Return the evidence that an event names."""
    return Evidence.model_validate_json(_STORED[trained.evidence])


async def put_evidence(artifacts: Artifacts) -> None:
    """Put all evidence and artifacts that were made into a real store."""
    for content in _STORED.values():
        await artifacts.put(content)


class EvidenceStore(Artifacts):
    """An artifact store with the artifacts of the tests."""

    def __init__(self) -> None:
        pass

    async def get(self, digest: str) -> bytes:
        if digest not in _STORED:
            raise ArtifactMissingError(digest)
        return _STORED[digest]
