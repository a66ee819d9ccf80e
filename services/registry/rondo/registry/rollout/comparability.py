"""Decides whether a version and the champion can be compared. If not, a new version takes over at once."""

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
    """Return whether versions are compared with the champion before they take over. False for an unknown strategy."""
    return spec.strategy != RolloutStrategy.REPLACE and spec.strategy in list(RolloutStrategy)


def no_common_requests(version: Version, champion: Version) -> str:
    """Return the reason why no request fits both versions. Empty if some requests fit."""
    try:
        common_features({version.number: version.features, champion.number: champion.features})
    except NoCommonRequestsError:
        return "no request fits it and the champion"
    return ""


def other_answers(candidate: Evidence | None, champion: Evidence | None, number: int) -> str:
    """Return how the kind of a candidate's answers differs from that of the champion, which has `number`.

    Empty if it does not differ. If evidence is missing, or from a later release, the difference is not known, and
    serving decides.
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
    """Return the reason why a waiting version can no longer be compared. Empty if it can."""
    if found := no_common_requests(version, champion):
        return found
    return "the champion has the same artifact" if version.digest == champion.digest else ""
