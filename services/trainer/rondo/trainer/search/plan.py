"""The plan of a search: the first trials, the next trial, the end, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.training import SearchSummary, TrainingNote
from rondo.contracts.spec.parameters.search_checks import faults
from rondo.contracts.spec.parameters.search_space import own_params, search_space
from rondo.contracts.tasks.registry import METRICS, task_named
from rondo.contracts.training_evidence import SearchTrial
from rondo.contracts.vocabularies import EndedTrialState, NoteCode, ParameterOrigin
from rondo.trainer.errors import AllTrialsFailedError
from rondo.trainer.estimators.base import HyperparameterError
from rondo.trainer.run import Proposal
from rondo.trainer.search import sampling
from rondo.trainer.search.trials import best_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.events.training import Parameters
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.spec.parameters.domains import Space
    from rondo.contracts.spec.policy import Value
    from rondo.contracts.tasks.metrics import Metric
    from rondo.trainer.run import Trial


@dataclass(frozen=True)
class Found:
    """The parameters that a search found, as values of the space, and all trials by number."""

    params: Mapping[str, Value]
    summary: SearchSummary
    notes: tuple[TrainingNote, ...]
    trials: tuple[SearchTrial, ...] = ()


@dataclass(frozen=True)
class SearchPlan:
    """A search before its first trial. `starts` are the parameters of the first trials, by their origin."""

    space: Space
    starts: tuple[tuple[ParameterOrigin, Mapping[str, Value]], ...]
    metric: Metric
    trials: int
    minutes: float
    seed: int

    def next_proposal(self, ended: Sequence[Trial]) -> Proposal | None:
        """Return the trial that follows those that ended. None if the search has ended."""
        number = len(ended)
        if number >= self.trials or self._is_out_of_time(ended):
            return None
        if number < len(self.starts):
            origin, params = self.starts[number]
            return Proposal(number, params, origin)
        params = sampling.propose(self.space, self.seed, ended, higher_is_better=self.metric.higher_is_better)
        return Proposal(number, params, ParameterOrigin.SEARCH)

    def best(self, ended: Sequence[Trial]) -> Trial | None:
        """Return the best trial so far."""
        return best_of(ended, higher_is_better=self.metric.higher_is_better)

    def found(self, ended: Sequence[Trial]) -> Found:
        """Return the result of a search that has ended.

        Raises:
            AllTrialsFailedError: no trial is complete.

        """
        best = self.best(ended)
        if best is None or best.value is None:
            raise AllTrialsFailedError(len(ended), ended[-1].detail)
        summary = SearchSummary(
            planned=self.trials,
            trials=len(ended),
            pruned=sum(trial.state == EndedTrialState.PRUNED for trial in ended),
            failed=sum(trial.state == EndedTrialState.FAILED for trial in ended),
            best=best.number,
            metric=self.metric.name,
            value=best.value,
            origin=best.origin,
        )
        return Found(best.params, summary, tuple(self._notes(ended)), tuple(map(_recorded, ended)))

    def _is_out_of_time(self, ended: Sequence[Trial]) -> bool:
        return sum(trial.seconds for trial in ended) >= self.minutes * 60

    def _notes(self, ended: Sequence[Trial]) -> list[TrainingNote]:
        if len(ended) == self.trials:
            return []
        message = (
            f"the search ended after {len(ended)} of {self.trials} trials, by `trainer.search.minutes:"
            f" {self.minutes:g}`: repeated, it may end with another model"
        )
        return [TrainingNote(code=NoteCode.SEARCH_ENDED_BY_TIME, message=message)]


def _recorded(trial: Trial) -> SearchTrial:
    return SearchTrial(
        number=trial.number,
        origin=trial.origin,
        params=dict(trial.params),
        state=trial.state,
        values=trial.values,
        value=trial.value,
        seconds=trial.seconds,
        detail=trial.detail,
    )


def plan_search(spec: ModelSpec, champion: Parameters | None) -> SearchPlan:
    """Return the plan of a spec that has a search. The parameters of a champion of another kind are not used.

    Raises:
        HyperparameterError: the search can't be used. An older spec may have been applied before a rule existed.

    """
    search = spec.trainer.search
    assert search is not None  # noqa: S101 - the caller's condition
    if problems := [
        f"`{'.'.join(map(str, p.path))}`{p.separator}{p.message}" for p in faults(spec.task, spec.trainer.model_dump())
    ]:
        raise HyperparameterError(tuple(problems))
    space = search_space(spec.trainer)
    return SearchPlan(
        space=space,
        starts=_starts(spec, space, champion),
        metric=METRICS[task_named(spec.task).primary],
        trials=search.trials,
        minutes=search.minutes,
        seed=spec.trainer.seed,
    )


def _starts(
    spec: ModelSpec, space: Space, champion: Parameters | None
) -> tuple[tuple[ParameterOrigin, Mapping[str, Value]], ...]:
    own = {name: value for name, value in own_params(spec.trainer).items() if name in space}
    starts = [(ParameterOrigin.SPEC, own)]
    if champion is not None and champion.kind == spec.trainer.kind:
        # Parameters that the search does not vary, and values that the space excludes, are those of the current spec.
        theirs = own | {
            name: value for name, value in champion.params.items() if name in space and space[name].has(value)
        }
        if theirs != own:
            starts.insert(0, (ParameterOrigin.CHAMPION, theirs))
    return tuple(starts)
