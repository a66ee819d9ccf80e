"""Decides the verdict on a rollout, and the next step. It is a pure function of the rollout and the time.

The first question is whether the candidate is not worse: with enough outcomes any difference becomes significant,
including irrelevant ones. By Ville's inequality the probability that an equal candidate is rolled back at any time is
at most `plan.false_rollback`, divided among losses and guards, however often this function is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rondo.contracts.vocabularies import Inconclusive, JudgedBy, RolloutState, RolloutStrategy, RolloutVerdict
from rondo.registry.rollout_evidence.betting import reaches

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.registry.model.rollouts import Rollout

# The action of the registry. `step` changes the shares. `promote` makes the candidate the champion. `roll_back` goes
# back. `finish` ends the rollout and keeps the new champion.
RolloutAction = Literal["wait", "step", "promote", "roll_back", "finish"]
# It is empty if nothing has been decided.
Verdict = RolloutVerdict | Literal[""]


@dataclass(frozen=True)
class Advance:
    """The rollout after a decision, the action of the registry, and the verdict that is its reason."""

    rollout: Rollout
    action: RolloutAction
    verdict: Verdict


def advance(rollout: Rollout, now: datetime) -> Advance:
    """Decide by the evidence and the clock. A rollout that ended stays as it is."""
    if not rollout.is_active:
        return Advance(rollout, "wait", "")
    if rollout.state == RolloutState.RUNNING and (favourable := _in_favour(rollout, now)):
        return _pass(rollout, now, favourable)
    if against := _against(rollout):
        return Advance(_in_state(rollout, RolloutState.ROLLED_BACK, now, against), "roll_back", against)
    lasted = now - rollout.since
    # Outcomes of requests within the window arrive after it, so the rollout waits for them.
    if rollout.state == RolloutState.WATCHING and lasted >= rollout.plan.rollback_window + rollout.plan.outcome_delay:
        return Advance(_in_state(rollout, RolloutState.PROMOTED, now, rollout.verdict), "finish", "")
    if rollout.state == RolloutState.RUNNING and now >= step_end(rollout):
        return _inconclusive(rollout, now)
    return Advance(rollout, "wait", "")


def step_end(rollout: Rollout) -> datetime:
    """Return the end of the present step. Evidence that does not suffice by then is inconclusive.

    The step length counts from the time at which outcomes of the step's first requests can count. A test with an end
    date has no other end. A test that a person resumed after its date has a step length again.
    """
    plan = rollout.plan
    if plan.until is not None and rollout.since < plan.until:
        return plan.until
    return rollout.since + plan.outcome_delay + plan.step_length


def waits_until(rollout: Rollout) -> datetime:
    """Return the time at which a person is asked, or the rollout goes back: the end of the step, or of `max_wait`."""
    plan, end = rollout.plan, step_end(rollout)
    if end == plan.until or plan.on_inconclusive in (Inconclusive.ASK, Inconclusive.BACK):
        return end
    return max(end, rollout.since + plan.outcome_delay + plan.max_wait)


def guarded_until(rollout: Rollout) -> datetime | None:
    """Return the time at which a step with `judged_by: guards` is passed if no guard fires.

    None if the step has too few answers, or a guard has fired, or outcomes decide.
    """
    plan = rollout.plan
    if plan.judged_by != JudgedBy.GUARDS or _seen(rollout) < plan.min_answers or _guards(rollout):
        return None
    return rollout.since + plan.step_length


def pause(rollout: Rollout, now: datetime) -> Rollout:
    """Stop the steps. Evidence against the candidate still counts."""
    return _in_state(rollout, RolloutState.PAUSED, now, rollout.verdict)


def resume(rollout: Rollout, now: datetime) -> Rollout:
    """Continue with the present step, whose clock starts again."""
    return _in_state(rollout, RolloutState.RUNNING, now, rollout.verdict)


def promote_now(rollout: Rollout, now: datetime) -> Advance:
    """Make the candidate the champion. The rollback window follows."""
    return Advance(_in_state(rollout, RolloutState.WATCHING, now, rollout.verdict), "promote", "")


def abort(rollout: Rollout, now: datetime) -> Advance:
    """End the rollout. The original champion answers all requests."""
    return Advance(_in_state(rollout, RolloutState.ABORTED, now, rollout.verdict), "roll_back", "")


def _in_favour(rollout: Rollout, now: datetime) -> Verdict:
    """Return the verdict by which the present step is passed, or an empty text."""
    plan, gathered = rollout.plan, rollout.gathered
    if _seen(rollout) < plan.min_answers:
        return ""
    if plan.judged_by == JudgedBy.GUARDS:
        passes = guarded_until(rollout)
        return RolloutVerdict.NO_GUARD if passes is not None and now >= passes else ""
    if _guards(rollout):
        return ""
    is_better = reaches(gathered.better, plan.false_pass)
    # An A/B test has to find the better version, so evidence that the candidate does no harm does not end it.
    if plan.strategy == RolloutStrategy.AB:
        return RolloutVerdict.BETTER if is_better else ""
    if reaches(gathered.fit, plan.false_pass):
        return RolloutVerdict.BETTER if is_better else RolloutVerdict.NOT_WORSE
    return ""


def _seen(rollout: Rollout) -> int:
    return rollout.gathered.step_answers if rollout.share > 0 else rollout.gathered.step_scored


def _guards(rollout: Rollout) -> Verdict:
    """Return the guard that has fired, or an empty text."""
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
    # With enough outcomes there is evidence that a candidate is worse even if the difference is less than the margin.
    # An A/B test always uses this evidence. Other strategies use it only until there is evidence that the candidate is
    # not worse by the margin.
    tolerated = plan.strategy != RolloutStrategy.AB and reaches(gathered.fit_overall, plan.false_pass)
    if reaches(gathered.worse, plan.alpha_quality) and not tolerated:
        return RolloutVerdict.WORSE
    return _guards(rollout)


def _pass(rollout: Rollout, now: datetime, verdict: Verdict) -> Advance:
    """Go to the next step, or promote after the last one. A shadow is never promoted: a person decides."""
    if rollout.plan.strategy == RolloutStrategy.SHADOW:
        return Advance(_in_state(rollout, RolloutState.ASKING, now, verdict), "wait", verdict)
    following = rollout.step + 1
    if following == len(rollout.plan.steps) or rollout.plan.steps[following] >= 1:
        return Advance(_in_state(rollout, RolloutState.WATCHING, now, verdict), "promote", verdict)
    gathered = rollout.gathered.next_step(rollout.plan.stakes)
    update = {"step": following, "since": now, "gathered": gathered, "verdict": verdict, "inconclusive_at": None}
    return Advance(rollout.model_copy(update=update), "step", verdict)


def _inconclusive(rollout: Rollout, now: datetime) -> Advance:
    """Ask a person, or go back. A rollout that waits gets the verdict once, and asks after `max_wait`."""
    verdict = RolloutVerdict.INCONCLUSIVE
    if now < waits_until(rollout):
        if rollout.inconclusive_at is not None:
            return Advance(rollout, "wait", "")
        return Advance(rollout.model_copy(update={"inconclusive_at": now, "verdict": verdict}), "wait", verdict)
    if rollout.plan.on_inconclusive == Inconclusive.BACK:
        return Advance(_in_state(rollout, RolloutState.ROLLED_BACK, now, verdict), "roll_back", verdict)
    return Advance(_in_state(rollout, RolloutState.ASKING, now, verdict), "wait", verdict)


def _in_state(rollout: Rollout, state: RolloutState, now: datetime, verdict: str) -> Rollout:
    return rollout.model_copy(update={"state": state, "since": now, "verdict": verdict, "inconclusive_at": None})
