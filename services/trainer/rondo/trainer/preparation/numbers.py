"""The numeric columns of a matrix: features, parts of dates and derived columns, then filled and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from rondo.contracts.spec.preparation.checks import date_column
from rondo.contracts.spec.preparation.expressions import parse_expression
from rondo.trainer.preparation import impute, inputs, scale
from rondo.trainer.preparation.dates import DateParts
from rondo.trainer.preparation.derive import Derived

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature, Prepare
    from rondo.trainer.preparation.impute import Fill
    from rondo.trainer.preparation.scale import Scale

_JOINED, _FILLED, _SCALED = "numbers.joined", "numbers.filled", "numbers.scaled"


@dataclass(frozen=True)
class NumericColumns:
    """The sources of the numeric columns. `kept` is their order in the matrix, without those that the spec drops."""

    features: tuple[str, ...]
    dates: dict[str, DateParts]
    derived: dict[str, Derived]
    kept: tuple[str, ...]

    def apply(self, rows: pl.DataFrame, spare: int = 0) -> NDArray[np.float32]:
        """Return the columns of rows, shape `[rows, columns + spare]`. The spare columns are not initialized."""
        columns = {name: inputs.number(rows, name) for name in self.features}
        for name, date in self.dates.items():
            parts = date.apply(inputs.text(rows, name))
            columns |= {date_column(name, part): parts[:, index] for index, part in enumerate(date.parts)}
        columns |= {name: derived.apply(columns) for name, derived in self.derived.items()}
        # The memory is column by column, because the following steps are fitted column by column.
        matrix = np.empty((rows.height, len(self.kept) + spare), dtype=np.float32, order="F")
        for index, name in enumerate(self.kept):
            matrix[:, index] = columns[name]
        return matrix

    def onnx_nodes(self) -> tuple[list[onnx.NodeProto], list[str]]:
        """Return the nodes, and the tensors of the columns, each float32 `[N, 1]`."""
        nodes: list[onnx.NodeProto] = []
        tensors = {name: name for name in self.features}
        for name, date in self.dates.items():
            outputs = {part: f"part.{date_column(name, part)}" for part in date.parts}
            nodes += date.onnx_nodes(name, outputs)
            tensors |= {date_column(name, part): output for part, output in outputs.items()}
        given = dict(tensors)
        for name, derived in self.derived.items():
            tensors[name] = f"derived.{name}"
            nodes += derived.onnx_nodes(given, tensors[name])
        return nodes, [tensors[name] for name in self.kept]


@dataclass(frozen=True)
class Numbers:
    """The numeric columns with the steps that are fitted to them. A step is None if the spec does not ask for it."""

    columns: NumericColumns
    fill: Fill | None
    scale: Scale | None

    def apply(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        """Return the numbers of rows, shape `[rows, columns]`."""
        matrix = self.columns.apply(rows)
        for step in (self.fill, self.scale):
            matrix = step.apply(matrix) if step else matrix
        return matrix

    def onnx_nodes(self) -> tuple[list[onnx.NodeProto], list[str]]:
        """Return the nodes, and the tensors to concatenate, float32 with N rows."""
        nodes, tensors = self.columns.onnx_nodes()
        for step, output in ((self.fill, _FILLED), (self.scale, _SCALED)):
            if step is None:
                continue
            if len(tensors) > 1:
                nodes.append(helper.make_node("Concat", tensors, [_JOINED], name=_JOINED, axis=1))
                tensors = [_JOINED]
            nodes += step.onnx_nodes(tensors[0], output)
            tensors = [output]
        return nodes, tensors


def fit(
    features: Mapping[str, Feature], prepare: Prepare, rows: pl.DataFrame, spare: int
) -> tuple[Numbers, NDArray[np.float32]]:
    """Return the numeric columns, and the matrix of the training rows with `spare` more columns, not initialized.

    Raises:
        NothingToImputeError: a column that a statistic imputes has no value.

    """
    columns = _columns(features, prepare)
    matrix = columns.apply(rows, spare)
    found = matrix[:, : len(columns.kept)]
    fill = impute.fit(columns.kept, found, prepare.impute) if prepare.impute else None
    if fill:
        found[:] = fill.apply(found)
    scaling = scale.fit(columns.kept, found, prepare.scale) if prepare.scale else None
    if scaling:
        found[:] = scaling.apply(found)
    return Numbers(columns, fill, scaling), matrix


def _columns(features: Mapping[str, Feature], prepare: Prepare) -> NumericColumns:
    dates = {name: DateParts(prepare.dates[name]) for name in features if name in prepare.dates}
    numeric = [name for name, feature in features.items() if feature.type != "category"]
    parts = {name: [date_column(name, part) for part in date.parts] for name, date in dates.items()}
    there = [column for name in features for column in (parts.get(name) or [name] * (name in numeric))]
    derived = {name: Derived(parse_expression(text)) for name, text in prepare.derive.items()}
    kept = tuple(name for name in (*there, *derived) if name not in prepare.drop)
    return NumericColumns(tuple(numeric), dates, derived, kept)
