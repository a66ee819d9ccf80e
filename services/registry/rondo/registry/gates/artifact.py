"""Gates on the artifact and on its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult
from rondo.contracts.vocabularies import GateName, VersionState

if TYPE_CHECKING:
    from rondo.registry.model.model import Model


def new_artifact(digest: str, model: Model) -> GateResult:
    """Fail a candidate whose artifact serves already, or was rolled back.

    Training is deterministic, so a training without new labelled rows makes the same artifact. A promotion of the
    champion's artifact would change no prediction, and would still resolve its alert. A promotion of an artifact that
    was rolled back would undo that decision.
    """
    serving = next((version for version in model.serving if version.digest == digest), None)
    withdrawn = (version for version in model.versions.values() if version.state == VersionState.ROLLED_BACK)
    rolled_back = next((version for version in withdrawn if version.digest == digest), None)
    if serving:
        message = (
            f"the artifact is the one of version {serving.number}, which serves: the training found nothing new to "
            "learn; publish new labelled rows, or change the spec"
        )
    elif rolled_back:
        message = (
            f"the artifact is the one of version {rolled_back.number}, which was rolled back; publish new labelled "
            "rows, or change the spec, or promote it by hand"
        )
    else:
        message = "no version that serves or was rolled back has this artifact"
    passed = serving is None and rolled_back is None
    return GateResult(gate=GateName.NEW_ARTIFACT, passed=passed, observed=None, bound=None, message=message)


def unsound_artifact(reason: str) -> GateResult:
    """Return the failure of a candidate whose artifact can't be served."""
    message = f"the artifact can't be served: {reason}; train again"
    return GateResult(gate=GateName.SOUND_ARTIFACT, passed=False, observed=None, bound=None, message=message)


def unusable_evidence(reason: str) -> GateResult:
    """Return the failure of a candidate whose evidence can't be used: no other gate can be evaluated."""
    message = f"the evidence can't be used: {reason}; train again"
    return GateResult(gate=GateName.USABLE_EVIDENCE, passed=False, observed=None, bound=None, message=message)
