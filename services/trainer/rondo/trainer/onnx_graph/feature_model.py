"""A model as a graph needs it: from the features of rows to raw predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rondo.trainer.estimators.base import ML_OPSET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.trainer.estimators.base import FittedModel
    from rondo.trainer.preparation.preparation import Preparation


class FeatureModel(Protocol):
    """A fitted model that takes features as they are sent."""

    @property
    def features(self) -> Mapping[str, Feature]:
        """The inputs, in their order."""
        ...

    @property
    def opsets(self) -> Mapping[str, int]:
        """The version of the operators that the nodes need, by their domain; "" is that of ONNX."""
        ...

    def predict(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        """Return the raw predictions of rows, as `estimators.base.FittedModel` has them.

        Raises:
            MissingColumnsError: a feature is no column of `rows`.

        """
        ...

    def onnx_nodes(self, raw: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes that compute `raw`, float32 `[N, width]`, from the features, each a tensor of its name.

        Names of tensors in between contain a dot, which no feature's does, and do not begin with `output.`.
        """
        ...


@dataclass(frozen=True)
class PreparedModel:
    """`FeatureModel` of a preparation and the model that was fitted to its matrix."""

    preparation: Preparation
    fitted: FittedModel

    @property
    def features(self) -> Mapping[str, Feature]:
        return self.preparation.features

    @property
    def opsets(self) -> Mapping[str, int]:
        return {"": self.preparation.opset, "ai.onnx.ml": ML_OPSET}

    def predict(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        return self.fitted.predict(self.preparation.apply(rows))

    def onnx_nodes(self, raw: str) -> list[onnx.NodeProto]:
        matrix = "matrix.encoded"
        return [*self.preparation.onnx_nodes(matrix), *self.fitted.onnx_nodes(matrix, raw)]
