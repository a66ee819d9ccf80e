"""Checks of the steps of `trainer.kind: sklearn`: classes, order and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rondo.contracts.spec.cross_checks import Plain, Problem, list_at, mapping_at
from rondo.contracts.spec.parameters.rules import misfit
from rondo.contracts.spec.parameters.sklearn import DECIDED, NOT_HERE, USES, takes_missing
from rondo.contracts.tasks.registry import DEFAULT, TASKS
from rondo.contracts.vocabularies import TrainerKind

if TYPE_CHECKING:
    from rondo.contracts.tasks.base import TargetKind

_LAST: dict[TargetKind, str] = {"probability": "classifier", "probabilities": "classifier", "number": "regressor"}
_EXAMPLE = {
    "classifier": "sklearn.linear_model.LogisticRegression",
    "regressor": "sklearn.linear_model.Ridge",
}


def step_problems(spec: Plain) -> Iterator[Problem]:
    """Yield the errors of `trainer.steps`. Nothing for other kinds of trainers."""
    trainer = mapping_at(spec, "trainer")
    if trainer.get("kind") != TrainerKind.SKLEARN:
        return
    for name in mapping_at(trainer, "params"):
        yield Problem(("trainer", "params", name), "is a parameter of no step: write it in the `params` of one", " ")
    task, steps = spec.get("task", DEFAULT), list_at(trainer, "steps")
    yield from faults(task, steps)
    yield from _optional_features(spec, steps)


def faults(task: object, steps: Sequence[object]) -> Iterator[Problem]:
    """Yield the errors of steps for a task. Each step is a mapping of `use` and `params`."""
    needed = _LAST[TASKS[task].target] if isinstance(task, str) and task in TASKS else None
    for index, step in enumerate(steps):
        use = step.get("use") if isinstance(step, Mapping) else None
        if not isinstance(use, str):
            continue
        path, is_last = ("trainer", "steps", index), index == len(steps) - 1
        if use not in USES:
            yield Problem((*path, "use"), f"{use!r} {_unusable(use)}")
            continue
        if problem := _misplaced(use, needed, is_last=is_last):
            yield Problem((*path, "use"), f"{use!r} {problem}")
        params = step.get("params") if isinstance(step, Mapping) else None
        for name, value in params.items() if isinstance(params, Mapping) else ():
            if problem := unfit(use, name, value):
                yield Problem((*path, "params", str(name)), problem, " ")


def _unusable(use: str) -> str:
    name = use.rpartition(".")[2]
    if name in NOT_HERE:
        return NOT_HERE[name]
    by_name = {each.rpartition(".")[2]: each for each in USES}
    close = get_close_matches(use, USES, n=1, cutoff=0.8) or [
        by_name[each] for each in get_close_matches(name, by_name, n=1)
    ]
    known = f"the classes are in docs/spec.md, such as {_EXAMPLE['classifier']}"
    return f"can't be a step: {f'did you mean {close[0]!r}?' if close else known}"


def _misplaced(use: str, needed: str | None, *, is_last: bool) -> str | None:
    role = USES[use].role
    if role == "transformer":
        if is_last and needed:
            return f"is a transformer, and the last step predicts: add a {needed} after it, such as {_EXAMPLE[needed]}"
        return None
    if not is_last:
        return "predicts, so it is the last step: leave out what follows it, or put it before"
    if needed and role != needed:
        return f"is a {role}, and this task needs a {needed}: use one, such as {_EXAMPLE[needed]}"
    return None


def unfit(use: str, name: object, value: object) -> str | None:
    """Return the error of a parameter of a class in `USES`, worded to follow its name.

    None if the value may be used.
    """
    rules, class_name = USES[use].params, use.rpartition(".")[2]
    if not isinstance(name, str):
        return None
    if name in rules:
        return misfit(value, *rules[name])
    if name in DECIDED:
        return f"is set by the trainer: {DECIDED[name]}"
    close = get_close_matches(name, rules, n=1)
    known = f"those that can be set are {', '.join(rules)}" if rules else "it has none that can be set"
    return f"is not a parameter of {class_name} here: {f'did you mean `{close[0]}`?' if close else known}"


def _optional_features(spec: Plain, steps: Sequence[object]) -> Iterator[Problem]:
    """Yield optional features of a spec whose steps do not accept missing values."""
    uses = [step.get("use") for step in steps if isinstance(step, Mapping)]
    known = [use for use in uses if isinstance(use, str) and use in USES]
    if not known or known != uses or takes_missing(known):
        return
    prepare = mapping_at(spec, "prepare")
    handled = {*mapping_at(prepare, "impute"), *list_at(prepare, "drop")}
    for name, feature in mapping_at(spec, "features").items():
        if not isinstance(feature, Mapping) or name in handled:
            continue
        if feature.get("optional") is True and feature.get("type") != "category":
            yield Problem(("features", name, "optional"), f"a value may be missing, and {missing_advice(known)}")


def missing_advice(uses: Sequence[str]) -> str:
    """Return the advice for missing values in a spec whose steps do not accept them."""
    first = next(use.rpartition(".")[2] for use in uses if USES[use].missing == "refuses")
    return (
        f"{first} of `trainer.steps` takes none: add an imputer as the first step,"
        " `{use: sklearn.impute.SimpleImputer}`, or declare `prepare.impute`"
    )
