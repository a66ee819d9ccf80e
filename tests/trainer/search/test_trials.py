"""The trials that are pruned, the best trial, and the parameters of the next one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from rondo.contracts.events.training import Parameters
from rondo.contracts.vocabularies import NoteCode
from rondo.trainer.errors import AllTrialsFailedError
from rondo.trainer.estimators.base import HyperparameterError
from rondo.trainer.run import Trial
from rondo.trainer.search.plan import SearchPlan, plan_search
from rondo.trainer.search.trials import best_of, is_pruned

from tests.trainer import builders

SPACE = {
    "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
    "num_leaves": {"low": 4, "high": 64},
    "max_bin": [15, 63],
}


def plan(champion: dict[str, Any] | None = None, kind: str = "lightgbm", **search: Any) -> SearchPlan:
    """Return the plan of a spec with the parameters `n_estimators` and `num_leaves`, 5 and 7."""
    spec = builders.spec(trainer={"search": {"trials": 30, "space": SPACE} | search})
    return plan_search(spec, None if champion is None else Parameters(kind=kind, params=champion))


def ended(number: int = 0, *values: float | None, state: Any = "complete", **other: Any) -> Trial:
    return Trial(number, other.pop("params", {}), "search", values, state, **other)


def value_of(params: Any) -> float:
    """Return the value of a trial in these tests: best at a rate of 0.1 and 32 leaves."""
    return -abs(params["learning_rate"] - 0.1) - abs(params["num_leaves"] - 32) / 100 if len(params) == 3 else -1.0


def run(planned: SearchPlan, trials: list[Trial], until: int) -> list[Trial]:
    """Return the trials up to a number, with those that have ended first."""
    found = list(trials)
    while len(found) < until and (proposal := planned.next_proposal(found)):
        value = value_of(proposal.params)
        found.append(Trial(proposal.number, proposal.params, proposal.origin, (value,), seconds=0.1))
    return found


def test_a_trial_worse_than_half_of_the_others_ends() -> None:
    others = [ended(n, n / 10, 0.9) for n in range(5)]
    assert is_pruned([0.1], others, higher_is_better=True)
    assert not is_pruned([0.2], others, higher_is_better=True)
    assert not is_pruned([0.1], others, higher_is_better=False)
    assert is_pruned([0.3], others, higher_is_better=False)


def test_means_over_the_same_splits_are_compared() -> None:
    others = [ended(n, 0.2, 0.8) for n in range(5)]
    assert not is_pruned([0.3, 0.72], others, higher_is_better=True)
    assert is_pruned([0.3, 0.68], others, higher_is_better=True)
    assert not is_pruned([0.3], others, higher_is_better=True)


def test_few_trials_prune_none_nor_do_those_that_failed_or_were_pruned() -> None:
    few = [ended(n, 0.9) for n in range(4)]
    others = [ended(4, 0.9, state="pruned"), ended(5, state="failed"), ended(6, None)]
    assert not is_pruned([0.1], [*few, *others], higher_is_better=True)
    assert not is_pruned([None], [ended(n, 0.9) for n in range(5)], higher_is_better=True)


def test_the_best_trial_is_complete_and_of_equal_ones_the_first() -> None:
    trials = [ended(0, 0.5, None), ended(1, 0.7, 0.9), ended(2, 0.8, 0.8), ended(3, 0.9, state="pruned")]
    assert best_of(trials, higher_is_better=True) == trials[1]
    assert best_of(trials, higher_is_better=False) == trials[0]
    assert best_of(trials[3:], higher_is_better=True) is None


def test_the_champion_comes_first_then_the_spec_then_the_search() -> None:
    trials = run(plan({"learning_rate": 0.2, "max_bin": 63, "n_estimators": 50}), [], 3)
    assert [trial.origin for trial in trials] == ["champion", "spec", "search"]
    assert trials[0].params == {"learning_rate": 0.2, "max_bin": 63, "num_leaves": 7}
    assert trials[1].params == {"num_leaves": 7}
    assert set(trials[2].params) == set(SPACE)


@pytest.mark.parametrize(
    ("champion", "kind"),
    [(None, "lightgbm"), ({"learning_rate": 0.2}, "xgboost"), ({"num_leaves": 7, "lambda_l1": 1.0}, "lightgbm")],
    ids=["no champion", "of another kind", "the same parameters"],
)
def test_a_champion_with_nothing_to_start_from_is_no_trial(champion: dict[str, Any] | None, kind: str) -> None:
    assert [origin for origin, _ in plan(champion, kind).starts] == ["spec"]


def test_a_value_of_the_champion_outside_of_the_space_is_not_tried() -> None:
    champion = {"learning_rate": 0.2, "num_leaves": 500, "max_bin": 255}
    assert plan(champion).starts[0] == ("champion", {"learning_rate": 0.2, "num_leaves": 7})
    assert [origin for origin, _ in plan({"learning_rate": 0.5, "max_bin": 255}).starts] == ["spec"]


def test_proposals_are_in_the_space_and_differ() -> None:
    found = [trial.params for trial in run(plan(), [], 30)[1:]]
    assert all(0.01 <= params["learning_rate"] <= 0.3 for params in found)
    assert all(params["num_leaves"] in range(4, 65) for params in found)
    assert {params["max_bin"] for params in found} == {15, 63}
    assert len({params["learning_rate"] for params in found}) == 29


def test_later_proposals_are_nearer_to_what_was_best() -> None:
    trials = run(plan({"learning_rate": 0.02, "max_bin": 63, "num_leaves": 4}), [], 30)
    early, late = trials[2:12], trials[20:]
    assert sum(trial.value or 0 for trial in late) > sum(trial.value or 0 for trial in early)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kept", [1, 2, 11, 20])
def test_a_search_that_goes_on_proposes_what_one_would_that_never_stopped(kept: int) -> None:
    whole = run(plan(), [], 25)
    assert run(plan(), whole[:kept], 25) == whole
    other = SearchPlan(**{**vars(plan()), "seed": 8})
    assert run(other, whole[:kept], 25)[kept:] != whole[kept:]


def test_pruned_trials_inform_the_proposals_and_failed_ones_do_not() -> None:
    known = run(plan(), [], 12)
    last = known[-1]
    proposals = [
        plan().next_proposal([*known[:-1], Trial(last.number, last.params, "search", (9.0,), state)])
        for state in ("complete", "pruned", "failed")
    ]
    assert len({str(proposal) for proposal in proposals}) == 3


def test_optuna_loads_no_database() -> None:
    """Optuna needs SQLAlchemy for a storage that is not used here. Its import would delay the start of a worker."""
    code = """
import sys
from rondo.contracts.spec.parameters.domains import Domain
from rondo.trainer.search.sampling import propose
propose({"x": Domain(0.0, 1.0)}, 7, (), higher_is_better=True)
print(*sorted({"sqlalchemy", "alembic", "pandas"} & {*sys.modules}))
"""
    # A process of its own: other tests import what they like.
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - ours
    assert loaded.stdout.split() == []


def test_a_search_ends_after_its_trials_or_its_minutes() -> None:
    assert len(run(plan(trials=4), [], 100)) == 4
    short = plan(minutes=0.005)
    trials = run(short, [], 100)
    assert len(trials) == 3, "0.3 seconds"
    assert [note.code for note in short.found(trials).notes] == [NoteCode.SEARCH_ENDED_BY_TIME]
    assert (
        "the search ended after 3 of 30 trials, by `trainer.search.minutes: 0.005`"
        in short.found(trials).notes[0].message
    )
    whole = plan(trials=4)
    assert whole.found(run(whole, [], 100)).notes == ()


def test_what_was_found() -> None:
    searched = plan(trials=4)
    trials = [
        ended(0, 0.6, 0.8, params={"num_leaves": 7}),
        ended(1, 0.8, 0.8, params={"num_leaves": 9}),
        ended(2, 0.1, state="pruned"),
        ended(3, state="failed"),
    ]
    found = searched.found(trials)
    assert found.params == {"num_leaves": 9}
    assert found.summary.model_dump() == {
        "planned": 4, "trials": 4, "pruned": 1, "failed": 1, "best": 1, "metric": "roc_auc", "value": 0.8,
        "origin": "search",
    }  # fmt: skip
    assert [(each.number, each.state, each.value) for each in found.trials] == [
        (0, "complete", pytest.approx(0.7)), (1, "complete", 0.8), (2, "pruned", 0.1), (3, "failed", None),
    ]  # fmt: skip


def test_without_a_complete_trial_the_run_fails_with_the_last_reason() -> None:
    with pytest.raises(AllTrialsFailedError) as refusal:
        plan(trials=2).found([ended(0, state="failed"), ended(1, state="failed", detail="no memory")])
    assert (refusal.value.trials, refusal.value.why) == (2, "no memory")


def test_a_stored_search_that_no_rule_allows_any_more_is_refused() -> None:
    with pytest.raises(HyperparameterError) as refusal:
        plan(space={"num_leafs": [1]})
    assert refusal.value.problems[0].startswith("`trainer.search.space.num_leafs` ")
