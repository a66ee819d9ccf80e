"""The outputs of one version: names, kinds and labels. They define the form of all answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rondo.contracts.tasks.answer_schema import AnswerSchema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Output

# The outputs of N rows by name. A number is float32 [N], a label is int64 [N] with the index among the labels, and
# probabilities are float32 [N, labels].
Outputs: TypeAlias = "Mapping[str, NDArray[Any]]"
_NO_LABEL = -1


@dataclass(frozen=True, slots=True)
class OutputSchema(AnswerSchema):
    """The outputs as tensors."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels in the form of the inference log and of the keys of an answer."""
        return tuple(map(str, self.labels))

    @property
    def explained(self) -> Output:
        """The output that explanations explain: the probability of each label, else the first number."""
        kinds = {output.kind: output for output in reversed(self.outputs)}
        return kinds.get("probabilities") or kinds["number"]

    def shape(self, output: Output, rows: int) -> tuple[int, ...]:
        """Return the shape of an output of N rows."""
        return (rows, len(self.labels)) if output.kind == "probabilities" else (rows,)

    def fits(self, outputs: Outputs, rows: int) -> bool:
        """Return whether the outputs have a value of each output for each of N rows."""
        return all(outputs[output.name].shape == self.shape(output, rows) for output in self.outputs)

    def answerable(self, outputs: Outputs) -> NDArray[np.bool_]:
        """Return true for rows that can be answered, shape [N]: their numbers are finite, and their labels exist."""
        valid: NDArray[np.bool_] = reduce(and_, (self._valid(each, outputs[each.name]) for each in self.outputs))
        return valid

    def _valid(self, output: Output, values: NDArray[Any]) -> NDArray[np.bool_]:
        if output.kind == "label":
            return np.logical_and(values >= 0, values < len(self.labels))
        finite: NDArray[np.bool_] = np.isfinite(values)
        return finite if finite.ndim == 1 else np.all(finite, axis=1)

    def unanswerable(self, rows: int) -> Outputs:
        """Return outputs of N rows on which the model failed."""
        return {
            output.name: np.full(self.shape(output, rows), _NO_LABEL, np.int64)
            if output.kind == "label"
            else np.full(self.shape(output, rows), np.nan, np.float32)
            for output in self.outputs
        }


def take_rows(outputs: Outputs, rows: Sequence[int]) -> Outputs:
    return {name: values[rows] for name, values in outputs.items()}
