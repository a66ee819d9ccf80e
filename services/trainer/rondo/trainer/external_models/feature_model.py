"""A model made elsewhere that takes features as a request sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rondo.trainer.preparation import inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.trainer.external_models.model import ExternalModel


@dataclass(frozen=True)
class ExternalFeatureModel:
    """`onnx_graph.feature_model.FeatureModel` of a graph whose columns are the features."""

    native: ClassVar[bool] = False

    features: Mapping[str, Feature]
    model: ExternalModel

    @property
    def opsets(self) -> Mapping[str, int]:
        return self.model.opsets

    def predict(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        return self.model.predict_columns(inputs.onnx_inputs(self.features, rows))

    def onnx_nodes(self, raw: str) -> list[onnx.NodeProto]:
        return self.model.onnx_nodes_of_columns(raw)
