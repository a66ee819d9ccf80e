"""What people see of a rollout: its state, its evidence, and how many blocks it is expected to need."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import RolloutVerdict
from rondo.registry.rollout_evidence.bets import log_evidence
from rondo.registry.rollout_evidence.interval import Need, half_width, needed_blocks

if TYPE_CHECKING:
    from rondo.registry.model.rollouts import Rollout


class EvidenceFor(Value):
    """A verdict's evidence: it is reached where `log_e` has come to `needed`."""

    verdict: str
    log_e: float
    needed: float


class RolloutView(Value):
    """A rollout, its evidence, and what it is expected to need.

    `difference` is the mean loss of the candidate minus the champion's over blocks, and `half_width` that of an
    interval that covers it at all times with 95%, approximately; it decides nothing. `margin` is what the candidate may
    lose. `need` counts blocks of `block_seconds` until an equal candidate passes a step; None without a holdout.
    """

    model: str
    candidate: int
    champion: int
    strategy: str
    state: str
    verdict: str
    step: int
    steps: tuple[float, ...]
    share: float
    began: Utc
    since: Utc
    answers: int
    scored: int
    outcomes: int
    blocks: int
    block_seconds: float
    difference: float
    half_width: float | None
    margin: float
    need: Need | None
    evidence: tuple[EvidenceFor, ...]
    candidate_errors: int
    champion_errors: int


_CONFIDENCE = 0.05


def rollout_view(rollout: Rollout) -> RolloutView:
    plan, gathered = rollout.plan, rollout.gathered
    found = (
        (RolloutVerdict.BETTER, gathered.better, plan.false_pass),
        (RolloutVerdict.NOT_WORSE, gathered.fit, plan.false_pass),
        (RolloutVerdict.WORSE, gathered.worse, plan.alpha_quality),
        (RolloutVerdict.ERRORS, gathered.errors, plan.alpha_errors),
        (RolloutVerdict.SLOW, gathered.slow, plan.alpha_slow),
        (RolloutVerdict.DISAGREEMENT, gathered.disagreement, plan.alpha_disagreement),
    )
    return RolloutView(
        model=rollout.model,
        candidate=rollout.candidate,
        champion=rollout.champion,
        strategy=plan.strategy,
        state=rollout.state,
        verdict=rollout.verdict,
        step=rollout.step + 1,
        steps=plan.steps,
        share=rollout.share,
        began=rollout.began,
        since=rollout.since,
        answers=gathered.answers,
        scored=gathered.scored,
        outcomes=gathered.outcomes,
        blocks=gathered.moments.count,
        block_seconds=plan.block.total_seconds(),
        difference=gathered.moments.mean,
        half_width=half_width(gathered.moments, _CONFIDENCE),
        margin=plan.stakes.margin,
        need=needed_blocks(plan.variance, plan.stakes.margin) if plan.variance is not None else None,
        evidence=tuple(
            EvidenceFor(verdict=verdict, log_e=log_evidence(capitals), needed=-math.log(alpha))
            for verdict, capitals, alpha in found
        ),
        candidate_errors=gathered.candidate_errors,
        champion_errors=gathered.champion_errors,
    )
