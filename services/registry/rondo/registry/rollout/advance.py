"""The verdict on a rollout, and the step that follows: a pure function of the rollout and the time.

What is asked first is whether the candidate is not worse: with enough outcomes any difference becomes significant, also
one that nobody cares about. By Ville's inequality an equal candidate is ever rolled back with the probability
`plan.false_rollback` at most, divided among losses and guards, however often this is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rondo.contracts.vocabularies import Inconclusive, JudgedBy, RolloutStrategy, RolloutVerdict
from rondo.registry.rollout_evidence.bets import reaches

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.registry.model.rollouts import Rollout, RolloutState

# What the registry does: change the shares, make the candidate the champion, go back, or end and let the champion be.
Action = Literal["wait", "step", "promote", "roll_back", "finish"]
# Empty where nothing has been decided.
Verdict = RolloutVerdict | Literal[""]


@dataclass(frozen=True)
class Advance:
    """The rollout after a decision, what the registry does, and the verdict that led to it."""

    rollout: Rollout
    action: Action
    verdict: Verdict


def advance(rollout: Rollout, now: datetime) -> Advance:
    """Return what the evidence and the clock lead to. A rollout that ended stays as it is."""
    if not rollout.is_active:
        return Advance(rollout, "wait", "")
    if rollout.state == "running" and (favourable := _in_favour(rollout, now)):
        return _pass(rollout, now, favourable)
    if against := _against(rollout):
        return Advance(_in_state(rollout, "rolled_back", now, against), "roll_back", against)
    lasted = now - rollout.since
    # The outcomes of the requests of the window count after it.
    if rollout.state == "watching" and lasted >= rollout.plan.rollback_window + rollout.plan.outcome_delay:
        return Advance(_in_state(rollout, "promoted", now, rollout.verdict), "finish", "")
    if rollout.state == "running" and now >= step_end(rollout):
        return _inconclusive(rollout, now)
    return Advance(rollout, "wait", "")


def step_end(rollout: Rollout) -> datetime:
    """Return when the evidence of the present step, where it does not suffice by then, is inconclusive.

    The clock of outcomes begins when those of the step's first requests count. A test that ends at a date has no other
    end. One that a person resumed after its date has a step again.
    """
    plan = rollout.plan
    if plan.until is not None and rollout.since < plan.until:
        return plan.until
    return rollout.since + plan.outcome_delay + plan.step_length


def waits_until(rollout: Rollout) -> datetime:
    """Return when a person is asked, or the rollout goes back: at the end of the step, or after `max_wait`."""
    plan, end = rollout.plan, step_end(rollout)
    if end == plan.until or plan.on_inconclusive in (Inconclusive.ASK, Inconclusive.BACK):
        return end
    return max(end, rollout.since + plan.outcome_delay + plan.max_wait)


def guarded_until(rollout: Rollout) -> datetime | None:
    """Return when a step that guards judge is passed if none fires. None where it lacks answers, or one has fired."""
    plan = rollout.plan
    if plan.judged_by != JudgedBy.GUARDS or _seen(rollout) < plan.min_answers or _guards(rollout):
        return None
    return rollout.since + plan.step_length


def pause(rollout: Rollout, now: datetime) -> Rollout:
    """Stop the steps. What speaks against the candidate still counts."""
    return _in_state(rollout, "paused", now, rollout.verdict)


def resume(rollout: Rollout, now: datetime) -> Rollout:
    """Go on with the present step, whose clock starts again."""
    return _in_state(rollout, "running", now, rollout.verdict)


def promote_now(rollout: Rollout, now: datetime) -> Advance:
    """Make the candidate the champion. The rollback window follows."""
    return Advance(_in_state(rollout, "watching", now, rollout.verdict), "promote", "")


def abort(rollout: Rollout, now: datetime) -> Advance:
    """End the rollout: the champion of its beginning answers everything."""
    return Advance(_in_state(rollout, "aborted", now, rollout.verdict), "roll_back", "")


def _in_favour(rollout: Rollout, now: datetime) -> Verdict:
    """Return why the present step is passed, or nothing."""
    plan, gathered = rollout.plan, rollout.gathered
    if _seen(rollout) < plan.min_answers:
        return ""
    if plan.judged_by == JudgedBy.GUARDS:
        passes = guarded_until(rollout)
        return RolloutVerdict.NO_GUARD if passes is not None and now >= passes else ""
    if _guards(rollout):
        return ""
    is_better = reaches(gathered.better, plan.false_pass)
    # An A/B test is there to learn which of the two is better: that it does no harm does not end it.
    if plan.strategy == RolloutStrategy.AB:
        return RolloutVerdict.BETTER if is_better else ""
    if reaches(gathered.fit, plan.false_pass):
        return RolloutVerdict.BETTER if is_better else RolloutVerdict.NOT_WORSE
    return ""


def _seen(rollout: Rollout) -> int:
    return rollout.gathered.step_answers if rollout.share > 0 else rollout.gathered.step_scored


def _guards(rollout: Rollout) -> Verdict:
    """Return the guard that has fired, or nothing."""
    plan, gathered = rollout.plan, rollout.gathered
    if reaches(gathered.errors, plan.alpha_errors):
        return RolloutVerdict.ERRORS
    if reaches(gathered.slow, plan.alpha_slow):
        return RolloutVerdict.SLOW
    if reaches(gathered.disagreement, plan.alpha_disagreement):
        return RolloutVerdict.DISAGREEMENT
    return ""


def _against(rollout: Rollout) -> Verdict:
    plan, gathered = rollout.plan, rollout.gathered
    # With enough outcomes a candidate that is worse by less than the margin is worse beyond doubt. An A/B test is there
    # to find that out. Elsewhere it counts until it is shown that the candidate is not worse by the margin.
    tolerated = plan.strategy != RolloutStrategy.AB and reaches(gathered.fit_overall, plan.false_pass)
    if reaches(gathered.worse, plan.alpha_quality) and not tolerated:
        return RolloutVerdict.WORSE
    return _guards(rollout)


def _pass(rollout: Rollout, now: datetime, verdict: Verdict) -> Advance:
    """Take the next step, or promote after the last one. A shadow is never promoted: a person decides."""
    if rollout.plan.strategy == RolloutStrategy.SHADOW:
        return Advance(_in_state(rollout, "asking", now, verdict), "wait", verdict)
    following = rollout.step + 1
    if following == len(rollout.plan.steps) or rollout.plan.steps[following] >= 1:
        return Advance(_in_state(rollout, "watching", now, verdict), "promote", verdict)
    gathered = rollout.gathered.next_step(rollout.plan.stakes)
    update = {"step": following, "since": now, "gathered": gathered, "verdict": verdict, "inconclusive_at": None}
    return Advance(rollout.model_copy(update=update), "step", verdict)


def _inconclusive(rollout: Rollout, now: datetime) -> Advance:
    """Ask a person, or go back. A rollout that waits has the verdict once, and asks after `max_wait`."""
    verdict = RolloutVerdict.INCONCLUSIVE
    if now < waits_until(rollout):
        if rollout.inconclusive_at is not None:
            return Advance(rollout, "wait", "")
        return Advance(rollout.model_copy(update={"inconclusive_at": now, "verdict": verdict}), "wait", verdict)
    if rollout.plan.on_inconclusive == Inconclusive.BACK:
        return Advance(_in_state(rollout, "rolled_back", now, verdict), "roll_back", verdict)
    return Advance(_in_state(rollout, "asking", now, verdict), "wait", verdict)


def _in_state(rollout: Rollout, state: RolloutState, now: datetime, verdict: str) -> Rollout:
    return rollout.model_copy(update={"state": state, "since": now, "verdict": verdict, "inconclusive_at": None})
