"""Derived columns: an expression of numeric columns, computed in float64 and rounded once to float32.

Each function is defined once, by ONNX operators. In training numpy executes them, and in the graph they are nodes. Both
round `+ - * /` and the square root alike. Their logarithms and exponentials differ in the last digit: for one value in
ten in float32, and for so few in float64 that rounding to float32 hides the difference (decision 29).

An undefined result is NaN, a missing value: x / 0, the logarithm of a number that is not positive, the square root of a
negative number, a result that exceeds float32, and any operation on NaN. The sign of a 0 may differ between training
and graph. No operation divides by 0, so nothing distinguishes 0 from -0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from onnx import TensorProto

from rondo.contracts.spec.preparation.expressions import Number, Operation, Reference, references
from rondo.trainer.preparation.onnx_nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from rondo.contracts.spec.preparation.expressions import Expression

V = TypeVar("V")
# The ONNX operator of each operation that is a single one. Below are the numpy functions of the operators.
_SIMPLE = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "negative": "Neg", "abs": "Abs", "exp": "Exp"}
_SIMPLE |= {"sqrt": "Sqrt", "min": "Min", "max": "Max"}
_NUMPY: dict[str, Callable[..., NDArray[np.float64]]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Neg": np.negative,
    "Abs": np.abs,
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Min": np.minimum,
    "Max": np.maximum,
    "Equal": np.equal,
    "LessOrEqual": np.less_equal,
    "Where": np.where,
}


@dataclass(frozen=True)
class Derived:
    expression: Expression

    def apply(self, columns: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the derived column from the columns of the rows, all of shape `[rows]`."""
        wide = {name: columns[name].astype(np.float64) for name in references(self.expression)}
        with np.errstate(all="ignore"):
            values = _Evaluation(wide, lambda name, *values: _NUMPY[name](*values), np.asarray)(self.expression)
            return np.where(np.isinf(narrow := values.astype(np.float32)), np.float32("nan"), narrow)

    def onnx_nodes(self, tensors: Mapping[str, str], output: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes that compute `output` from the tensors of the columns, all float32 `[N, 1]`."""
        nodes = Nodes(output)
        names = dict.fromkeys(references(self.expression))
        wide = {name: nodes.add("Cast", tensors[name], to=TensorProto.DOUBLE) for name in names}
        values = _Evaluation(wide, nodes.add, nodes.constant)(self.expression)
        narrow = nodes.add("Cast", values, to=TensorProto.FLOAT)
        nodes.add("Where", nodes.add("IsInf", narrow), nodes.constant(np.float32("nan")), narrow, name=output)
        return nodes.made


@dataclass(frozen=True)
class _Evaluation(Generic[V]):
    """Evaluates expressions of `columns` by ONNX operators. `do` executes an operator, or adds it to a graph."""

    columns: Mapping[str, V]
    do: Callable[..., V]
    constant: Callable[[float], V]

    def __call__(self, expression: Expression) -> V:
        match expression:
            case Number(value):
                return self.constant(value)
            case Reference(column):
                return self.columns[column]
            case Operation(name, arguments):
                return self._operation(name, [self(argument) for argument in arguments])

    def _operation(self, name: str, values: Sequence[V]) -> V:
        if name == "divide":
            return self._divide(*values)
        if name == "log":
            return self._log(*values)
        if name == "log1p":
            return self._log1p(*values)
        if len(values) == 1:
            return self.do(_SIMPLE[name], *values)
        return reduce(lambda one, other: self.do(_SIMPLE[name], one, other), values)

    def _divide(self, dividend: V, divisor: V) -> V:
        is_zero = self.do("Equal", divisor, self.constant(0.0))
        return self.do("Where", is_zero, self.constant(np.nan), self.do("Div", dividend, divisor))

    def _log(self, value: V) -> V:
        is_none = self.do("LessOrEqual", value, self.constant(0.0))
        return self.do("Where", is_none, self.constant(np.nan), self.do("Log", value))

    def _log1p(self, value: V) -> V:
        """Return log(1 + x). ONNX has no `Log1p`, so Kahan's correction removes the rounding error of 1 + x."""
        one = self.constant(1.0)
        above = self.do("Add", one, value)
        corrected = self.do("Div", self.do("Mul", self._log(above), value), self.do("Sub", above, one))
        return self.do("Where", self.do("Equal", above, one), value, corrected)
