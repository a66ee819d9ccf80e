"""Reads the evidence of a candidate from the artifact store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.contracts.training_evidence import Evidence

if TYPE_CHECKING:
    from rondo.chassis.artifacts import Artifacts


class UnusableEvidenceError(ValueError):
    """The evidence of a candidate is missing, corrupt or no evidence. Waiting does not help."""

    code: ClassVar[str] = "unusable_evidence"

    def __init__(self, digest: str, reason: str) -> None:
        self.digest, self.reason = digest, reason
        super().__init__(f"the evidence {digest} can't be used ({reason}): train again")


async def load_evidence(artifacts: Artifacts, digest: str) -> Evidence:
    """Return the evidence with a digest.

    Raises:
        UnusableEvidenceError: it is missing, corrupt, or its content is no evidence.
        UnavailableError: the artifact store is unavailable.

    """
    try:
        return Evidence.model_validate_json(await artifacts.get(digest))
    except ArtifactMissingError:
        reason = "it is not in the artifact store"
    except ArtifactCorruptError:
        reason = "its bytes are not those that were stored"
    except ValidationError as error:
        reason = f"its content does not fit: {error.error_count()} errors"
    raise UnusableEvidenceError(digest, reason)
