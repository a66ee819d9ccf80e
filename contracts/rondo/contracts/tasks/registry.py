"""The tasks by their names in a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rondo.contracts.tasks.binary import BINARY
from rondo.contracts.tasks.metrics import METRICS
from rondo.contracts.tasks.multiclass import MULTICLASS
from rondo.contracts.tasks.regression import REGRESSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.contracts.tasks.base import Task

TASKS: Mapping[str, Task] = {task.name: task for task in (BINARY, MULTICLASS, REGRESSION)}


def headline(task: str, metrics: Mapping[str, float]) -> str | None:
    """Return the primary metric of a model as text, such as `ROC AUC 0.742`; None where it is not known."""
    if task not in TASKS or (name := TASKS[task].primary) not in metrics:
        return None
    return METRICS[name].written(metrics[name])


class UnknownTaskError(ValueError):
    """No task has the name."""

    code: ClassVar[str] = "unknown_task"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no task {name!r}: use one of {', '.join(TASKS)}")


def task_named(name: str) -> Task:
    """Return what a spec calls `name`, a word of `vocabularies.Task`.

    Raises:
        UnknownTaskError: no task has the name.

    """
    try:
        return TASKS[name]
    except KeyError:
        raise UnknownTaskError(name) from None
