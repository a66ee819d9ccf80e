"""Errors of a registration that was not sent. Each message says what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.client.errors import RondoError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 400  # characters of a row in a message


class ConversionUnavailableError(RondoError):
    """The libraries that convert estimators are not installed."""

    code = "conversion_unavailable"

    def __init__(self, library: str) -> None:
        self.library = library
        super().__init__(
            f"{library} is not installed, which converts estimators to ONNX: install the extra `convert`"
            " (`pip install 'rondo-client[convert]'`), or register an ONNX file"
        )


class NotConvertibleError(RondoError):
    """An estimator can't be converted to an ONNX model that fits the spec."""

    code = "not_convertible"

    def __init__(self, estimator: object, why: str) -> None:
        super().__init__(f"the {type(estimator).__name__} can't be registered: {why}")


class RowsNeededError(RondoError):
    """The comparison of estimator and graph needs rows, because random rows can't be made."""

    code = "rows_needed"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}, so no random rows can be made to compare the estimator with its ONNX graph: pass some rows to"
            " `register(..., rows=...)`, as the estimator takes them"
        )


class NoRowsToCompareError(RondoError):
    """The given rows for the comparison of estimator and graph are empty."""

    code = "no_rows"

    def __init__(self) -> None:
        super().__init__(
            "`rows` has no row to compare the estimator with its ONNX graph on: pass at least one, as the estimator"
            " takes it, or leave `rows` out for random ones"
        )


class ConversionDiffersError(RondoError):
    """The predictions of the ONNX graph differ from those of the estimator."""

    code = "conversion_differs"

    def __init__(self, difference: float, tolerance: float, row: Mapping[str, Any]) -> None:
        self.difference, self.tolerance, self.row = difference, tolerance, row
        super().__init__(
            f"the ONNX graph differs from the estimator by {difference:.2g}, and at most {tolerance:g} is allowed, for"
            f" the row {str(dict(row))[:_SHOWN]}: nothing was sent. Fit it to values of 32 bits, which the graph"
            " computes with, or without the step that the converter changes; or raise `tolerance`"
        )
