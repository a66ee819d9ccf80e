"""Checks of the keys of a new spec that depend on its task: labels, outputs, and metrics of the gates."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from rondo.contracts.spec.cross_checks import Plain, Problem, mapping_at
from rondo.contracts.tasks.registry import DEFAULT, METRICS, TASKS, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.tasks.base import Task
    from rondo.contracts.tasks.metrics import Metric

# The key of `prediction` that a metric needs, and an example.
_OPTIONS = {
    "interval": "an interval: set `prediction: {interval: 0.9}`",
    "cost": "the costs of errors: set `prediction: {cost: {false_positive: 1, false_negative: 5}}`",
}

_PERCENT = 100


def task_problems(spec: Plain) -> Iterator[Problem]:
    """Yield the keys that do not fit the task of a spec. Nothing if the task itself is unknown."""
    name = spec.get("task", DEFAULT)
    task = TASKS.get(name) if isinstance(name, str) else None
    if task is None:
        return
    yield from _label_texts(task, mapping_at(spec, "data"))
    yield from _outputs(task, mapping_at(spec, "prediction"))
    yield from _metrics(task, mapping_at(spec, "gates"), mapping_at(spec, "prediction"))


def _label_texts(task: Task, data: Plain) -> Iterator[Problem]:
    of = names_of(each for each in TASKS.values() if each.names_labels)
    for key in ("positive", "negative"):
        if not task.names_labels and data.get(key) is not None:
            message = f"`{key}` is for `task: {of}`, and this is {task.name}: leave it out, or change the task"
            yield Problem(("data", key), message)


def _outputs(task: Task, prediction: Plain) -> Iterator[Problem]:
    for key, value in prediction.items():
        of = [each for each in TASKS.values() if key in each.options]
        if value is not None and of and task not in of:
            message = f"`{key}` is for `task: {names_of(of)}`, and this is {task.name}: leave it out"
            yield Problem(("prediction", key), message)
    if prediction.get("threshold") is not None and prediction.get("cost") is not None:
        message = "`cost` chooses the threshold: leave out `threshold`, or `cost`"
        yield Problem(("prediction", "threshold"), message)


def _metrics(task: Task, gates: Plain, prediction: Plain) -> Iterator[Problem]:
    for name, metric in METRICS.items():
        if gates.get(name) is None:
            continue
        if name not in task.metrics:
            yield Problem(("gates", name), f"is no metric of {task.name}: use one of {', '.join(task.metrics)}", " ")
        elif metric.option is not None and not prediction.get(metric.option):
            yield Problem(("gates", name), f"needs {_OPTIONS[metric.option]}, or leave the gate out", " ")
        else:
            yield from _bounds(metric, mapping_at(gates, name))
    fairness = mapping_at(gates, "fairness").get("metric")
    of_groups = (
        (gates.get("slice_metric"), ("gates", "slice_metric"), tuple(task.metrics)),
        (fairness, ("gates", "fairness", "metric"), (*task.metrics, *task.rates)),
    )
    for chosen, path, known in of_groups:
        yield from _metric_of_groups(task, chosen, path, known)
        option = METRICS[chosen].option if isinstance(chosen, str) and chosen in known and chosen in METRICS else None
        if option is not None and not prediction.get(option):
            yield Problem(path, f"{chosen!r} needs {_OPTIONS[option]}, or take another metric")


def _bounds(metric: Metric, gate: Plain) -> Iterator[Problem]:
    """Yield a bound that no model can pass. It would refuse every candidate, so nothing would ever be deployed."""
    low, high = (gate.get(key) if isinstance(gate.get(key), int | float) else None for key in ("min", "max"))
    if metric.higher_is_better and low is not None and low > metric.best:
        share = f"write {low / 100:g} for {low:g} %" if low <= _PERCENT else "use a lower one"
        yield Problem(("gates", metric.name, "min"), f"the {metric.title} is at most {metric.best:g}: {share}")
    if not metric.higher_is_better and high is not None and high < metric.best:
        yield Problem(("gates", metric.name, "max"), f"the {metric.title} is never below 0: use a positive bound")
    if low is not None and high is not None and low > high:
        yield Problem(("gates", metric.name), f"has a `min` above its `max` ({low:g} and {high:g}): exchange them", " ")


def _metric_of_groups(task: Task, name: object, path: tuple[str, ...], known: tuple[str, ...]) -> Iterator[Problem]:
    if isinstance(name, str) and name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        yield Problem(path, f"{name!r} is no metric of {task.name}: use one of {', '.join(known)}{hint}")
