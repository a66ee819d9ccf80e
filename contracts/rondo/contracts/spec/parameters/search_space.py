"""The space of `trainer.search`: the parameters, their values, and the trainer with a point of the space.

A parameter of a library has the name that this project uses for it (`Library.names`). A parameter of a step of
scikit-learn has the name of `sklearn.pipeline.make_pipeline`, such as `logisticregression__C`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rondo.contracts.spec.parameters.checks import LIBRARIES
from rondo.contracts.spec.parameters.domains import Domain, Space, span
from rondo.contracts.spec.parameters.rules import misfit
from rondo.contracts.spec.parameters.sklearn import USES
from rondo.contracts.vocabularies import TrainerKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.spec.parameters.rules import Rule
    from rondo.contracts.spec.policy import SearchedParameter, Trainer, Value


_RATE, _STRENGTH = span(0.01, 0.3, log=True), span(1e-5, 1.0, log=True)
_LEAF, _SHARE = span(1, 200, log=True), span(0.5, 1.0)
_TREE: Space = {"max_depth": span(2, 24), "min_samples_leaf": _LEAF}
_FOREST: Space = {"max_features": span(0.1, 1.0), "min_samples_leaf": _LEAF}
_BOOSTING: Space = {
    "learning_rate": _RATE, "max_depth": span(2, 8), "min_samples_leaf": _LEAF,
    "n_estimators": span(50, 300, log=True), "subsample": _SHARE,
}  # fmt: skip
_NETWORK: Space = {"alpha": _STRENGTH, "learning_rate_init": span(1e-4, 1e-1, log=True)}
_ALPHA: Space = {"alpha": span(1e-4, 1e3, log=True)}
_MIXED: Space = {"alpha": _STRENGTH, "l1_ratio": span(0.05, 1.0)}
_ROLES = ("Classifier", "Regressor")
# The default space of scikit-learn, by the class of the last step.
DEFAULT_STEP_SPACES: dict[str, Space] = {
    "sklearn.linear_model.LogisticRegression": {"C": span(1e-3, 1e3, log=True)},
    "sklearn.linear_model.Ridge": _ALPHA,
    "sklearn.linear_model.Lasso": {"alpha": _STRENGTH},
    "sklearn.linear_model.ElasticNet": _MIXED,
    "sklearn.linear_model.HuberRegressor": {"alpha": _STRENGTH, "epsilon": span(1.05, 3.0)},
    "sklearn.linear_model.SGDClassifier": {"alpha": _STRENGTH},
    "sklearn.linear_model.SGDRegressor": {"alpha": _STRENGTH},
    "sklearn.linear_model.PoissonRegressor": _ALPHA,
    "sklearn.linear_model.GammaRegressor": _ALPHA,
    "sklearn.linear_model.TweedieRegressor": _ALPHA,
    "sklearn.svm.LinearSVR": {"C": span(1e-3, 1e2, log=True)},
    **dict.fromkeys(("sklearn.neural_network.MLPClassifier", "sklearn.neural_network.MLPRegressor"), _NETWORK),
    **{f"sklearn.tree.{name}{role}": _TREE for name in ("DecisionTree", "ExtraTree") for role in _ROLES},
    **{f"sklearn.ensemble.{name}{role}": _FOREST for name in ("RandomForest", "ExtraTrees") for role in _ROLES},
    **{f"sklearn.ensemble.GradientBoosting{role}": _BOOSTING for role in _ROLES},
}  # fmt: skip


def step_names(uses: Sequence[str]) -> list[str]:
    """Return the names that `make_pipeline` gives to steps: the class in small letters, and a number if it repeats."""
    names = [use.rpartition(".")[2].lower() for use in uses]
    counts, seen = Counter(names), Counter[str]()
    for place, name in enumerate(names):
        if counts[name] > 1:
            seen[name] += 1
            names[place] = f"{name}-{seen[name]}"
    return names


def own_params(trainer: Trainer) -> dict[str, Value]:
    """Return the parameters that a spec sets, by the names of this project."""
    if library := LIBRARIES.get(trainer.kind):
        return {library.names.get(name, name): value for name, value in trainer.params.items()}
    if trainer.kind == TrainerKind.FUNCTION:
        return dict(trainer.params)
    names = step_names([step.use for step in trainer.steps])
    steps = zip(names, trainer.steps, strict=True)
    return {f"{step_name}__{name}": value for step_name, step in steps for name, value in step.params.items()}


def with_params(trainer: Trainer, params: Mapping[str, Value]) -> Trainer:
    """Return a trainer with these parameters, by the names of this project, in place of its own."""
    if trainer.kind in LIBRARIES:
        return trainer.model_copy(update={"params": dict(sorted({**own_params(trainer), **params}.items()))})
    steps = [
        step.model_copy(update={"params": dict(sorted((step.params | _of_step(name, params)).items()))})
        for name, step in zip(step_names([step.use for step in trainer.steps]), trainer.steps, strict=True)
    ]
    return trainer.model_copy(update={"steps": tuple(steps)})


def _of_step(step: str, params: Mapping[str, Value]) -> dict[str, Value]:
    prefix = f"{step}__"
    return {name.removeprefix(prefix): value for name, value in params.items() if name.startswith(prefix)}


def search_space(trainer: Trainer) -> Space:
    """Return the space of a trainer's search, sorted by name. `search_checks` must have passed. {} without a search."""
    if trainer.search is None:
        return {}
    if not trainer.search.space:
        own = own_params(trainer)
        return {
            name: domain
            for name, domain in default_space(trainer.kind, [s.use for s in trainer.steps]).items()
            if name not in own
        }
    found = {}
    for name, given in trainer.search.space.items():
        own_name, rules = rules_of(trainer.kind, [step.use for step in trainer.steps], name)
        found[own_name] = _domain(given, rules)
    return dict(sorted(found.items()))


def default_space(kind: str, uses: Sequence[str]) -> Space:
    """Return the space of a search whose spec names none. {} if there is no default for the last step."""
    if kind != TrainerKind.SKLEARN:
        return dict(LIBRARIES[kind].search) if kind in LIBRARIES else {}
    if not uses:
        return {}
    last = step_names(uses)[-1]
    return {f"{last}__{name}": domain for name, domain in DEFAULT_STEP_SPACES.get(uses[-1], {}).items()}


def rules_of(kind: str, uses: Sequence[str], name: str) -> tuple[str, tuple[Rule, ...]]:
    """Return this project's name of a parameter, and its rules.

    Raises:
        KeyError: there is no such parameter.

    """
    if library := LIBRARIES.get(kind):
        own = library.names[name]
        return own, (library.settable[own],)
    step, _, parameter = name.partition("__")
    use = dict(zip(step_names(uses), uses, strict=True))[step]
    return name, USES[use].params[parameter]


def fitting(given: SearchedParameter, rules: Sequence[Rule]) -> Rule | None:
    """Return the first rule that both ends of a range follow. Rules of whole numbers come first."""
    ends = (given.low, given.high)
    return next((rule for rule in rules if all(misfit(end, rule) is None for end in ends)), None)


def _domain(given: SearchedParameter, rules: Sequence[Rule]) -> Domain:
    if given.values is not None:
        return Domain(choices=given.values)
    rule = fitting(given, rules)
    assert rule is not None  # noqa: S101 - checked before
    assert given.low is not None and given.high is not None  # noqa: S101, PT018 - as above
    return Domain(given.low, given.high, log=given.log, whole=rule.kind is int)
