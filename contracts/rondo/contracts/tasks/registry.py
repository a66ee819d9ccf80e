"""The tasks by their names in a spec, and the metrics of all tasks. A new task is its file and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rondo.contracts.figures import figure
from rondo.contracts.tasks.base import NAMES
from rondo.contracts.tasks.binary import BINARY
from rondo.contracts.tasks.metrics import IN_EVERY_DIGEST
from rondo.contracts.tasks.multiclass import MULTICLASS
from rondo.contracts.tasks.regression import REGRESSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rondo.contracts.tasks.base import Task
    from rondo.contracts.tasks.metrics import Metric

_ALL: tuple[Task, ...] = (BINARY, MULTICLASS, REGRESSION)
TASKS: Mapping[str, Task] = {task.name: task for task in _ALL}
NAMES.extend(TASKS)
# The task of a spec that names none.
DEFAULT = BINARY.name
METRICS: Mapping[str, Metric] = {
    **IN_EVERY_DIGEST,
    **{name: metric for task in TASKS.values() for name, metric in task.metrics.items()},
}


def names_of(tasks: Iterable[Task]) -> str:
    """Return the names of tasks as a message lists them, such as `binary` or `regression`."""
    return " or ".join(task.name for task in tasks)


def headline(task: str, metrics: Mapping[str, float]) -> str | None:
    """Return the primary metric of a model as text, such as `ROC AUC 0.742`. None if it is not known."""
    if task not in TASKS or (name := TASKS[task].primary) not in metrics:
        return None
    return METRICS[name].written(metrics[name])


def title(name: str) -> str:
    """Return the title of a metric or of a rate of groups."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def written(name: str, value: float) -> str:
    """Return the value of a metric or a rate of groups as text."""
    return METRICS[name].figure(value) if name in METRICS else figure(value, ".3f")


class UnknownTaskError(ValueError):
    """No task has the name."""

    code: ClassVar[str] = "unknown_task"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no task {name!r}: use one of {', '.join(TASKS)}")


def task_named(name: str) -> Task:
    """Return the task that a spec calls `name`.

    Raises:
        UnknownTaskError: no task has the name.

    """
    try:
        return TASKS[name]
    except KeyError:
        raise UnknownTaskError(name) from None
