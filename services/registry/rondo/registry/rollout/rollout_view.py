"""The view of a rollout for people: its state, its evidence, the decisions so far, and the next event."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Literal

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import Inconclusive, RolloutState, RolloutVerdict
from rondo.registry.rollout.advance import guarded_until, step_end, waits_until
from rondo.registry.rollout_evidence.betting import log_evidence
from rondo.registry.rollout_evidence.interval import Need, half_width, needed_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.registry.audit.hash_chain import AuditRecord
    from rondo.registry.model.rollouts import Rollout


class EvidenceFor(Value):
    """The evidence for a verdict, which is reached once `log_e` is at least `needed`."""

    verdict: str
    log_e: float
    needed: float


class RolloutDecision(Value):
    """A decision from the audit log: `action`, the actor `by`, and the state of the rollout afterwards.

    `step` counts from 1. For a promotion on request, `step` and `share` are None, and `state` is empty. `evidence` has
    the figures of a verdict.
    """

    at: Utc
    action: str
    by: str
    state: str
    step: int | None
    share: float | None
    verdict: str
    reason: str
    evidence: dict[str, Any]


class RolloutSummary(Value):
    """The progress of a rollout. `share` is the part of the requests that the candidate answers, from 0 to 1."""

    model: str
    candidate: int
    champion: int
    strategy: str
    state: str
    verdict: str
    share: float
    since: Utc
    answers: int


class RolloutView(RolloutSummary):
    """A rollout, its evidence, the blocks that it is expected to need, and the decisions so far.

    `difference` is the mean loss of the candidate minus the champion's over blocks. `half_width` is half of the width
    of an interval that covers it at all times with a probability of about 95%. The interval decides nothing. `margin`
    is the loss that is tolerated. `need` is the number of blocks of `block_seconds` until an equal candidate passes a
    step, None without a holdout. `false_rollback_rate` is the probability that an equal candidate is rolled back at any
    time.

    `ends` is the time after which the evidence of a running step is inconclusive. `then` is the next action: `pass` the
    step, `wait` until `asks`, `ask` a person, or go `back`. While a promoted version is watched, `ends` is the end of
    the rollback window, and `then` is `end`. In other states no clock runs, and these fields are None.
    """

    step: int
    steps: tuple[float, ...]
    began: Utc
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
    false_rollback_rate: float
    min_answers: int
    ends: Utc | None
    then: Literal["pass", "wait", "ask", "back", "end"] | None
    asks: Utc | None
    decisions: tuple[RolloutDecision, ...]


_CONFIDENCE = 0.05
_LAST = ("rollout_ended", "rollout_superseded")


def rollout_summary(rollout: Rollout) -> RolloutSummary:
    return RolloutSummary(
        model=rollout.model,
        candidate=rollout.candidate,
        champion=rollout.champion,
        strategy=rollout.plan.strategy,
        state=rollout.state,
        verdict=rollout.verdict,
        share=rollout.share,
        since=rollout.since,
        answers=rollout.gathered.answers,
    )


def rollout_view(rollout: Rollout, records: Sequence[AuditRecord] = ()) -> RolloutView:
    """Return the view. `records` are the model's audit records about rollouts, oldest first."""
    plan, gathered = rollout.plan, rollout.gathered
    found = (
        (RolloutVerdict.BETTER, gathered.better, plan.false_pass),
        (RolloutVerdict.NOT_WORSE, gathered.fit, plan.false_pass),
        (RolloutVerdict.WORSE, gathered.worse, plan.alpha_quality),
        (RolloutVerdict.ERRORS, gathered.errors, plan.alpha_errors),
        (RolloutVerdict.SLOW, gathered.slow, plan.alpha_slow),
        (RolloutVerdict.DISAGREEMENT, gathered.disagreement, plan.alpha_disagreement),
    )
    ends, then, asks = _next(rollout)
    return RolloutView(
        **dict(rollout_summary(rollout)),
        step=rollout.step + 1,
        steps=plan.steps,
        began=rollout.began,
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
        false_rollback_rate=plan.false_rollback,
        min_answers=plan.min_answers,
        ends=ends,
        then=then,
        asks=asks,
        decisions=_decisions(rollout.candidate, records),
    )


def _next(
    rollout: Rollout,
) -> tuple[datetime | None, Literal["pass", "wait", "ask", "back", "end"] | None, datetime | None]:
    """Return time and kind of the next action without new evidence, and the time at which a waiting step asks."""
    if rollout.state == RolloutState.WATCHING:
        return rollout.since + rollout.plan.rollback_window + rollout.plan.outcome_delay, "end", None
    if rollout.state != RolloutState.RUNNING:
        return None, None, None
    if (passes := guarded_until(rollout)) is not None:
        return passes, "pass", None
    ends, decided = step_end(rollout), waits_until(rollout)
    if decided > ends:
        return ends, "wait", decided
    return ends, "back" if rollout.plan.on_inconclusive == Inconclusive.BACK else "ask", None


def _decisions(candidate: int, records: Sequence[AuditRecord]) -> tuple[RolloutDecision, ...]:
    """Return the decisions about the rollout of a candidate. A later promotion on request is not part of it."""
    found: list[RolloutDecision] = []
    for record in records:
        evidence = json.loads(record.evidence)
        if evidence.get("version") != candidate:
            continue
        if record.action == "rollout_began":
            found = []
        elif found and found[-1].action in _LAST:
            break
        found.append(
            RolloutDecision(
                at=record.at,
                action=record.action,
                by=record.decided_by,
                state=evidence.get("state", ""),
                step=evidence.get("step"),
                share=evidence.get("share"),
                verdict=evidence.get("verdict", ""),
                reason=evidence.get("reason", ""),
                # A promotion on request has the digest of the training evidence in this field.
                evidence=figures if isinstance(figures := evidence.get("evidence"), dict) else {},
            )
        )
    return tuple(found)
