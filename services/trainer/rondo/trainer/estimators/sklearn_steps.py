"""Makes the objects of scikit-learn that a spec declares. Only classes of the contracts' list are imported."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklearn.decomposition import PCA, TruncatedSVD

from rondo.contracts.spec.parameters.sklearn import USES
from rondo.contracts.spec.parameters.step_checks import faults
from rondo.contracts.tasks.registry import task_named
from rondo.trainer.estimators.base import HyperparameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.spec.policy import Step
    from rondo.contracts.tasks.base import TargetKind

# The smallest variance of a component, as a share of that of the first one. The rounding error of a double is 1e-16 of
# its size, so 1e-32 of its variance.
LEAST_VARIANCE = 1e-15
_SELECTORS = {"sklearn.feature_selection.SelectKBest", "sklearn.feature_selection.SelectPercentile"}
# The steps may overwrite their rows, which nothing else needs. Otherwise each step would keep one more copy in memory.
_IN_PLACE = {"copy": False}
_FIXED: dict[str, dict[str, Any]] = {
    # A dropped column would depend on the rows of one training.
    "sklearn.impute.SimpleImputer": {"keep_empty_features": True} | _IN_PLACE,
    "sklearn.preprocessing.MaxAbsScaler": _IN_PLACE,
    "sklearn.preprocessing.MinMaxScaler": _IN_PLACE,
    "sklearn.preprocessing.RobustScaler": _IN_PLACE,
    "sklearn.preprocessing.StandardScaler": _IN_PLACE,
    "sklearn.preprocessing.PolynomialFeatures": {"include_bias": False},
}


def check(task: str, steps: Sequence[Step]) -> None:
    """Check the steps for a task, first by the contracts, then by scikit-learn's own constraints.

    Raises:
        HyperparameterError: steps can't be used. It has all problems.

    """
    found = faults(task, [step.model_dump() for step in steps])
    problems = [f"`{'.'.join(map(str, each.path))}`{each.separator}{each.message}" for each in found]
    if not steps:
        problems = ["kind `sklearn` needs `trainer.steps`"]
    if not problems:
        problems = [problem for made in build(task_named(task).target, steps, 0, 1) if (problem := _constraint(made))]
    if problems:
        raise HyperparameterError(tuple(problems))


def build(kind: TargetKind, steps: Sequence[Step], seed: int, threads: int) -> list[Any]:
    """Return the objects, not fitted. Each step has been checked."""
    return [_build(kind, step, seed, threads) for step in steps]


def without_noise(step: Any) -> Any:
    """Return a fitted step. A decomposition loses the components in which the rows hardly differ.

    The values of these components are rounding errors. A scaler after the step would make them as large as the other
    values, and the ONNX graph rounds otherwise.
    """
    if isinstance(step, PCA | TruncatedSVD):
        variance = step.explained_variance_
        kept = variance > LEAST_VARIANCE * variance.max(initial=0)
        step.components_, step.explained_variance_ = step.components_[kept], variance[kept]
    return step


def _build(kind: TargetKind, step: Step, seed: int, threads: int) -> Any:
    made = _class(step.use)()
    known = made.get_params(deep=False)
    params = {**_FIXED.get(step.use, {}), **step.params}
    if step.use in _SELECTORS:
        module = import_module("sklearn.feature_selection")
        params["score_func"] = module.f_regression if kind == "number" else module.f_classif
    if "random_state" in known:
        params["random_state"] = seed
    if "n_jobs" in known and step.use.startswith("sklearn.ensemble."):
        params["n_jobs"] = threads
    return made.set_params(**params)


def _class(use: str) -> Any:
    if use not in USES:
        raise HyperparameterError((f"{use!r} is no class that can be a step",))
    module, _, name = use.rpartition(".")
    return getattr(import_module(module), name)


def _constraint(made: Any) -> str | None:
    try:
        made._validate_params()  # noqa: SLF001 - what every `fit` of scikit-learn begins with
    except ValueError as error:
        return str(error)
    return None
