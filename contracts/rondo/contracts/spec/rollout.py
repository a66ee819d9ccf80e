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
    """The way in which a version that passed its gates replaces the champion."""

    strategy: Annotated[Text, Field(examples=known(RolloutStrategy))] = RolloutStrategy.REPLACE.value
    """`replace`: the version gets all traffic at once, after a warm-up. `canary`: it gets a growing share of the
    traffic, by steps. `blue_green`: it scores requests without answering them, and then gets all traffic at once.
    `shadow`: it scores requests without answering them, until a person decides. `ab`: it gets a fixed share, until one
    version is better. [rollouts.md](rollouts.md) explains how evidence decides."""
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(min_length=1)] = (100,)
    """Rising percentages of the traffic, one for each step. 100 is the promotion. `replace` has one step, and `canary`
    by default the steps 5, 25 and 100. `ab` uses the first step alone, by default 50."""
    step_length: Duration = timedelta(minutes=10)
    """The time after which the evidence of a step is inconclusive if it does not suffice. The time begins when the
    outcomes of the step's first requests count, which is after `data.label_delay` and a window of the monitor. Unused
    with `replace`."""
    # The keys below are left out of the canonical JSON at their defaults, so that specs without them keep their digest.
    evidence: Annotated[Text, Field(examples=known(EvidenceScope), exclude_if=lambda scope: scope == "all")] = "all"
    """The requests that both versions score: `all`, or those that the `canary` answers."""
    judged_by: Annotated[Text, Field(examples=known(JudgedBy), exclude_if=lambda by: by == "outcomes")] = "outcomes"
    """`outcomes`: the losses decide, and guards may stop the version. `guards`: for models without outcomes. A step is
    passed if errors and slow answers give no evidence against the version for `step_length`."""
    outcome: Annotated[Text, Field(examples=known(OutcomeCause), exclude_if=lambda cause: cause == "independent")] = (
        "independent"
    )
    """`independent`: an outcome does not depend on the answer, so both versions are compared on the same requests.
    `depends_on_answer`: it does, such as the outcome of a loan that may be refused. The requests that the version
    answers are then compared with an equal share of the requests that the champion answers. This is for `canary` and
    `ab`."""
    inconclusive: Annotated[Text, Field(examples=known(Inconclusive), exclude_if=lambda what: what == "wait")] = "wait"
    """The next action after a step whose evidence does not suffice: `wait` for up to `max_wait` and then ask a person,
    `ask` a person at once, or go `back` to the champion."""
    max_wait: Annotated[Duration, Field(exclude_if=lambda wait: wait == timedelta(days=7))] = timedelta(days=7)
    """The longest time that a step waits for evidence, from the time at which it can have some."""
    rollback_window: Annotated[Duration, Field(exclude_if=lambda window: window == timedelta(days=1))] = timedelta(
        days=1
    )
    """The time after a promotion during which the version is rolled back automatically if the evidence turns against
    it. It is prolonged until the outcomes of the last requests count. The previous version scores the requests, too,
    until then."""
    until: Annotated[Utc | None, Field(exclude_if=lambda date: date is None)] = None
    """For `ab`, in place of `step_length` and `max_wait`: the end of a test whose evidence does not suffice, such as
    `2026-12-24T00:00:00Z`. A person is then asked, or the version goes back if `inconclusive` is `back`."""
    tolerance: Annotated[float | None, Field(gt=0, le=1, exclude_if=lambda share: share is None)] = None
    """The share of the champion's skill that a version may lose, from 0 to 1. The skill is the loss of a constant
    prediction minus the champion's loss. A version that loses less is rolled back with a probability of
    `false_rollback_rate` at most. By default the loss of a tenth does not stop a step, and a version that is worse by
    any amount may be rolled back."""
    min_answers: Annotated[int, Field(ge=1, exclude_if=lambda answers: answers == _MIN_ANSWERS)] = 2_000
    """The lowest number of answers that a version gives in each step, or of rows that it scores if it answers
    nothing."""
    false_rollback_rate: Annotated[float, Field(gt=0, lt=1, exclude_if=lambda rate: rate == _FALSE_ROLLBACK)] = 0.05
    """The probability that a version as good as the champion is rolled back at any time."""

    @property
    def compares_answered(self) -> bool:
        """True if versions are compared by the requests that each answered, because outcomes depend on the answer."""
        return self.outcome == OutcomeCause.DEPENDS_ON_ANSWER
