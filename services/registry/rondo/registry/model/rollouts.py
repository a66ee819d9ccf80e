"""A rollout as a value: its plan, its steps, its clock, its evidence and its state. It is stored as JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import EvidenceScope, RolloutState
from rondo.registry.rollout_evidence import betting, disagreement, error_guard, live_blocks
from rondo.registry.rollout_evidence.betting import Capitals, Stakes, bet, log_evidence
from rondo.registry.rollout_evidence.blocks import Arms, Block, OpenBlock
from rondo.registry.rollout_evidence.interval import Moments
from rondo.registry.rollout_evidence.live_blocks import BlocksOfLength, Live

if TYPE_CHECKING:
    from collections.abc import Sequence

# While a rollout is paused, guards and evidence against the candidate still count.
ACTIVE = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.ASKING, RolloutState.WATCHING)
_WITHDRAWN = (RolloutState.ROLLED_BACK, RolloutState.ABORTED, RolloutState.SUPERSEDED)

# With the cap a candidate that becomes worse soon loses its evidence of not being worse. A capped capital is never
# larger than the uncapped one, so the bound on its probability still holds.
_MOST_OVERALL = 14.0
# The clip of differences, in standard deviations of block means.
_DEVIATIONS = 6


class Plan(Value):
    """The plan from the spec at the beginning of the rollout. Shares are from 0 to 1.

    `judged_by` is `outcomes` or `guards`. `false_rollback` is the probability that an equal candidate is rolled back at
    any time. `false_pass` is the probability that a candidate that is worse by the margin passes a step.
    `outcome_delay` is the longest time until the outcome of a request counts, 0 in rollouts of an earlier release.
    `disagreement` is the mean absolute difference of the two versions' predictions on the gate's holdout, None if it is
    not known. `until` is the end of an A/B test, None for other strategies.
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
    """The evidence so far. `fit` and the fields `step_...` cover the present step, all others the whole rollout.

    `fit_overall` is the capped `fit` of the whole rollout. It is empty before the first block. Blocks before
    `first_block` do not count. `live` shows whether blocks are long enough.
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
        """Return the evidence at the start of a new step, which has to show again that the candidate is not worse."""
        return self.model_copy(
            update={"fit": betting.begin(stakes.fit), "step_answers": 0, "step_scored": 0, "step_blocks": 0}
        )


class Minute(Value):
    """The activity of both versions in a minute: scored rows, answers of the candidate, and errors.

    A slow flag is True if any answer of the minute took longer than the champion's 99th percentile. `disagreement` is
    the mean absolute difference of the predictions of the rows that both versions scored.
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
    """A rollout of `candidate` that is to replace `champion`. `step` counts from 0.

    `since` is the start of the present step, or of the present state if it is not `running`.
    `inconclusive_at` is the time at which the evidence of the present step did not suffice. The step continues.
    """

    model: str
    candidate: int
    champion: int
    plan: Plan
    state: RolloutState = RolloutState.RUNNING
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
        return 1.0 if self.state in {RolloutState.WATCHING, RolloutState.PROMOTED} else self.plan.steps[self.step]

    def with_differences(
        self, parts: Sequence[tuple[datetime, Block | Arms]], complete_until: datetime | None
    ) -> Rollout:
        """Add mean differences of short times, in order of time, and combine them to blocks of the plan.

        A block counts once a later one begins, or once everything up to its end is complete. If the live rows show that
        blocks have to be longer, later blocks are longer.
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
        """Use longer blocks from the next one on. Gains from shorter blocks are dropped, and losses are kept.

        The present capital is divided among the new stakes, so that it remains one capital, with one bound.
        """
        plan, gathered, variance = self.plan, self.gathered, longer.moments.deviation**2
        bound = min(1.0, max(_DEVIATIONS * longer.moments.deviation, 2 * plan.stakes.margin))
        chosen = betting.stakes(bound, plan.stakes.margin, variance, plan.stakes.tolerated)
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
        """Add the mean difference of a complete block."""
        stakes, gathered = self.plan.stakes, self.gathered
        difference = stakes.clipped(block.difference)
        overall = gathered.fit_overall or betting.begin(stakes.fit)
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
        """Add the figures of a minute that the guards compare."""
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
            # Each version can be slow once in a minute, whatever its number of rows.
            update["slow"] = error_guard.take(gathered.slow, *slow, 0.5 if 0 < share < 1 else share)
        if minute.disagreement is not None and self.plan.disagreement is not None:
            taken = disagreement.take(gathered.disagreement, minute.disagreement, self.plan.disagreement)
            update["disagreement"] = taken
        return self.model_copy(update={"gathered": gathered.model_copy(update=update)})

    def _share_of_errors(self, share: float) -> float:
        """Return the largest share of the errors that an equal candidate has with `share` of the attempts.

        If the candidate scores only the rows of some keys, the champion scores the same rows, and an equal champion
        fails on as many of them. So a key whose rows all fail is no evidence against the candidate.
        """
        of_keys = self.plan.evidence == EvidenceScope.CANARY and 0 < self.share < 1
        return max(share, 0.5) if of_keys else share

    def facts(self) -> dict[str, object]:
        """Return the evidence of a verdict for the audit log. E-values are natural logarithms."""
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
    """Return the capital, limited to the initial one, in equal parts for other stakes."""
    return (min(0.0, log_evidence(capitals)),) * len(stakes)


def _with_closed(rollout: Rollout, block: OpenBlock) -> Rollout:
    found = block.closed()
    return rollout if found is None else rollout.with_block(found)


def _capped(capitals: Capitals) -> Capitals:
    return tuple(min(capital, _MOST_OVERALL) for capital in capitals)


def new_rollout(model: str, candidate: int, champion: int, plan: Plan, now: datetime) -> Rollout:
    """Return a rollout at its first step, before any evidence."""
    stakes = plan.stakes
    gathered = Gathered(
        worse=betting.begin(stakes.worse), fit=betting.begin(stakes.fit), better=betting.begin(stakes.better)
    )
    return Rollout(
        model=model, candidate=candidate, champion=champion, plan=plan, began=now, since=now, gathered=gathered
    )
