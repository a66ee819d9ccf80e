"""Checks of what a new spec says about its task: its labels, its outputs, and the metrics of its gates."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from rondo.contracts.spec.cross_checks import Plain, Problem, mapping_at
from rondo.contracts.tasks.metrics import METRICS
from rondo.contracts.tasks.registry import TASKS
from rondo.contracts.vocabularies import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.tasks.base import Task as TaskRules

# The rates of groups that the fairness of binary decisions compares, beside the metrics.
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
_OF_INTERVALS = ("pinball", "interval_coverage")
_PREDICTION = {"threshold": Task.BINARY, "cost": Task.BINARY, "interval": Task.REGRESSION}


def task_problems(spec: Plain) -> Iterator[Problem]:
    """Yield what does not fit the task of a spec; nothing if the task itself is unknown."""
    name = spec.get("task", Task.BINARY.value)
    task = TASKS.get(name) if isinstance(name, str) else None
    if task is None:
        return
    yield from _label_texts(task, mapping_at(spec, "data"))
    yield from _outputs(task, mapping_at(spec, "prediction"))
    yield from _metrics(
        task, mapping_at(spec, "gates"), has_interval=bool(mapping_at(spec, "prediction").get("interval"))
    )


def _label_texts(task: TaskRules, data: Plain) -> Iterator[Problem]:
    for key in ("positive", "negative"):
        if task.name != Task.BINARY and data.get(key) is not None:
            message = f"`{key}` is for `task: binary`, and this is {task.name}: leave it out, or change the task"
            yield Problem(("data", key), message)


def _outputs(task: TaskRules, prediction: Plain) -> Iterator[Problem]:
    for key, only in _PREDICTION.items():
        if prediction.get(key) is not None and task.name != only:
            message = f"`{key}` is for `task: {only}`, and this is {task.name}: leave it out"
            yield Problem(("prediction", key), message)
    if prediction.get("threshold") is not None and prediction.get("cost") is not None:
        message = "`cost` chooses the threshold: leave out `threshold`, or `cost`"
        yield Problem(("prediction", "threshold"), message)


def _metrics(task: TaskRules, gates: Plain, *, has_interval: bool) -> Iterator[Problem]:
    for name in METRICS:
        if gates.get(name) is None:
            continue
        if name not in task.metrics:
            yield Problem(("gates", name), f"is no metric of {task.name}: use one of {', '.join(task.metrics)}", " ")
        elif name in _OF_INTERVALS and not has_interval:
            message = "needs an interval: set `prediction: {interval: 0.9}`, or leave the gate out"
            yield Problem(("gates", name), message, " ")
    yield from _metric_of_groups(task, gates.get("slice_metric"), ("gates", "slice_metric"), task.metrics)
    rates = RATES if task.name == Task.BINARY else ()
    fairness = mapping_at(gates, "fairness").get("metric")
    yield from _metric_of_groups(task, fairness, ("gates", "fairness", "metric"), (*task.metrics, *rates))


def _metric_of_groups(
    task: TaskRules, name: object, path: tuple[str, ...], known: tuple[str, ...]
) -> Iterator[Problem]:
    if isinstance(name, str) and name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        yield Problem(path, f"{name!r} is no metric of {task.name}: use one of {', '.join(known)}{hint}")
