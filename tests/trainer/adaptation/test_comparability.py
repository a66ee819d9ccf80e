"""A new record begins with some changes of a spec, and not with others."""

from __future__ import annotations

from typing import Any

import pytest
from rondo.trainer.adaptation.comparability import comparability_digest

from tests.trainer import builders


@pytest.mark.parametrize(
    "changed",
    [
        {"data": {"label": "later"}},
        {"data": {"positive": "yes", "negative": "no"}},
        {"task": "regression"},
        {"features": {"weekday": {"type": "int"}}},
        {"prepare": {"impute": {"distance": "median"}}},
        {"trainer": {"params": {"n_estimators": 6}}},
        {"prediction": {"threshold": 0.4}},
    ],
)
def test_another_label_task_feature_preparation_trainer_or_threshold_has_another_basis(changed: dict[str, Any]) -> None:
    assert comparability_digest(builders.spec(**changed)) != comparability_digest(builders.spec())


def test_when_to_train_and_what_to_watch_change_no_loss() -> None:
    changed = builders.spec(retrain={"cooldown": "2d"}, monitor={"false_alarm_rate": 0.1}, data={"label_delay": "1d"})
    assert comparability_digest(changed) == comparability_digest(builders.spec())
