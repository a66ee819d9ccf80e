"""The rollout policy of a model spec."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from rondo.contracts.spec.data import SpecSection
from rondo.contracts.spec.duration import Duration
from rondo.contracts.text import Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import (
    EvidenceScope,
    Inconclusive,
    JudgedBy,
    OutcomeCause,
    RolloutStrategy,
    known,
)

_MIN_ANSWERS, _FALSE_ROLLBACK = 2_000, 0.05


class Rollout(SpecSection):
    """How a version that passed its gates takes over."""

    strategy: Annotated[Text, Field(examples=known(RolloutStrategy))] = RolloutStrategy.REPLACE.value
    """`replace`: all traffic at once, after a warm-up. `canary`: a growing share of it, by steps. `blue_green`: beside
    the champion and without answers, then all at once. `shadow`: likewise, and a person decides. `ab`: one share, until
    one version is better. [rollouts.md](rollouts.md) explains how evidence decides."""
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(min_length=1)] = (100,)
    """Rising percentages of the traffic for a rollout in steps. `replace` has one step, `canary` by default 5, 25, 100.
    100 is the promotion. `ab` has the first, by default 50."""
    step_length: Duration = timedelta(minutes=10)
    """After this time the evidence of a step that does not suffice is inconclusive. It runs from when the outcomes of
    the step's first requests count: after `data.label_delay` and a window of the monitor. Unused with `replace`."""
    # The keys below are left out of the canonical JSON at their defaults, so that specs without them keep their digest.
    evidence: Annotated[Text, Field(examples=known(EvidenceScope), exclude_if=lambda scope: scope == "all")] = "all"
    """Which requests both versions score: `all`, or those that the `canary` answers."""
    judged_by: Annotated[Text, Field(examples=known(JudgedBy), exclude_if=lambda by: by == "outcomes")] = "outcomes"
    """`outcomes`: the losses decide, and guards may stop the version. `guards`: where no outcomes come, a step is
    passed if errors and slow answers do not speak against the version for `step_length`."""
    outcome: Annotated[Text, Field(examples=known(OutcomeCause), exclude_if=lambda cause: cause == "independent")] = (
        "independent"
    )
    """`independent`: an outcome is the same whatever was answered, so both versions are compared on it.
    `depends_on_answer`: it is not, as where a loan is refused. The requests that the version answers are then compared
    with as large a share of those that the champion answers; for `canary` and `ab`."""
    inconclusive: Annotated[Text, Field(examples=known(Inconclusive), exclude_if=lambda what: what == "wait")] = "wait"
    """What happens at the end of a step whose evidence does not suffice: `wait` for up to `max_wait` and then ask,
    `ask` a person at once, or go `back`."""
    max_wait: Annotated[Duration, Field(exclude_if=lambda wait: wait == timedelta(days=7))] = timedelta(days=7)
    """How long a step waits for evidence, from when it can have some."""
    rollback_window: Annotated[Duration, Field(exclude_if=lambda window: window == timedelta(days=1))] = timedelta(
        days=1
    )
    """How long after its promotion a version goes back by itself if the evidence turns against it. It is prolonged
    until the outcomes of its last requests count. The version before scores along until then."""
    until: Annotated[Utc | None, Field(exclude_if=lambda date: date is None)] = None
    """For `ab`: when a test ends whose evidence does not suffice, such as `2026-12-24T00:00:00Z`. A person is then
    asked, or the version goes back where `inconclusive` says so. In place of `step_length` and `max_wait`."""
    tolerance: Annotated[float | None, Field(gt=0, le=1, exclude_if=lambda share: share is None)] = None
    """How much of the champion's skill a version may lose, from 0 to 1: of what its loss is below that of a constant
    prediction. A version that loses less is rolled back with `false_rollback_rate` at most. By default a tenth is no
    reason against a step, and a version that is worse at all may be rolled back."""
    min_answers: Annotated[int, Field(ge=1, exclude_if=lambda answers: answers == _MIN_ANSWERS)] = 2_000
    """The answers that a version gives in each step at least, or scores where it answers nothing."""
    false_rollback_rate: Annotated[float, Field(gt=0, lt=1, exclude_if=lambda rate: rate == _FALSE_ROLLBACK)] = 0.05
    """The probability that a version which is as good as the champion is ever rolled back."""

    @property
    def compares_answered(self) -> bool:
        """Whether each version is compared by the requests that it answered, as outcomes depend on the answer."""
        return self.outcome == OutcomeCause.DEPENDS_ON_ANSWER
