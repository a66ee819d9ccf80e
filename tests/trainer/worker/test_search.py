"""A run with a search, an in-memory queue, real data and real trials, which another attempt continues."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingProgressed
from rondo.contracts.training_evidence import Evidence
from rondo.trainer.run import Proposal

from tests.trainer import builders
from tests.trainer.fakes import MemoryUnitOfWork, StoredTrial
from tests.trainer.worker_harness import PIPELINE, FakePipeline, WorkerHarness

# Whole runs take longer than the tests of `make test-fast` may.
pytestmark = pytest.mark.process
SPACE = {"num_leaves": {"low": 2, "high": 31}, "learning_rate": {"low": 0.01, "high": 1.0, "log": True}}


def spec(**search: Any) -> Any:
    return builders.spec(trainer={"search": {"trials": 5, "space": SPACE} | search})


@pytest.fixture
def rows(harness: WorkerHarness) -> None:
    builders.write_batch(harness.data, builders.rows(2_000))


class Counted:
    """A pipeline that counts the trials, and may call a function before one."""

    def __init__(self, before: Any = lambda _: None) -> None:
        self.numbers: list[int] = []
        self.before = before

    def plan_search(self, *arguments: Any) -> Any:
        search = PIPELINE.plan_search(*arguments)

        def run(proposal: Proposal, earlier: Any) -> Any:
            self.numbers.append(proposal.number)
            self.before(proposal)
            return search.objective.run(proposal, earlier)

        return replace(search, objective=_Objective(run, search.objective.notes))  # type: ignore[arg-type]

    @property
    def pipeline(self) -> FakePipeline:
        return FakePipeline(plan_search=self.plan_search)


class _Objective:
    def __init__(self, run: Any, notes: Any) -> None:
        self.run, self.notes = run, notes


@pytest.mark.usefixtures("rows")
async def test_a_run_searches_and_its_evidence_says_how(harness: WorkerHarness) -> None:
    (trained,) = await harness.run((spec(), builders.trigger()))
    assert isinstance(trained, ModelTrained)
    parameters = trained.summary.parameters
    assert parameters is not None
    assert parameters.search is not None
    assert (parameters.kind, parameters.search.planned, parameters.search.trials) == ("lightgbm", 5, 5)
    progress = [event for event in harness.store.events if isinstance(event, TrainingProgressed)]
    assert [(event.trials, event.planned) for event in progress] == [(n, 5) for n in range(1, 6)]
    assert progress[-1].best == parameters.search.value
    evidence = Evidence.model_validate_json(await Artifacts(str(harness.artifacts)).get(trained.evidence))
    assert evidence.parameters == parameters
    assert evidence.notes == ()


@pytest.mark.usefixtures("rows")
async def test_a_search_over_bad_values_prunes_trials_after_some_of_the_splits(harness: WorkerHarness) -> None:
    # One tree of two leaves knows one of the two features, and so is worse on each split.
    poor = {"n_estimators": [1, 10], "num_leaves": [2, 7], "learning_rate": {"low": 0.05, "high": 0.3}}
    (trained,) = await harness.run((spec(trials=12, space=poor), builders.trigger()))
    search = trained.summary.parameters.search
    assert (search.trials, search.failed) == (12, 0)
    assert search.pruned > 0
    trials = [trial.ended for trial in harness.store.runs[0].trials.values() if trial.ended is not None]
    (splits,) = {len(trial.values) for trial in trials if trial.state == "complete"}
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert len(pruned) == search.pruned
    assert all(0 < len(trial.values) < splits for trial in pruned)
    best = max(trials, key=lambda trial: trial.value if trial.state == "complete" else 0)
    assert search.value == pytest.approx(best.value)
    evidence = Evidence.model_validate_json(await Artifacts(str(harness.artifacts)).get(trained.evidence))
    assert sorted(len(trial.values) for trial in evidence.trials if trial.state == "pruned") == sorted(
        len(trial.values) for trial in pruned
    )


@pytest.mark.usefixtures("rows")
async def test_the_next_search_begins_with_the_parameters_of_the_champion(harness: WorkerHarness) -> None:
    (first,) = await harness.run((spec(), builders.trigger(name="one")))
    harness.set_champion(1, first.digest)
    (second,) = await harness.run((spec(trials=1), builders.trigger("manual", name="two")))
    assert second.summary.parameters.params == first.summary.parameters.params
    assert second.summary.parameters.search.origin == "champion"
    assert second.digest != first.digest, "the model is the same, and the digest of the spec in it another"


@pytest.mark.usefixtures("rows")
async def test_an_attempt_goes_on_where_the_one_before_ended(harness: WorkerHarness) -> None:
    (whole,) = await harness.run((spec(), builders.trigger(name="whole")))

    def dies_in_the_fourth(proposal: Proposal) -> None:
        if proposal.number == 3 and counted.numbers.count(3) == 1:
            raise _KilledError

    counted = Counted(dies_in_the_fourth)
    (again,) = await harness.run((spec(), builders.trigger("manual", name="again")), pipeline=counted.pipeline)
    assert counted.numbers == [0, 1, 2, 3, 3, 4]
    assert harness.attempts["again"] == 2
    assert again.digest == whole.digest
    assert _stored(harness, "again") == _stored(harness, "whole")


class _KilledError(Exception):
    """Ends the attempt as a kill would, between the start of a trial and its end."""


@pytest.mark.usefixtures("rows")
async def test_a_trial_that_killed_the_worker_twice_is_a_failed_one(harness: WorkerHarness) -> None:
    def dies_in_the_second(proposal: Proposal) -> None:
        if proposal.number == 1:
            raise _KilledError

    counted = Counted(dies_in_the_second)
    (trained,) = await harness.run((spec(), builders.trigger()), pipeline=counted.pipeline)
    assert counted.numbers == [0, 1, 1, 2, 3, 4]
    assert trained.summary.parameters.search.failed == 1
    lost = harness.store.runs[0].trials[1].ended
    assert lost is not None
    assert "died twice" in lost.detail


@pytest.mark.usefixtures("rows")
async def test_a_search_whose_trials_all_fail_ends_the_run_with_a_sentence(harness: WorkerHarness) -> None:
    # Each is allowed alone: LightGBM refuses the two together.
    unbalanced = {"is_unbalance": [True], "scale_pos_weight": {"low": 1.5, "high": 2.0}}
    params = {"is_unbalance": True, "scale_pos_weight": 2.0, "n_estimators": 5}
    broken = builders.spec(trainer={"params": params, "search": {"trials": 2, "space": unbalanced}})
    (failed,) = await harness.run((broken, builders.trigger()))
    assert isinstance(failed, TrainingFailed)
    assert failed.reason.startswith("all trials of `trainer.search` failed (2, the last one with 'FitFailedError: ")
    assert failed.reason.endswith("): correct what it names, or leave out `trainer.search`")
    assert failed.attempts == 1


@pytest.mark.usefixtures("rows")
async def test_minutes_end_a_search_between_trials_with_a_note(harness: WorkerHarness) -> None:
    (trained,) = await harness.run((spec(minutes=1e-6), builders.trigger()))
    assert (trained.summary.parameters.search.trials, trained.summary.parameters.search.planned) == (1, 5)
    assert [note.code for note in trained.summary.notes] == ["search_ended_by_time"]


@pytest.mark.usefixtures("rows")
async def test_trials_on_other_rows_are_run_again(harness: WorkerHarness) -> None:
    work, counted = MemoryUnitOfWork(harness.store), Counted()
    await work.enqueue("run-by-hand", builders.trigger(name="by-hand"), spec())
    harness.store.runs[0].trials[0] = StoredTrial("sha256:other", Proposal(0, {}, "spec"), 1)
    await harness.run((spec(), builders.trigger("manual", name="later")), pipeline=counted.pipeline)
    assert counted.numbers[:5] == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("rows")
async def test_a_worker_whose_claim_is_lost_leaves_the_search(harness: WorkerHarness) -> None:
    def taken_over(proposal: Proposal) -> None:
        if proposal.number == 1 and counted.numbers.count(1) == 1:
            harness.store.runs[0].attempts += 1
            harness.store.release("worker")

    counted = Counted(taken_over)
    (trained,) = await harness.run((spec(), builders.trigger()), pipeline=counted.pipeline)
    assert counted.numbers == [0, 1, 1, 2, 3, 4]
    assert trained.summary.parameters.search.failed == 0


def _stored(harness: WorkerHarness, name: str) -> list[tuple[Any, ...]]:
    (run,) = [run for run in harness.store.runs if run.trigger.id == name]
    trials = [trial.ended for trial in run.trials.values()]
    return [(trial.params, trial.values, trial.state) for trial in trials if trial is not None]
