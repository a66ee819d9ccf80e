"""A rollout as a value: its plan, its steps, its clock, its evidence and its state. It is stored as JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import EvidenceScope
from rondo.registry.rollout_evidence import bets, disagreement, error_guard, live_blocks
from rondo.registry.rollout_evidence.bets import Capitals, Stakes, bet, log_evidence
from rondo.registry.rollout_evidence.blocks import Arms, Block, OpenBlock
from rondo.registry.rollout_evidence.interval import Moments
from rondo.registry.rollout_evidence.live_blocks import BlocksOfLength, Live

if TYPE_CHECKING:
    from collections.abc import Sequence

# `running`: steps follow the evidence. `paused`: a person stopped the steps. Guards and evidence against the candidate
# still count. `asking`: a person is to decide. `watching`: the candidate was promoted, and the rollback window lasts.
# The others are final.
RolloutState = Literal["running", "paused", "asking", "watching", "promoted", "rolled_back", "aborted", "superseded"]
ACTIVE: tuple[RolloutState, ...] = ("running", "paused", "asking", "watching")
_WITHDRAWN: tuple[RolloutState, ...] = ("rolled_back", "aborted", "superseded")

# So much evidence that a candidate is not worse is soon used up by one that becomes worse. A capped capital is never
# more than one that is not, so that what bounds the one bounds the other.
_MOST_OVERALL = 14.0
# The clip of differences, in standard deviations of block means.
_DEVIATIONS = 6


class Plan(Value):
    """What the spec said when the rollout began. Shares are from 0 to 1.

    `judged_by` is `outcomes` or `guards`. `false_rollback` is the probability that an equal candidate is ever rolled
    back, `false_pass` that of passing a step though it is worse by the margin. `outcome_delay` is the longest time
    until the outcome of a request counts, 0 in rollouts of an earlier release. `disagreement` is the mean
    absolute difference of the two versions' predictions on the gate's holdout. None where it is not known. `until` ends
    an A/B test, and None in the other strategies.
    """

    strategy: str
    steps: tuple[float, ...]
    step_length: timedelta
    max_wait: timedelta
    rollback_window: timedelta
    on_inconclusive: str = "wait"
    judged_by: str = "outcomes"
    min_answers: int = 2_000
    false_rollback: float = 0.05
    false_pass: float = 0.05
    evidence: str = "all"
    stakes: Stakes
    block: timedelta
    outcome_delay: timedelta = timedelta(0)
    variance: float | None = None
    disagreement: float | None = None
    outcome: str = "independent"
    until: Utc | None = None

    @property
    def alpha_quality(self) -> float:
        """The part of `false_rollback` for losses. Errors, slow answers and disagreement share the rest."""
        return 0.6 * self.false_rollback

    @property
    def alpha_errors(self) -> float:
        return 0.2 * self.false_rollback

    @property
    def alpha_slow(self) -> float:
        return 0.1 * self.false_rollback

    @property
    def alpha_disagreement(self) -> float:
        return 0.1 * self.false_rollback


class Gathered(Value):
    """The evidence so far. All but `fit`, `step_answers` and `step_blocks` is of the whole rollout.

    `fit_overall` is `fit` of the whole rollout, capped. It is empty before the first block. Blocks before `first_block`
    do not count, and `live` says whether they are long enough.
    """

    worse: Capitals
    fit: Capitals
    better: Capitals
    fit_overall: Capitals = ()
    moments: Moments = Moments()
    errors: Capitals = error_guard.begin()
    slow: Capitals = error_guard.begin()
    disagreement: Capitals = disagreement.begin()
    answers: int = 0
    scored: int = 0
    step_answers: int = 0
    step_scored: int = 0
    step_blocks: int = 0
    outcomes: int = 0
    candidate_errors: int = 0
    champion_errors: int = 0
    open_block: OpenBlock | None = None
    first_block: int = 0
    live: Live = ()

    def next_step(self, stakes: Stakes) -> Gathered:
        """Return the evidence for a new step, which has to show again that the candidate is not worse."""
        return self.model_copy(
            update={"fit": bets.begin(stakes.fit), "step_answers": 0, "step_scored": 0, "step_blocks": 0}
        )


class Minute(Value):
    """What both versions did in a minute: rows that they scored, answers of the candidate, and failures.

    The slow flags say whether any answer of the minute took longer than the champion's 99th percentile.
    `disagreement` is the mean absolute difference of the predictions of the rows that both scored.
    """

    answers: int = 0
    candidate_scored: int = 0
    champion_scored: int = 0
    candidate_errors: int = 0
    champion_errors: int = 0
    candidate_slow: bool = False
    champion_slow: bool = False
    disagreement: float | None = None


class Rollout(Value):
    """A rollout of `candidate` in the place of `champion`. `step` counts from 0. `since` is when it began.

    `inconclusive_at` is when the evidence of the present step was found not to suffice in its time. The step goes on.
    """

    model: str
    candidate: int
    champion: int
    plan: Plan
    state: RolloutState = "running"
    step: int = 0
    began: Utc
    since: Utc
    gathered: Gathered
    verdict: str = ""
    inconclusive_at: Utc | None = None

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def share(self) -> float:
        """The share of the requests that the candidate answers, from 0 to 1."""
        if self.state in _WITHDRAWN:
            return 0.0
        return 1.0 if self.state in ("watching", "promoted") else self.plan.steps[self.step]

    def with_differences(
        self, parts: Sequence[tuple[datetime, Block | Arms]], complete_until: datetime | None
    ) -> Rollout:
        """Take mean differences of short times, in order of time, and put them together to blocks of the plan.

        A block counts once a later one begins, or once everything up to its end is complete. Where the live rows show
        that blocks have to be longer, they are from then on.
        """
        rollout, held = self, self.gathered.open_block
        for start, part in parts:
            number = self._block_number(start)
            if number < self.gathered.first_block:
                continue
            if held is not None and number != held.number:
                rollout, held = _with_closed(rollout, held), None
            held = (held or OpenBlock(number=number)).plus(part)
        if held is not None and complete_until is not None and self._block_number(complete_until) > held.number:
            rollout, held = _with_closed(rollout, held), None
        live = live_blocks.plus(self.gathered.live or live_blocks.begin(self.plan.block.total_seconds()), parts)
        gathered = rollout.gathered.model_copy(update={"open_block": held, "live": live})
        rollout = rollout.model_copy(update={"gathered": gathered})
        longer = live_blocks.length_needed(live)
        return rollout if longer is None or not parts else rollout.with_longer_blocks(longer, parts[-1][0])

    def with_longer_blocks(self, longer: BlocksOfLength, newest: datetime) -> Rollout:
        """Begin with longer blocks at the next one. What shorter ones have gained does not count, what they lost does.

        The present capital is divided among the new stakes, so that it remains one capital, with one bound.
        """
        plan, gathered, variance = self.plan, self.gathered, longer.moments.deviation**2
        bound = min(1.0, max(_DEVIATIONS * longer.moments.deviation, 2 * plan.stakes.margin))
        chosen = bets.stakes(bound, plan.stakes.margin, variance, plan.stakes.tolerated)
        block = timedelta(seconds=longer.seconds)
        update = {
            "worse": _divided(gathered.worse, chosen.worse),
            "fit": _divided(gathered.fit, chosen.fit),
            "better": _divided(gathered.better, chosen.better),
            "fit_overall": _divided(gathered.fit_overall, chosen.fit),
            "moments": Moments(),
            "open_block": None,
            "first_block": int(newest.timestamp() // longer.seconds) + 1,
            "live": live_blocks.begin(longer.seconds),
        }
        delay = plan.outcome_delay + block - plan.block if plan.outcome_delay else plan.outcome_delay
        changed = {"stakes": chosen, "block": block, "variance": variance, "outcome_delay": delay}
        return self.model_copy(
            update={"plan": plan.model_copy(update=changed), "gathered": gathered.model_copy(update=update)}
        )

    def _block_number(self, at: datetime) -> int:
        return int(at.timestamp() // self.plan.block.total_seconds())

    def with_block(self, block: Block) -> Rollout:
        """Take the mean difference of a complete block."""
        stakes, gathered = self.plan.stakes, self.gathered
        difference = stakes.clipped(block.difference)
        overall = gathered.fit_overall or bets.begin(stakes.fit)
        update = {
            "worse": bet(gathered.worse, stakes.worse, difference - stakes.tolerated),
            "fit": bet(gathered.fit, stakes.fit, stakes.margin - difference),
            "fit_overall": _capped(bet(overall, stakes.fit, stakes.margin - difference)),
            "better": bet(gathered.better, stakes.better, -difference),
            "moments": gathered.moments.plus(difference),
            "outcomes": gathered.outcomes + block.rows,
            "step_blocks": gathered.step_blocks + 1,
        }
        return self.model_copy(update={"gathered": gathered.model_copy(update=update)})

    def with_minute(self, minute: Minute) -> Rollout:
        """Take what the guards compare."""
        gathered, attempts = self.gathered, minute.candidate_scored + minute.champion_scored
        update: dict[str, int | Capitals] = {
            "answers": gathered.answers + minute.answers,
            "step_answers": gathered.step_answers + minute.answers,
            "scored": gathered.scored + minute.candidate_scored,
            "step_scored": gathered.step_scored + minute.candidate_scored,
            "candidate_errors": gathered.candidate_errors + minute.candidate_errors,
            "champion_errors": gathered.champion_errors + minute.champion_errors,
        }
        if attempts:
            share = minute.candidate_scored / attempts
            failed = minute.candidate_errors, minute.champion_errors
            update["errors"] = error_guard.take(gathered.errors, *failed, self._share_of_errors(share))
            slow = int(minute.candidate_slow), int(minute.champion_slow)
            # Within a minute both had the chance to be slow once, however many rows each had.
            update["slow"] = error_guard.take(gathered.slow, *slow, 0.5 if 0 < share < 1 else share)
        if minute.disagreement is not None and self.plan.disagreement is not None:
            taken = disagreement.take(gathered.disagreement, minute.disagreement, self.plan.disagreement)
            update["disagreement"] = taken
        return self.model_copy(update={"gathered": gathered.model_copy(update=update)})

    def _share_of_errors(self, share: float) -> float:
        """Return the share of the errors that an equal candidate has at most, where it has `share` of the attempts.

        Where it is given the rows of some keys alone, the champion is given them, too, and fails on as many of them:
        one key whose rows all fail is no evidence against the candidate.
        """
        of_keys = self.plan.evidence == EvidenceScope.CANARY and 0 < self.share < 1
        return max(share, 0.5) if of_keys else share

    def facts(self) -> dict[str, object]:
        """Return the evidence of a verdict, as the audit log has it: e-values as natural logarithms."""
        gathered = self.gathered
        return {
            "log_e_worse": round(log_evidence(gathered.worse), 4),
            "log_e_fit": round(log_evidence(gathered.fit), 4),
            "log_e_better": round(log_evidence(gathered.better), 4),
            "log_e_errors": round(log_evidence(gathered.errors), 4),
            "log_e_slow": round(log_evidence(gathered.slow), 4),
            "log_e_disagreement": round(log_evidence(gathered.disagreement), 4),
            "mean_difference": round(gathered.moments.mean, 6),
            "blocks": gathered.moments.count,
            "block_seconds": self.plan.block.total_seconds(),
            "outcomes": gathered.outcomes,
            "answers": gathered.answers,
            "scored": gathered.scored,
            "candidate_errors": gathered.candidate_errors,
            "champion_errors": gathered.champion_errors,
        }


def _divided(capitals: Capitals, stakes: Sequence[float]) -> Capitals:
    """Return the capital, of what there was at the beginning at most, in equal parts for other stakes."""
    return (min(0.0, log_evidence(capitals)),) * len(stakes)


def _with_closed(rollout: Rollout, block: OpenBlock) -> Rollout:
    found = block.closed()
    return rollout if found is None else rollout.with_block(found)


def _capped(capitals: Capitals) -> Capitals:
    return tuple(min(capital, _MOST_OVERALL) for capital in capitals)


def new_rollout(model: str, candidate: int, champion: int, plan: Plan, now: datetime) -> Rollout:
    """Return a rollout at its first step, before any evidence."""
    stakes = plan.stakes
    gathered = Gathered(worse=bets.begin(stakes.worse), fit=bets.begin(stakes.fit), better=bets.begin(stakes.better))
    return Rollout(
        model=model, candidate=candidate, champion=champion, plan=plan, began=now, since=now, gathered=gathered
    )
