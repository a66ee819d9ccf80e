"""The summaries of all models mark the models whose change is evident among all of them."""

from __future__ import annotations

import pytest
from rondo.monitor.status.model_status import ModelSummary, over_models, summary

from tests.monitor.builders import SPEC
from tests.monitor.scenarios import DailyScenario


def of_days(shift: float, days: int = 5) -> ModelSummary:
    scenario = DailyScenario()
    for day in range(days):
        scenario.day(day, shift=shift if day >= 2 else 0.0)
    scenario.close()
    return summary(scenario.state, SPEC, scenario.reference)


@pytest.mark.medium
def test_a_change_that_is_evident_alone_may_be_weak_among_many() -> None:
    changed, same = of_days(1.5), of_days(0.0)
    assert changed.strength is not None
    assert same.strength is not None
    assert same.strength < 0 < changed.strength, "0 is what an alarm needs"
    weak = changed.model_copy(update={"model": "weak", "strength": 0.5})
    assert [each.evident_over_models for each in over_models([weak])] == [True]
    others = [same.model_copy(update={"model": f"other-{number}"}) for number in range(99)]
    found = {each.model: each.evident_over_models for each in over_models([weak, changed, *others])}
    assert [model for model, evident in found.items() if evident] == [changed.model]


def test_a_model_without_evidence_is_none_of_them() -> None:
    scenario = DailyScenario()
    nothing = summary(scenario.state, SPEC, scenario.reference)
    assert nothing.strength is None
    assert [each.evident_over_models for each in over_models([nothing])] == [False]
