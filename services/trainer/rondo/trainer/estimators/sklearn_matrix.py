"""The rows of a matrix that the steps of scikit-learn accept: before a fit, at a prediction, and in the ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper, numpy_helper

from rondo.contracts.spec.parameters.sklearn import takes_missing
from rondo.contracts.spec.parameters.step_checks import missing_advice
from rondo.trainer.errors import TrainingImpossibleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray


class MissingValuesError(TrainingImpossibleError):
    """Columns have missing values, and the steps accept none."""

    code = "missing_values"

    def __init__(self, columns: Sequence[str], uses: Sequence[str]) -> None:
        self.columns = list(columns)
        super().__init__(f"{', '.join(columns)} has missing values, and {missing_advice(uses)}")


class InfiniteValuesError(TrainingImpossibleError):
    """Columns have infinite values, which no step accepts."""

    code = "infinite_values"

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        super().__init__(
            f"{', '.join(columns)} has infinite values, which scikit-learn does not take: change the expression that"
            " computes it, or use `kind: lightgbm`"
        )


def check(uses: Sequence[str], columns: Sequence[str], matrix: NDArray[np.float32]) -> None:
    """Check a matrix, shape `[rows, columns]`, before anything is fitted to it.

    Raises:
        MissingValuesError: it has missing values that the steps don't accept.
        InfiniteValuesError: it has infinite values.

    """
    if not takes_missing(uses) and (missing := _columns_with(np.isnan(matrix), columns)):
        raise MissingValuesError(missing, uses)
    if infinite := _columns_with(np.isinf(matrix), columns):
        raise InfiniteValuesError(infinite)


def _columns_with(found: NDArray[np.bool_], columns: Sequence[str]) -> list[str]:
    return [columns[int(index)] for index in np.flatnonzero(found.any(axis=0))]


def rows_taken(matrix: NDArray[np.float32], *, missing: bool) -> NDArray[np.bool_]:
    """Return whether each row has a prediction, shape `[rows]`. `missing`: the steps accept missing values."""
    refused = np.isinf(matrix) if missing else ~np.isfinite(matrix)
    return ~np.asarray(refused.any(axis=1))


def guard(matrix: str, unguarded: str, raw: str, *, missing: bool) -> list[onnx.NodeProto]:
    """Return the nodes that make the prediction of all other rows NaN: 0 times NaN or infinity is NaN."""
    zero, axis = numpy_helper.from_array(np.array(0, np.float32)), numpy_helper.from_array(np.array([1]))
    nodes = [
        helper.make_node("Constant", [], ["guard.zero"], name="guard.zero", value=zero),
        helper.make_node("Constant", [], ["guard.axis"], name="guard.axis", value=axis),
    ]
    if missing:
        nodes += [
            helper.make_node("IsNaN", [matrix], ["guard.missing"], name="guard.missing"),
            helper.make_node("Where", ["guard.missing", "guard.zero", matrix], ["guard.filled"], name="guard.filled"),
        ]
    return [
        *nodes,
        helper.make_node(
            "Mul", ["guard.filled" if missing else matrix, "guard.zero"], ["guard.zeros"], name="guard.zeros"
        ),
        helper.make_node("ReduceSum", ["guard.zeros", "guard.axis"], ["guard.row"], name="guard.row", keepdims=1),
        helper.make_node("Add", [unguarded, "guard.row"], [raw], name="guard"),
    ]
