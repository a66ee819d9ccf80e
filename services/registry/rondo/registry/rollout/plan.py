"""Makes the plan of a rollout from the spec, with stakes from the holdout that evaluated the candidate."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import JudgedBy, RolloutStrategy
from rondo.registry.model.rollouts import Plan
from rondo.registry.rollout.outcome_delay import outcome_delay
from rondo.registry.rollout_evidence.betting import stakes

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.spec.model import Rollout as RolloutSpec
    from rondo.contracts.training_evidence import PairedHoldout, ReferenceProfile
    from rondo.registry.rollout_evidence.betting import Stakes

_STEPS = (0.05, 0.25, 1.0)
_ONE_HALF = 0.5
# The defaults without a holdout that evaluated both versions. Losses are between 0 and 1, and an hour is a guess.
_BOUND, _MARGIN, _BLOCK = 1.0, 0.01, timedelta(hours=1)
# The share of the champion's skill that the trainer uses as the margin of the holdout.
_SHARE_OF_SKILL = 0.1
_MOST_MARGIN = 0.5
# The largest variance of losses between 0 and 1, for holdouts of an earlier release.
_MOST_LOSS_VARIANCE, _DEVIATIONS = 0.25, 6


def plan_of(model: ModelSpec, champion: ReferenceProfile | None, paired: PairedHoldout | None) -> Plan:
    """Return the plan. Without `paired` the margin is 0.01, and the stakes fit any variance.

    If the label delay is longer than a step, a canary answers no requests until the first verdict. `champion` is the
    champion's reference, None if it can't be read.
    """
    spec = model.rollout
    steps, by_outcomes = _steps(spec), spec.judged_by != JudgedBy.GUARDS
    if spec.compares_answered and paired is not None:
        paired = of_arms(paired, steps[0])
    known = _stakes(spec, paired)
    block = _BLOCK if paired is None else timedelta(seconds=paired.block_seconds)
    is_late = by_outcomes and model.data.label_delay > spec.step_length
    if is_late and spec.strategy == RolloutStrategy.CANARY and not spec.compares_answered:
        steps = (0.0, *steps)
    return Plan(
        strategy=spec.strategy,
        steps=steps,
        step_length=spec.step_length,
        max_wait=spec.max_wait,
        rollback_window=spec.rollback_window,
        on_inconclusive=spec.inconclusive,
        judged_by=spec.judged_by,
        min_answers=spec.min_answers,
        false_rollback=spec.false_rollback_rate,
        evidence=spec.evidence,
        stakes=known,
        block=block,
        outcome_delay=outcome_delay(model, champion, block) if by_outcomes else timedelta(0),
        variance=None if paired is None else paired.variance,
        disagreement=None if paired is None else paired.disagreement,
        outcome=spec.outcome,
        until=spec.until if spec.strategy == RolloutStrategy.AB else None,
    )


def _stakes(spec: RolloutSpec, paired: PairedHoldout | None) -> Stakes:
    # A champion without skill has no margin, so the default applies.
    margin, tolerated = (paired.margin if paired else 0.0) or _MARGIN, 0.0
    if spec.tolerance is not None:
        margin = tolerated = min(_MOST_MARGIN, margin * spec.tolerance / _SHARE_OF_SKILL)
    if paired is None:
        return stakes(_BOUND, margin, tolerated=tolerated)
    # If differences were clipped to less than the margin, none could be evidence against "not worse".
    return stakes(min(1.0, max(paired.bound, 2 * margin)), margin, paired.variance, tolerated)


def of_arms(paired: PairedHoldout, share: float) -> PairedHoldout:
    """Return the figures of the holdout for a comparison on separate rows. The candidate has `share` (0 to 1) of them.

    The common variation of both versions does not cancel then. The variance of a block is that of the paired
    differences, which has the variation over time, plus that of the mean losses of both parts.
    """
    share = min(share, 1 - share)
    rows = max(1.0, share * paired.rows / paired.blocks)
    loss_variance = _MOST_LOSS_VARIANCE if paired.loss_variance is None else paired.loss_variance
    variance = paired.variance + 2 * loss_variance / rows
    return paired.model_copy(update={"variance": variance, "bound": min(1.0, _DEVIATIONS * variance**0.5)})


def _steps(spec: RolloutSpec) -> tuple[float, ...]:
    if spec.strategy in (RolloutStrategy.SHADOW, RolloutStrategy.BLUE_GREEN):
        return (0.0,)
    given = tuple(step / 100 for step in spec.steps)
    if spec.strategy == RolloutStrategy.AB:
        return (given[0] if given[0] < 1 else _ONE_HALF,)
    return _STEPS if given == (1.0,) else given
