"""The outputs and labels of a model's answers. Versions that share a model's traffic must have the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rondo.contracts.tasks.registry import task_named

if TYPE_CHECKING:
    from collections.abc import Collection

    from rondo.contracts.tasks.base import FittedTask, Output

_SHOWN = 5  # labels in a message


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """The outputs in the order of an answer. Versions with equal schemas give answers of the same form.

    `labels` are those of answers, texts or whole numbers, in the order of the probabilities. None for numbers.
    """

    outputs: tuple[Output, ...]
    labels: tuple[str | int, ...]

    @classmethod
    def of(cls, fitted: FittedTask) -> Self:
        """Return the outputs of a fitted task.

        Raises:
            ValueError: this release does not have the task, a label occurs twice, or an output needs labels and there
                are none.

        """
        outputs, labels = task_named(fitted.task).outputs(fitted), fitted.label_values
        if len(set(labels)) < len(labels) or (not labels and any(each.kind != "number" for each in outputs)):
            message = f"the labels of the task {fitted.task} are {list(labels)}, and must be different ones"
            raise ValueError(message)
        return cls(outputs, labels)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

    def difference(self, other: AnswerSchema, version: int) -> str:
        """Return how answers differ from those of `version`, which has the schema `other`.

        Empty if the schemas are equal.
        """
        if self.outputs != other.outputs:
            return f"it answers {', '.join(self.names)}, and version {version} {', '.join(other.names)}"
        if self.labels == other.labels:
            return ""
        more, fewer = _missing(self.labels, other.labels), _missing(other.labels, self.labels)
        differences = [f"it alone has {more}"] if more else []
        differences += [f"version {version} alone has {fewer}"] if fewer else []
        return f"its labels differ: {', '.join(differences) or 'their order is another'}"


def _missing(these: Collection[str | int], those: Collection[str | int]) -> str:
    found = [repr(label) for label in these if label not in those]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
