"""Scaling: a number minus an offset, times a factor, both taken from the finite values of the training rows.

A column of one value becomes 0. The arithmetic is float32, as in the graph: a result that exceeds it is infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.contracts.spec.preparation.vocabularies import Scaling
from rondo.trainer.preparation.onnx_nodes import ML, Nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Scale:
    """`(x - offsets) * factors`, both of shape `[columns]`. They are 0 and 1 for a column that stays as it is."""

    offsets: NDArray[np.float32]
    factors: NDArray[np.float32]

    def apply(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scaled matrix, shape `[rows, columns]`."""
        with np.errstate(over="ignore", invalid="ignore"):
            return (matrix - self.offsets) * self.factors

    def onnx_nodes(self, matrix: str, output: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes between two tensors, float32 `[N, columns]`."""
        nodes = Nodes(output)
        offset, scale = self.offsets.tolist(), self.factors.tolist()
        nodes.add("Scaler", matrix, name=output, domain=ML, offset=offset, scale=scale)
        return nodes.made


def fit(columns: Sequence[str], matrix: NDArray[np.float32], wanted: Mapping[str, str]) -> Scale:
    """Fit to training rows, shape `[rows, columns]`. `wanted` has the kind of scaling by column."""
    fitted = [_offset_and_width(column, wanted.get(name)) for name, column in zip(columns, matrix.T, strict=True)]
    offsets, widths = np.array(fitted, dtype=np.float64).reshape(-1, 2).T
    factors = 1 / np.where(widths == 0, 1, widths)
    return Scale(offsets.astype(np.float32), np.minimum(factors, LARGEST_FLOAT32).astype(np.float32))


def _offset_and_width(column: NDArray[np.float32], kind: str | None) -> tuple[float, float]:
    finite = column[np.isfinite(column)].astype(np.float64)
    if kind is None or not len(finite):
        return 0.0, 1.0
    if kind == Scaling.MINMAX:
        return finite.min(), finite.max() - finite.min()
    return finite.mean(), finite.std()
