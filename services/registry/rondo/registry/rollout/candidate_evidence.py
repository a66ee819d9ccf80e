"""Converts the monitor's evidence, other version minus primary, to candidate minus champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import OutcomeCause
from rondo.registry.model.rollouts import Minute
from rondo.registry.rollout_evidence.blocks import Arms, Block

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.monitoring import ComparedArms, ComparedMinute, RolloutEvidence
    from rondo.registry.model.rollouts import Rollout


@dataclass(frozen=True)
class CandidateEvidence:
    blocks: tuple[tuple[datetime, Block | Arms], ...]
    minutes: tuple[Minute, ...]


def candidate_evidence(evidence: RolloutEvidence, rollout: Rollout) -> CandidateEvidence | None:
    """Return the evidence about candidate and champion. None if it is about other versions.

    After a promotion the candidate is the primary, and the previous champion is the other version. It answers no
    requests then, and has no arm. Blocks of a kind that the plan does not ask for are dropped: the spec has changed.
    """
    versions = evidence.other, evidence.primary
    if rollout.plan.outcome == OutcomeCause.DEPENDS_ON_ANSWER:
        if versions == (rollout.candidate, rollout.champion):
            return CandidateEvidence(tuple(map(_arms, evidence.arms)), tuple(map(_as_given, evidence.minutes)))
        turned = versions == (rollout.champion, rollout.candidate)
        return CandidateEvidence((), tuple(map(_turned, evidence.minutes))) if turned else None
    if versions == (rollout.candidate, rollout.champion):
        blocks = tuple((b.start, Block(rows=b.rows, difference=b.difference)) for b in evidence.blocks)
        return CandidateEvidence(blocks, tuple(map(_as_given, evidence.minutes)))
    if versions == (rollout.champion, rollout.candidate):
        blocks = tuple((b.start, Block(rows=b.rows, difference=-b.difference)) for b in evidence.blocks)
        return CandidateEvidence(blocks, tuple(map(_turned, evidence.minutes)))
    return None


def _arms(arms: ComparedArms) -> tuple[datetime, Arms]:
    return arms.start, Arms(
        rows=arms.other_rows,
        loss=arms.other_loss,
        champion_rows=arms.primary_rows,
        champion_loss=arms.primary_loss,
    )


def _as_given(minute: ComparedMinute) -> Minute:
    return Minute(
        answers=minute.other_answers,
        candidate_scored=minute.other_scored,
        champion_scored=minute.primary_scored,
        candidate_errors=minute.other_errors,
        champion_errors=minute.primary_errors,
        candidate_slow=minute.other_slow,
        champion_slow=minute.primary_slow,
        disagreement=minute.disagreement,
    )


def _turned(minute: ComparedMinute) -> Minute:
    return Minute(
        answers=minute.primary_scored,
        candidate_scored=minute.primary_scored,
        champion_scored=minute.other_scored,
        candidate_errors=minute.primary_errors,
        champion_errors=minute.other_errors,
        candidate_slow=minute.primary_slow,
        champion_slow=minute.other_slow,
        disagreement=minute.disagreement,
    )
