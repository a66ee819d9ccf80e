"""The triggers of a training, and its rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rondo.contracts.spec.file import SpecError, parse_spec
from rondo.contracts.spec.model import ModelSpec

BARE = """\
model: churn
data: {dataset: customers, entity: id, event_time: asked_at, label: left}
features: {spent: {type: float}}
"""


def spec(addition: str = "") -> ModelSpec:
    return parse_spec(BARE + addition)


def problem(addition: str) -> str:
    with pytest.raises(SpecError) as caught:
        spec(addition)
    (found,) = caught.value.problems
    return found


def test_by_default_a_comparison_decides_about_retraining() -> None:
    retrain = spec().retrain
    assert (retrain.policy, retrain.on, retrain.is_automatic) == ("auto", (), True)
    assert spec("retrain: {cooldown: 2d}").retrain.policy == "auto"
    assert ModelSpec.from_json(spec().canonical_json()) == spec()


@pytest.mark.parametrize(
    ("retrain", "on"),
    [("{on: [drift]}", ("drift",)), ("{on: []}", ()), ("{policy: triggers}", ("drift", "performance"))],
)
def test_where_triggers_are_listed_they_decide(retrain: str, on: tuple[str, ...]) -> None:
    found = spec(f"retrain: {retrain}")
    assert (found.retrain.policy, found.retrain.on, found.retrain.is_automatic) == ("triggers", on, False)
    assert ModelSpec.from_json(found.canonical_json()) == found


def test_a_schedule_may_stand_beside_the_policy() -> None:
    retrain = spec('retrain: {policy: auto, on: ["cron: 0 3 * * 1"]}').retrain
    assert (retrain.is_automatic, retrain.on) == (True, ("cron: 0 3 * * 1",))


def test_a_policy_that_decides_by_itself_lists_no_triggers() -> None:
    found = problem('retrain: {policy: auto, on: [drift, "cron: 0 3 * * 1"]}')
    assert found.startswith("line 4: `retrain.on`: ")
    assert all(word in found for word in ("drift", "`policy: auto`"))


def test_an_unknown_policy_is_refused_and_a_stored_one_retrains_by_triggers() -> None:
    found = problem("retrain: {policy: always}")
    assert found.startswith("line 4: `retrain.policy`: 'always'")
    assert found.endswith("auto, triggers")
    stored = ModelSpec.model_validate(spec().as_dict() | {"retrain": {"policy": "always"}})
    assert (stored.retrain.is_automatic, stored.retrain.on) == (False, ("drift", "performance"))


def test_costs_come_together_and_belong_to_the_policy_that_asks_for_them() -> None:
    retrain = spec("retrain: {training_cost: 5, error_cost: 0.01}").retrain
    assert (retrain.training_cost, retrain.error_cost) == (5, 0.01)
    for key, other in (("training_cost", "error_cost"), ("error_cost", "training_cost")):
        found = problem(f"retrain: {{{key}: 5}}")
        assert found.startswith(f"line 4: `retrain.{key}`")
        assert other in found
    for chosen in ("on: [drift]", "policy: triggers"):
        with pytest.raises(SpecError) as caught:
            spec(f"retrain: {{{chosen}, training_cost: 5, error_cost: 0.01}}")
        assert ["`policy: auto`" in each for each in caught.value.problems] == [True, True]


@pytest.mark.parametrize(
    ("addition", "refits"),
    [
        ("", True),
        ("retrain: {on: [drift]}", False),
        ("retrain: {on: [drift]}\ntrainer: {refit: true}", True),
        ("trainer: {refit: false}", False),
        ("trainer: {ensemble: 3}", False),
    ],
)
def test_what_serves_is_refitted_by_default_where_a_comparison_decides(addition: str, *, refits: bool) -> None:
    assert spec(addition).refits is refits


def test_an_ensemble_is_not_refitted() -> None:
    assert problem("trainer: {refit: true, ensemble: 2}").startswith("line 4: `trainer.refit`")


def test_a_holdout_is_a_share_a_number_of_rows_or_a_span() -> None:
    assert "holdout_rows" not in spec("trainer: {holdout: 0.3}").canonical_json()
    assert spec("trainer: {holdout_rows: 500}").trainer.holdout_rows == 500
    found = spec("trainer: {holdout_span: 30d}")
    assert found.trainer.holdout_span == timedelta(days=30)
    assert type(found).from_json(found.canonical_json()) == found


def test_one_key_says_what_is_held_out() -> None:
    found = problem("trainer: {holdout: 0.3, holdout_span: 30d}")
    assert found.startswith("line 4: `trainer.holdout_span`")
    assert "`holdout`" in found
