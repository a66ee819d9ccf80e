"""Feature preparation: how rows become the numbers that a model sees.

A number stays what it is, as float32, and a missing one becomes NaN, which LightGBM and the ONNX graph
send down the branch that was learned for it. A category becomes the share of positives that it had in the
training rows, drawn towards the mean of all of them where it is rare (Micci-Barreca, "A preprocessing
scheme for high-cardinality categorical attributes", 2001); the graph stays one of plain `<=` tests, which
LightGBM's own categorical splits are not. A category that was never seen counts as the mean of all rows: the model
then decides by the other features. A missing one is the category "".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature

    Inputs = dict[str, NDArray[np.float32] | NDArray[np.object_]]

MISSING = ""
# As many rows of the mean are added to each category; AUC on the flights is flat from 5 to 100.
PRIOR_ROWS = 20


class MissingColumnsError(ValueError):
    """The rows lack columns that the model needs."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(f"the rows lack {', '.join(missing)}: send them with the data or take them out of `features`")


@dataclass(frozen=True)
class Codes:
    """The number that stands for each category, and the one for a category that is not among them."""

    table: dict[str, float]
    unseen: float


@dataclass(frozen=True)
class Preparation:
    """The features in the order of the signature, and the codes of those that are categories."""

    features: dict[str, Feature]
    codes: dict[str, Codes]


def learn(features: Mapping[str, Feature], rows: pl.DataFrame, labels: NDArray[np.float32]) -> Preparation:
    """Learn the codes of the categories from rows and their labels (0 or 1, shape `[rows]`).

    Raises:
        MissingColumnsError: a feature is no column of `rows`.

    """
    check(features, rows)
    names = [name for name, feature in features.items() if feature.type == "category"]
    return Preparation(dict(features), {name: _learn_codes(_text(rows, name), labels) for name in names})


def matrix(preparation: Preparation, rows: pl.DataFrame) -> NDArray[np.float32]:
    """Return the numbers that the model sees, shape `[rows, features]`."""
    check(preparation.features, rows)
    columns = [_column(preparation, rows, name) for name in preparation.features]
    return np.column_stack(columns).astype(np.float32, copy=False)


def inputs(features: Mapping[str, Feature], rows: pl.DataFrame) -> Inputs:
    """Return what the ONNX graph takes: one array of shape `[rows, 1]` per feature, text or float32.

    Raises:
        MissingColumnsError: a feature is no column of `rows`.

    """
    check(features, rows)
    return {name: _input(rows, name, feature).reshape(-1, 1) for name, feature in features.items()}


def check(features: Mapping[str, Feature], rows: pl.DataFrame) -> None:
    """Refuse rows that lack a feature.

    Raises:
        MissingColumnsError: a feature is no column of `rows`.

    """
    if missing := [name for name in features if name not in rows.columns]:
        raise MissingColumnsError(missing)


def _text(rows: pl.DataFrame, name: str) -> pl.Series:
    return rows[name].cast(pl.String).fill_null(MISSING)


def _number(rows: pl.DataFrame, name: str) -> NDArray[np.float32]:
    return rows[name].cast(pl.Float32).fill_null(float("nan")).to_numpy()


def _learn_codes(categories: pl.Series, labels: NDArray[np.float32]) -> Codes:
    mean = float(labels.mean(dtype=np.float64))
    counted = (
        pl.DataFrame({"category": categories, "label": labels})
        .group_by("category")
        .agg(pl.col("label").cast(pl.Float64).sum().alias("positives"), pl.len().alias("rows"))
    )
    code = (pl.col("positives") + PRIOR_ROWS * mean) / (pl.col("rows") + PRIOR_ROWS)
    # Rounded to float32 here, so that training and the graph hold the same number.
    coded = counted.sort("category").select("category", code.cast(pl.Float32).alias("code"))
    return Codes(dict(coded.iter_rows()), float(np.float32(mean)))


def _column(preparation: Preparation, rows: pl.DataFrame, name: str) -> NDArray[np.float32]:
    codes = preparation.codes.get(name)
    if codes is None:
        return _number(rows, name)
    old, new = list(codes.table), list(codes.table.values())
    return _text(rows, name).replace_strict(old, new, default=codes.unseen, return_dtype=pl.Float32).to_numpy()


def _input(rows: pl.DataFrame, name: str, feature: Feature) -> NDArray[np.float32] | NDArray[np.object_]:
    return _text(rows, name).to_numpy() if feature.type == "category" else _number(rows, name)
