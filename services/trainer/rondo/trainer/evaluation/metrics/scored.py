"""The outputs of a model for labelled rows. Metrics take them by their kind, because each task names its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.contracts.tasks.registry import task_named
from rondo.trainer.evaluation.metrics.probability_metrics import Curve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask, Output


_NEAR_LIMIT = np.finfo(np.float32).max / 10


@dataclass(frozen=True, eq=False)
class Scored:
    """The outputs of a model for N rows (see `Task.predictions`), and the targets of these rows, shape `[N]`.

    The index of a class that the model does not know is the number of its classes.
    """

    task: FittedTask
    targets: NDArray[np.float32]
    outputs: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: NDArray[np.bool_] | slice) -> Scored:
        return Scored(self.task, self.targets[rows], {name: values[rows] for name, values in self.outputs.items()})

    @property
    def is_one_probability(self) -> bool:
        """True if the score is the probability of the class with index 1, not of the predicted class."""
        return task_named(self.task.task).target == "probability"

    @property
    def answer(self) -> NDArray[Any]:
        """The output that an outcome is compared with."""
        return self.outputs[task_named(self.task.task).answer]

    @property
    def score(self) -> NDArray[np.float32]:
        """The probability of the class with index 1, or the largest probability of a class, shape `[N]`."""
        if not self.is_one_probability:
            return np.asarray(self.probabilities.max(axis=1))
        return self._first(lambda output: output.of_label == 1)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The probabilities of the classes of a task that has an output of this kind, shape `[N, classes]`."""
        return self._first(lambda output: output.kind == "probabilities")

    @property
    def decided(self) -> NDArray[np.int64]:
        """The indices of the decided labels of a task that has an output of this kind, shape `[N]`."""
        return self._first(lambda output: output.kind == "label")

    @property
    def ends(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """The low and the high end of the interval, shape `[N]` each. None for a model without one."""
        counted = task_named(self.task.task).counted
        low, high = (self.outputs.get(counted.get(name, "")) for name in ("low", "high"))
        return None if low is None or high is None else (low, high)

    def _first(self, wanted: Callable[[Output], bool]) -> NDArray[Any]:
        outputs = task_named(self.task.task).outputs(self.task)
        return self.outputs[next(output.name for output in outputs if wanted(output))]

    @cached_property
    def curve(self) -> Curve:
        """The counts of rows by threshold of a binary model, for all metrics of ranks."""
        order = np.argsort(-self.score, kind="stable")
        return Curve.of(self.targets[order].astype(np.int64), self.score[order])

    @property
    def near_float32_limit(self) -> bool:
        """True if the targets are so large that a prediction, or an end of an interval, may be beyond float32."""
        return bool(np.abs(self.targets).max(initial=0) > _NEAR_LIMIT)

    @property
    def finite(self) -> bool:
        """True if every output of every row is a finite number."""
        return all(bool(np.isfinite(values).all()) for values in self.outputs.values())
