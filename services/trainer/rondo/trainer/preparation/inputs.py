"""The features of rows in the form of a model's inputs: text for a category, float32 for any other type.

A missing category is the empty text, a missing number is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.trainer.errors import TrainingImpossibleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature

    Inputs = dict[str, NDArray[np.float32] | NDArray[np.object_]]

MISSING = ""


class MissingColumnsError(TrainingImpossibleError):
    """The rows lack columns that are features of the spec."""

    code = "missing_columns"

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(
            f"the rows lack {', '.join(missing)}: publish data that has them, or remove them from `features`"
        )


def check_columns(features: Mapping[str, Feature], rows: pl.DataFrame) -> None:
    """Refuse rows that lack a feature.

    Raises:
        MissingColumnsError: a feature is no column of `rows`.

    """
    if missing := [name for name in features if name not in rows.columns]:
        raise MissingColumnsError(missing)


def text(rows: pl.DataFrame, name: str) -> pl.Series:
    values = rows[name].cast(pl.String)
    # `fill_null` is a separate query, which waits for the threads of polars.
    return values.fill_null(MISSING) if values.null_count() else values


def category(rows: pl.DataFrame, name: str) -> pl.Series:
    """Return a category in the form that `levels` takes: its texts, or their codes if the rows are encoded."""
    return rows[name] if isinstance(rows[name].dtype, pl.Enum) else text(rows, name)


def number(rows: pl.DataFrame, name: str) -> NDArray[np.float32]:
    # Null becomes NaN.
    return rows[name].cast(pl.Float32).to_numpy()


def onnx_inputs(features: Mapping[str, Feature], rows: pl.DataFrame) -> Inputs:
    """Return the inputs of the ONNX graph: one array of shape `[rows, 1]` per feature, text or float32.

    Raises:
        MissingColumnsError: a feature is no column of `rows`.

    """
    check_columns(features, rows)
    return {name: _input(rows, name, feature).reshape(-1, 1) for name, feature in features.items()}


def _input(rows: pl.DataFrame, name: str, feature: Feature) -> NDArray[np.float32] | NDArray[np.object_]:
    return _texts(rows, name) if feature.type == "category" else number(rows, name)


def _texts(rows: pl.DataFrame, name: str) -> NDArray[np.object_]:
    """Return the texts of a category, shape `[rows]`. Rows of an encoded column share the object of their text."""
    values = rows[name]
    # Few rows of many levels are cheaper one by one.
    if not isinstance(values.dtype, pl.Enum) or rows.height < len(values.dtype.categories):
        return text(rows, name).to_numpy()
    known = np.array([*values.dtype.categories.to_list(), MISSING], dtype=object)
    codes = values.to_physical().cast(pl.Int64)
    return known.take((codes.fill_null(len(known) - 1) if codes.null_count() else codes).to_numpy())
