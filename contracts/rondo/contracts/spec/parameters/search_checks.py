"""Checks of `trainer.search`. Each value of its space must be allowed in `params` or `steps`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rondo.contracts.spec.cross_checks import Plain, Problem, list_at, mapping_at
from rondo.contracts.spec.parameters.checks import LIBRARIES
from rondo.contracts.spec.parameters.rules import misfit
from rondo.contracts.spec.parameters.search_space import default_space, rules_of, step_names
from rondo.contracts.spec.parameters.sklearn import USES
from rondo.contracts.spec.parameters.step_checks import unfit
from rondo.contracts.tasks.registry import DEFAULT
from rondo.contracts.vocabularies import TrainerKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.spec.parameters.rules import Library, Rule

_PATH = ("trainer", "search", "space")
_SEPARATOR = " "


def search_problems(spec: Plain) -> Iterator[Problem]:
    """Yield the errors of a spec's search. Nothing without a search."""
    trainer, task = mapping_at(spec, "trainer"), spec.get("task", DEFAULT)
    if trainer.get("search") is not None and isinstance(task, str):
        yield from faults(task, trainer)


def faults(task: str, trainer: Plain) -> Iterator[Problem]:
    """Yield the errors of a trainer's search for a task.

    Invalid steps are skipped, because other checks report them.
    """
    kind, space = trainer.get("kind", TrainerKind.LIGHTGBM), mapping_at(mapping_at(trainer, "search"), "space")
    steps = list_at(trainer, "steps")
    uses = [step["use"] for step in steps if isinstance(step, Mapping) and isinstance(step.get("use"), str)]
    if kind == TrainerKind.FUNCTION:
        yield Problem(_PATH[:2], "a function has parameters of its own: leave `search` out, and let it search")
        return
    if not isinstance(kind, str) or (kind == TrainerKind.SKLEARN and (not uses or not {*uses} <= {*USES})):
        return
    if not space:
        yield from _no_default_space(kind, trainer, uses)
        return
    yield from (problem for name, given in space.items() if (problem := _malformed(name, given)))
    well_formed = {name: given for name, given in space.items() if _is_well_formed(given)}
    wrong: set[str] = set()
    for problem in dict.fromkeys(_values(task, kind, uses, well_formed)):
        wrong.add(str(problem.path[-1]))
        yield problem
    for name, given in well_formed.items():
        if name not in wrong and not isinstance(given, list | tuple) and given.get("values") is None:
            yield from _range(name, given, rules_of(kind, uses, name)[1])


def _no_default_space(kind: str, trainer: Plain, uses: Sequence[str]) -> Iterator[Problem]:
    searched = default_space(kind, uses)
    if kind == TrainerKind.SKLEARN and not searched:
        name = uses[-1].rpartition(".")[2]
        yield Problem(_PATH[:2], f"nothing is searched by default for {name}: write `space`")
    elif searched and {*searched} <= _own_names(kind, trainer, uses):
        message = "all parameters that are searched by default are set: write `space`, or leave one of them out of"
        yield Problem(_PATH[:2], f"{message} `{'steps' if kind == TrainerKind.SKLEARN else 'params'}`")


def _own_names(kind: str, trainer: Plain, uses: Sequence[str]) -> set[str]:
    if library := LIBRARIES.get(kind):
        return {library.names.get(name, name) for name in mapping_at(trainer, "params")}
    steps = zip(step_names(uses), list_at(trainer, "steps"), strict=True)
    return {f"{name}__{param}" for name, step in steps for param in mapping_at(step, "params")}


def _malformed(name: str, given: object) -> Problem | None:
    """Return the error of a space that is neither a range nor a list. Values of wrong types are skipped."""
    if not isinstance(given, Mapping):
        return None
    ends, listed = [given.get("low"), given.get("high")], given.get("values")
    if listed is not None and any(end is not None for end in ends):
        return Problem((*_PATH, name), "has a range and a list: keep one of the two", _SEPARATOR)
    if listed is None and None in ends:
        message = "needs both ends of its range, `low` and `high`, or a list of values"
        return Problem((*_PATH, name), message, _SEPARATOR)
    return None


def _is_well_formed(given: object) -> bool:
    if isinstance(given, Mapping):
        ends, listed = [given.get("low"), given.get("high")], given.get("values")
        if listed is None:
            return all(map(_is_number, ends))
        return ends == [None, None] and _is_well_formed(listed)
    return isinstance(given, list | tuple) and len(given) > 0


def _values(task: str, kind: str, uses: Sequence[str], space: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield names and values that can't be used, with one problem for each invalid value of a space."""
    samples = {name: _samples(given) for name, given in space.items()}
    if library := LIBRARIES.get(kind):
        yield from _of_library(library, task, samples)
    elif kind == TrainerKind.SKLEARN:
        yield from _of_steps(uses, samples)


def _of_library(library: Library, task: str, samples: Mapping[str, Sequence[Any]]) -> Iterator[Problem]:
    first = {name: values[0] for name, values in samples.items()}
    others = [{name: value} for name, values in samples.items() for value in values[1:]]
    for params in (first, *others):
        for name, problem in library.faults(task, params):
            yield Problem((*_PATH, name), problem, _SEPARATOR)


def _of_steps(uses: Sequence[str], samples: Mapping[str, Sequence[Any]]) -> Iterator[Problem]:
    steps = dict(zip(step_names(uses), uses, strict=True))
    for name, values in samples.items():
        step, _, parameter = name.partition("__")
        if step not in steps or not parameter:
            known = [f"{each}__{param}" for each, use in steps.items() for param in USES[use].params]
            close = get_close_matches(name, known, n=1)
            hint = (
                f"did you mean `{close[0]}`?" if close else f"the names begin with {', '.join(f'{s}__' for s in steps)}"
            )
            yield Problem((*_PATH, name), f"is a parameter of no step: {hint}", _SEPARATOR)
            continue
        for value in values:
            if problem := unfit(steps[step], parameter, value):
                yield Problem((*_PATH, name), problem, _SEPARATOR)


def _samples(given: Any) -> Sequence[Any]:
    listed = given if isinstance(given, list | tuple) else given.get("values")
    return listed if listed is not None else (given["low"], given["high"])


def _range(name: str, given: Plain, rules: Sequence[Rule]) -> Iterator[Problem]:
    low, high = given["low"], given["high"]
    if low >= high:
        yield Problem((*_PATH, name), f"has no values: {low:g} is not below {high:g}", _SEPARATOR)
    elif not any(misfit(low, rule) is None and misfit(high, rule) is None for rule in rules):
        message = f"has different kinds of values at its ends, {low} and {high}: give a list of values"
        yield Problem((*_PATH, name), message, _SEPARATOR)
    elif given.get("log") is True and low <= 0:
        yield Problem(
            (*_PATH, name), f"has no logarithm at {low:g}: give a `low` above 0, or leave out `log`", _SEPARATOR
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
