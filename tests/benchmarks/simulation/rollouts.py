"""Simulated rollouts: the registry's own decisions about two models whose quality is known.

Each row has its own probability. Each model sees its logit with independent noise, so that two models with the same
noise are equal in expectation for all rows, and a model with more noise is worse. With `shocks`, part of it is shared
by the rows of an hour, as weather is. Everything that decides is the product's: the block's length, the stakes and the
margin from a holdout of the same process in order of time, blocks that count when their outcomes are complete, a fresh
`e_fit` for each step, and the rate of rollbacks divided among losses and guards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.registry.model.rollouts import Minute, Plan, new_rollout
from rondo.registry.rollout.advance import advance
from rondo.registry.rollout.plan import of_arms
from rondo.registry.rollout_evidence.betting import stakes
from rondo.registry.rollout_evidence.blocks import Arms, Block
from rondo.trainer.evaluation.paired_holdout import paired_holdout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rondo.contracts.training_evidence import PairedHoldout
    from rondo.registry.model.rollouts import Rollout

    Vector = NDArray[np.float64]

TASK = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
EQUAL, WORSE_BY_1, WORSE_BY_3 = 1.0, 1.125, 1.385
"""The noise of a candidate. That of the champion is 1. The AUC is .789, or lower by .010 or by .030."""
MINUTE = timedelta(minutes=1)
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_SPREAD, _BASE = 1.7, -1.2
# The part of a model's noise that the rows of an hour share.
_SHARED = 0.15


@dataclass(frozen=True)
class Traffic:
    """Requests per minute, minutes of each step, and the delay of outcomes in minutes. `shocks` are as above.

    With `by_answer` each version is compared by the requests that it answered, in shares of equal size. The holdout has
    a row where the traffic has `density` requests.
    """

    rate: int
    step_minutes: int
    delay: int
    shocks: bool
    by_answer: bool = False
    density: int = 1

    @property
    def minutes(self) -> int:
        """The longest time of a rollout in two steps, each of which waits for its first outcomes."""
        return 2 * (self.step_minutes + self.delay)


@dataclass(frozen=True)
class Ended:
    """The end of a rollout, the answers of the candidate until then, and the number of outcomes that were compared."""

    state: str
    verdict: str
    answers: int
    outcomes: int


def rows(minutes: int, traffic: Traffic, noise: float, rng: np.random.Generator) -> tuple[Vector, Vector, Vector]:
    """Return outcomes and the scores of candidate and champion, `[minutes * rate]` each, in order of time."""
    count = minutes * traffic.rate
    logits = _BASE + _SPREAD * rng.standard_normal(count)
    outcomes = (rng.random(count) < _chance(logits)).astype(np.float64)
    seen = (_chance(logits + scale * _noise(count, traffic, rng)) for scale in (noise, 1.0))
    candidate, champion = seen
    return outcomes, candidate, champion


def _noise(count: int, traffic: Traffic, rng: np.random.Generator) -> Vector:
    own = rng.standard_normal(count)
    if not traffic.shocks:
        return np.asarray(own)
    hours = np.arange(count) // (60 * traffic.rate)
    return np.asarray(np.sqrt(1 - _SHARED) * own + np.sqrt(_SHARED) * rng.standard_normal(hours[-1] + 1)[hours])


def _chance(logits: Vector) -> Vector:
    return np.asarray(1 / (1 + np.exp(-logits)))


def losses(outcomes: Vector, scores: Vector) -> Vector:
    """Return the product's losses, shape `[rows]`."""
    return task_named("binary").losses(TASK, _table(outcomes, scores), None)


def _table(outcomes: Vector, scores: Vector) -> pa.Table:
    columns = {"number": scores.astype(np.float32), "outcome": outcomes}
    return pa.table({f.name: columns[f.name] if f.name in columns else pa.nulls(len(scores), f.type)
                     for f in (*PREDICTED, *OBSERVED)})  # fmt: skip


def holdout(traffic: Traffic, noise: float, minutes: int, rng: np.random.Generator) -> PairedHoldout:
    """Return the paired holdout of the trainer's evidence for a holdout of this many minutes."""
    traffic = replace(traffic, rate=traffic.rate // traffic.density)
    outcomes, candidate, champion = rows(minutes, traffic, noise, rng)
    seconds = np.repeat(np.arange(minutes) * 60.0, traffic.rate)
    found = paired_holdout(TASK, seconds, _table(outcomes, candidate), _table(outcomes, champion))
    assert found is not None
    return found


def plan(traffic: Traffic, of_holdout: PairedHoldout | None, block: timedelta = MINUTE) -> Plan:
    """Return steps of 5 and 25% before the promotion. Without a holdout use the twelve stakes, and a margin of 0.01."""
    length = timedelta(minutes=traffic.step_minutes)
    known, steps = of_holdout, (0.05, 0.25, 1.0)
    if known and traffic.by_answer:
        known = of_arms(known, steps[0])
    return Plan(
        strategy="canary",
        steps=steps,
        step_length=length,
        max_wait=length,
        outcome_delay=timedelta(minutes=traffic.delay),
        rollback_window=timedelta(0),
        stakes=stakes(known.bound, known.margin, known.variance) if known else stakes(1.0, 0.01),
        block=timedelta(seconds=known.block_seconds) if known else block,
        min_answers=min(2_000, traffic.rate * 10),
    )


def play(traffic: Traffic, noise: float, decided: Plan, rng: np.random.Generator) -> Ended:
    """Play a rollout with a decision every minute."""
    outcomes, candidate, champion = rows(traffic.minutes, traffic, noise, rng)
    of_both = [losses(outcomes, each).reshape(traffic.minutes, traffic.rate) for each in (candidate, champion)]
    positions = rng.random((traffic.minutes, traffic.rate)) if traffic.by_answer else None
    length = round(decided.block / MINUTE)
    value = new_rollout("flights", 2, 1, decided, _BEGAN)
    for minute in range(1, traffic.minutes + 1):
        value = value.with_minute(
            Minute(
                answers=round(value.share * traffic.rate),
                candidate_scored=traffic.rate,
                champion_scored=traffic.rate,
                candidate_errors=int(rng.poisson(0.5)),
                champion_errors=int(rng.poisson(0.5)),
                candidate_slow=bool(rng.random() < 0.2),
                champion_slow=bool(rng.random() < 0.2),
            )
        )
        end = minute - traffic.delay
        if end >= length and end % length == 0:
            parts = [_part(value, of_both, positions, each) for each in range(end - length, end)]
            value = value.with_differences(parts, _BEGAN + end * MINUTE)
        taken = advance(value, _BEGAN + minute * MINUTE)
        value = taken.rollout
        if taken.action in ("promote", "roll_back") or value.state == "asking":
            break
    return Ended(value.state, value.verdict, value.gathered.answers, value.gathered.outcomes)


def _part(
    value: Rollout, of_both: Sequence[Vector], positions: Vector | None, minute: int
) -> tuple[datetime, Block | Arms]:
    """Return the monitor's evidence for a minute."""
    mine, theirs = (each[minute] for each in of_both)
    start = _BEGAN + minute * MINUTE
    if positions is None:
        return start, Block(rows=mine.size, difference=float((mine - theirs).mean()))
    size = min(value.share, 1 - value.share)
    mine, theirs = mine[positions[minute] < size], theirs[positions[minute] >= 1 - size]
    losses_of = [float(each.mean()) if each.size else 0.0 for each in (mine, theirs)]
    return start, Arms(rows=mine.size, loss=losses_of[0], champion_rows=theirs.size, champion_loss=losses_of[1])
