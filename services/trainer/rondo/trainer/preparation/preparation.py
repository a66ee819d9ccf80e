"""The preparation of a model: from the features of rows to the matrix that an estimator sees.

A number stays as it is, as float32. A missing number is NaN, which estimator and ONNX graph send down the branch that
was learned for missing values. A category becomes numbers; trees then need only `<=` tests, which every ONNX runtime
has, and LightGBM's own categorical splits are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from rondo.trainer.preparation import inputs, target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.trainer.preparation.target import TargetEncoding


@dataclass(frozen=True, eq=False)
class Preparation:
    """The features in the order of the signature, and the encodings of those that are categories."""

    features: dict[str, Feature]
    encodings: dict[str, TargetEncoding]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the matrix."""
        return tuple(
            column
            for name in self.features
            for column in (self.encodings[name].names(name) if name in self.encodings else (name,))
        )

    def apply(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        """Return the matrix of rows, shape `[rows, columns]`.

        Raises:
            MissingColumnsError: a feature is no column of `rows`.

        """
        inputs.check_columns(self.features, rows)
        return _joined(
            self.encodings[name].apply(inputs.text(rows, name)) if name in self.encodings else inputs.number(rows, name)
            for name in self.features
        )

    def onnx_nodes(self, matrix: str) -> list[onnx.NodeProto]:
        """Return the nodes from the features, each a tensor of its name, to `matrix`, float32 `[N, columns]`."""
        encoded = {name: f"encoded.{name}" for name in self.encodings}
        nodes = [node for name, encoding in self.encodings.items() for node in encoding.onnx_nodes(name, encoded[name])]
        columns = [encoded.get(name, name) for name in self.features]
        return [*nodes, helper.make_node("Concat", columns, [matrix], name=matrix, axis=1)]


def fit(
    features: Mapping[str, Feature], rows: pl.DataFrame, targets: NDArray[np.float32]
) -> tuple[Preparation, NDArray[np.float32]]:
    """Fit to training rows, and return the preparation and the matrix to fit an estimator to.

    `targets`, shape `[rows, targets]`, are what target encoding takes the means of: 0 or 1, a 0 or 1 for each class, or
    a value. The matrix is not what `apply` returns for the same rows: see `target`.

    Raises:
        MissingColumnsError: a feature is no column of `rows`.

    """
    inputs.check_columns(features, rows)
    names = [name for name, feature in features.items() if feature.type == "category"]
    fitted = {name: target.fit(inputs.text(rows, name), targets) for name in names}
    blocks = (fitted[name][1] if name in fitted else inputs.number(rows, name) for name in features)
    return Preparation(dict(features), {name: encoding for name, (encoding, _) in fitted.items()}), _joined(blocks)


def _joined(blocks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.column_stack(list(blocks)).astype(np.float32, copy=False)
