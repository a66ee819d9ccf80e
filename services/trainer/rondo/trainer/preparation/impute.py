"""Imputation: a missing number becomes the mean or the median of the training rows, or a number of the spec.

Statistics use the finite values of the training rows. An infinite value is not missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.spec.preparation.vocabularies import Imputation
from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.preparation.onnx_nodes import ML, Nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray


class NothingToImputeError(TrainingImpossibleError):
    """A column has no value in the training rows to impute missing ones with."""

    code = "nothing_to_impute"

    def __init__(self, column: str, statistic: str) -> None:
        self.column, self.statistic = column, statistic
        super().__init__(
            f"the column {column!r} is missing in every training row, so it has no {statistic}: publish rows that have"
            f" it, write a number in `prepare.impute.{column}`, or take the column out of the spec"
        )


@dataclass(frozen=True, eq=False)
class Fill:
    """The values that replace NaN in each column, shape `[columns]`. A column with NaN here stays as it is."""

    values: NDArray[np.float32]

    def apply(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the matrix, shape `[rows, columns]`, with its missing values filled."""
        return np.where(np.isnan(matrix), self.values, matrix)

    def onnx_nodes(self, matrix: str, output: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes between two tensors, float32 `[N, columns]`."""
        nodes = Nodes(output)
        filled, missing = self.values.tolist(), float("nan")
        nodes.add("Imputer", matrix, name=output, domain=ML, imputed_value_floats=filled, replaced_value_float=missing)
        return nodes.made


def fit(columns: Sequence[str], matrix: NDArray[np.float32], wanted: Mapping[str, str | float]) -> Fill:
    """Fit to training rows, shape `[rows, columns]`. `wanted` has the statistic or the number by column.

    Raises:
        NothingToImputeError: a column of a statistic has no finite value.

    """
    values = [_value(name, column, wanted.get(name, np.nan)) for name, column in zip(columns, matrix.T, strict=True)]
    return Fill(np.array(values, dtype=np.float32))


def _value(name: str, column: NDArray[np.float32], wanted: str | float) -> float:
    if not isinstance(wanted, str):
        return wanted
    finite = column[np.isfinite(column)].astype(np.float64)
    if not len(finite):
        raise NothingToImputeError(name, wanted)
    return float(np.median(finite) if wanted == Imputation.MEDIAN else finite.mean())
