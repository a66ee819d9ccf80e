"""The space of a search, by the names of the project, and a trainer with other parameters."""

from __future__ import annotations

from typing import Any

import pytest
from rondo.contracts.spec.file import SpecError, parse_spec
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.spec.parameters.checks import LIBRARIES
from rondo.contracts.spec.parameters.rules import misfit
from rondo.contracts.spec.parameters.search_space import (
    DEFAULT_STEP_SPACES,
    Domain,
    own_params,
    search_space,
    step_names,
    with_params,
)
from rondo.contracts.spec.parameters.sklearn import USES
from rondo.contracts.spec.policy import Trainer

LOGISTIC = {"use": "sklearn.linear_model.LogisticRegression"}
SCALER = {"use": "sklearn.preprocessing.StandardScaler"}


def trainer(**content: Any) -> Trainer:
    return Trainer.model_validate(content)


def test_a_range_has_the_type_of_its_parameter() -> None:
    space = {"num_leaves": {"low": 4, "high": 64, "log": True}, "eta": {"low": 1, "high": 2}, "max_bin": [63, 255]}
    assert search_space(trainer(search={"space": space})) == {
        "learning_rate": Domain(1, 2),
        "max_bin": Domain(choices=(63, 255)),
        "num_leaves": Domain(4, 64, log=True, whole=True),
    }


def test_a_parameter_of_a_step_may_be_a_share_or_a_number() -> None:
    name = "randomforestclassifier__max_features"
    forest = [{"use": "sklearn.ensemble.RandomForestClassifier"}]
    for low, high, whole in ((0.1, 0.9, False), (1, 5, True)):
        found = search_space(
            trainer(kind="sklearn", steps=forest, search={"space": {name: {"low": low, "high": high}}})
        )
        assert found == {name: Domain(low, high, whole=whole)}


def test_what_params_set_is_not_searched_by_default() -> None:
    found = search_space(trainer(params={"eta": 0.1, "num_leaves": 8}, search={}))
    assert {*LIBRARIES["lightgbm"].search} - {*found} == {"learning_rate", "num_leaves"}
    assert search_space(trainer(kind="sklearn", steps=[SCALER, LOGISTIC], search={})) == {
        "logisticregression__C": Domain(1e-3, 1e3, log=True)
    }
    assert search_space(trainer()) == {}


def test_the_default_spaces_are_within_the_rules() -> None:
    for kind, space in {kind: library.search for kind, library in LIBRARIES.items()}.items():
        for name, domain in space.items():
            rule = LIBRARIES[kind].settable[name]
            assert [misfit(end, rule) for end in (domain.low, domain.high)] == [None, None], name
            assert domain.whole == (rule.kind is int), name
    for use, space in DEFAULT_STEP_SPACES.items():
        for name, domain in space.items():
            rules = USES[use].params[name]
            assert [misfit(end, *rules) for end in (domain.low, domain.high)] == [None, None], (use, name)


def test_a_found_parameter_takes_the_place_of_its_other_name() -> None:
    changed = with_params(trainer(params={"eta": 0.1, "num_leaves": 8}), {"learning_rate": 0.2})
    assert changed.params == {"learning_rate": 0.2, "num_leaves": 8}
    assert own_params(changed) == {"learning_rate": 0.2, "num_leaves": 8}


def test_a_found_parameter_of_a_step_is_set_in_that_step() -> None:
    known = trainer(kind="sklearn", steps=[SCALER, LOGISTIC | {"params": {"C": 2, "tol": 0.1}}])
    changed = with_params(known, {"logisticregression__C": 3.0, "standardscaler__with_mean": False})
    assert [dict(step.params) for step in changed.steps] == [{"with_mean": False}, {"C": 3.0, "tol": 0.1}]
    assert own_params(known) == {"logisticregression__C": 2, "logisticregression__tol": 0.1}


def test_the_parameters_of_a_function_are_its_own() -> None:
    assert own_params(trainer(kind="function", function="late.models:fit", params={"depth": 3})) == {"depth": 3}


def test_steps_of_one_class_are_numbered() -> None:
    assert step_names([SCALER["use"], LOGISTIC["use"], SCALER["use"]]) == [
        "standardscaler-1", "logisticregression", "standardscaler-2",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [4, 64, 17])
def test_a_value_in_a_domain(value: int) -> None:
    assert Domain(4, 64, whole=True).has(value)
    assert not Domain(4, 64, whole=True).has(value + 0.5)
    assert not Domain(0, 64, whole=True).has(value=True)
    assert Domain(choices=((8,), (8, 8))).has((8, 8))


SPEC = """\
model: churn
data: {dataset: customers, entity: id, event_time: at, label: left}
features: {months: {type: int}}
"""


def test_a_search_is_part_of_the_digest_and_a_spec_without_one_has_no_key_for_it() -> None:
    plain, searching = parse_spec(SPEC), parse_spec(SPEC + "trainer: {search: {trials: 3, space: {eta: [0.1, 1]}}}")
    assert "search" not in plain.canonical_json()
    assert plain.digest != searching.digest
    assert ModelSpec.from_json(searching.canonical_json()) == searching
    assert searching.trainer.search is not None
    assert searching.trainer.search.space["eta"].values == (0.1, 1)


def test_nothing_is_searched_by_default_for_a_class_without_parameters() -> None:
    text = (
        "task: regression\ntrainer: {kind: sklearn, steps: [{use: sklearn.linear_model.LinearRegression}], search: {}}"
    )
    with pytest.raises(SpecError) as refusal:
        parse_spec(SPEC + text)
    (problem,) = refusal.value.problems
    assert problem.startswith("line 5: `trainer.search`: ")
    assert problem.endswith(" LinearRegression: write `space`")
