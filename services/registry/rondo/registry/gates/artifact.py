"""Gates on the artifact and on its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.registry.model.model import Version

NEW_ARTIFACT = "artifact.new"
SOUND_ARTIFACT = "artifact.sound"
USABLE_EVIDENCE = "evidence.usable"


def new_artifact(digest: str, serving: Iterable[Version]) -> GateResult:
    """Fail a candidate whose artifact serves already: promoting it changes no prediction, and resolves no alert.

    Training is deterministic, so this is what a training without new labelled rows makes.
    """
    same = next((version for version in serving if version.digest == digest), None)
    if same is None:
        message = "no version that serves has this artifact"
        return GateResult(gate=NEW_ARTIFACT, passed=True, observed=None, bound=None, message=message)
    message = (
        f"the artifact is the one of version {same.number}, which serves: the training found nothing new to learn; "
        "publish new labelled rows, or change the spec"
    )
    return GateResult(gate=NEW_ARTIFACT, passed=False, observed=None, bound=None, message=message)


def unsound_artifact(reason: str) -> GateResult:
    """Return the failure of a candidate whose artifact can't be served."""
    message = f"the artifact can't be served: {reason}; train again"
    return GateResult(gate=SOUND_ARTIFACT, passed=False, observed=None, bound=None, message=message)


def unusable_evidence(reason: str) -> GateResult:
    """Return the failure of a candidate whose evidence can't be used: no other gate can be evaluated."""
    message = f"the evidence can't be used: {reason}; train again"
    return GateResult(gate=USABLE_EVIDENCE, passed=False, observed=None, bound=None, message=message)
