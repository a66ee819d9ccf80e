"""Proposes the parameters of the next trial with optuna's TPE sampler (Bergstra et al., NeurIPS 2011).

A proposal is a function of space, seed and the trials that ended: each trial has a new sampler with its own seed. So a
process that continues a search makes the same proposals as the first one would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from rondo.contracts.vocabularies import EndedTrialState
from rondo.trainer.run import mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution

    from rondo.contracts.spec.parameters.domains import Domain, Space
    from rondo.contracts.spec.policy import Value
    from rondo.trainer.run import Trial

optuna.logging.set_verbosity(optuna.logging.WARNING)
_STATES = {EndedTrialState.COMPLETE: TrialState.COMPLETE, EndedTrialState.PRUNED: TrialState.PRUNED}


def propose(space: Space, seed: int, trials: Sequence[Trial], *, higher_is_better: bool) -> dict[str, Value]:
    """Return the parameters of trial `len(trials)`.

    The sampler learns from the trials that have a value and whose parameters are all in the space. A pruned trial has
    the mean over its splits, and ranks behind all complete trials.
    """
    distributions = {name: _distribution(domain) for name, domain in space.items()}
    own_seed = int(np.random.SeedSequence([seed, len(trials)]).generate_state(1)[0])
    study = optuna.create_study(
        direction="maximize" if higher_is_better else "minimize", sampler=TPESampler(seed=own_seed)
    )
    for trial in trials:
        if trial.state != EndedTrialState.FAILED and all(
            name in trial.params and space[name].has(trial.params[name]) for name in space
        ):
            study.add_trial(_frozen(trial, space, distributions))
    asked = study.ask(distributions)
    return {name: _value(domain, asked.params[name]) for name, domain in space.items()}


def _distribution(domain: Domain) -> BaseDistribution:
    if domain.choices:
        # A choice is represented by its index, because it may be a list, which optuna does not support.
        return CategoricalDistribution(range(len(domain.choices)))
    if domain.whole:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(float(domain.low), float(domain.high), log=domain.log)


def _frozen(trial: Trial, space: Space, distributions: dict[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    so_far = (mean(trial.values[: step + 1]) for step in range(len(trial.values)))
    return optuna.trial.create_trial(
        state=_STATES[trial.state],
        params={name: _internal(domain, trial.params[name]) for name, domain in space.items()},
        distributions=distributions,
        intermediate_values={step: value for step, value in enumerate(so_far) if value is not None},
        value=trial.value,
    )


def _internal(domain: Domain, value: Value) -> Any:
    return domain.choices.index(value) if domain.choices else value


def _value(domain: Domain, found: Any) -> Value:
    return domain.choices[found] if domain.choices else found  # type: ignore[no-any-return]
