"""Whether a version and the champion can be compared: where they can't, a new version takes over at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.spec.common_features import NoCommonRequestsError, common_features
from rondo.contracts.tasks.answer_schema import AnswerSchema
from rondo.contracts.vocabularies import RolloutStrategy

if TYPE_CHECKING:
    from rondo.contracts.spec.model import Rollout as RolloutSpec
    from rondo.contracts.training_evidence import Evidence
    from rondo.registry.model.model import Version


def is_compared(spec: RolloutSpec) -> bool:
    """Return whether versions are compared with the champion before they take over. Not by an unknown strategy."""
    return spec.strategy != RolloutStrategy.REPLACE and spec.strategy in list(RolloutStrategy)


def no_common_requests(version: Version, champion: Version) -> str:
    """Return that no request fits both versions. Empty if some do."""
    try:
        common_features({version.number: version.features, champion.number: champion.features})
    except NoCommonRequestsError:
        return "no request fits it and the champion"
    return ""


def other_answers(candidate: Evidence | None, champion: Evidence | None, number: int) -> str:
    """Return how a candidate answers otherwise than the champion, which has `number`. Empty if it does not.

    Where evidence is missing, or of a later release, this is not known, and serving decides.
    """
    if candidate is None or champion is None:
        return ""
    try:
        mine, theirs = AnswerSchema.of(candidate.profile.task), AnswerSchema.of(champion.profile.task)
    except ValueError:
        return ""
    found = mine.difference(theirs, number)
    return found and f"it answers otherwise than the champion: {found}"


def why_not_compared(version: Version, champion: Version) -> str:
    """Return why a version that waits can no longer be compared. Empty if it can."""
    if found := no_common_requests(version, champion):
        return found
    return "the champion has the same artifact" if version.digest == champion.digest else ""
