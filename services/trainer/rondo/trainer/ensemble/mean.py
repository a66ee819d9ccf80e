"""The weighted mean of several models, as one model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from rondo.trainer.ensemble import members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.trainer.ensemble.members import Member
    from rondo.trainer.onnx_graph.feature_model import FeatureModel


@dataclass(frozen=True)
class WeightedMean:
    """`FeatureModel` of models with weights, which add up to 1. The sum is computed with doubles.

    `graphs` are the models as graphs with the same versions of operators. `known` are rows and the raw predictions of
    each model for them: these rows are not predicted again.
    """

    features: Mapping[str, Feature]
    opsets: Mapping[str, int]
    models: Sequence[FeatureModel | Member]
    graphs: Sequence[onnx.ModelProto]
    weights: Sequence[float]
    known: tuple[pl.DataFrame, Sequence[NDArray[np.float64]]] | None = field(default=None, compare=False, repr=False)

    @property
    def native(self) -> bool:
        return any(model.native for model in self.models)

    def predict(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        is_known = self.known is not None and rows is self.known[0]
        raw = self.known[1] if self.known and is_known else (model.predict(rows) for model in self.models)
        shares = (
            weight * each.astype(np.float32).astype(np.float64) for each, weight in zip(raw, self.weights, strict=True)
        )
        total = next(shares)
        for share in shares:
            total = total + share
        return total

    def onnx_nodes(self, raw: str) -> list[onnx.NodeProto]:
        nodes: list[onnx.NodeProto] = []
        total = ""
        for index, (graph, weight) in enumerate(zip(self.graphs, self.weights, strict=True)):
            tensor, prefix = members.raw_tensor(index), f"mean.{index}."
            nodes += members.prefixed_nodes(graph, members.prefix(index), tensor)
            double, share, at = f"{prefix}double", f"{prefix}share", f"{prefix}weight"
            value = helper.make_tensor(at, TensorProto.DOUBLE, [], [weight])
            nodes += [
                helper.make_node("Cast", [tensor], [double], name=double, to=TensorProto.DOUBLE),
                helper.make_node("Constant", [], [at], name=at, value=value),
                helper.make_node("Mul", [double, at], [share], name=share),
            ]
            if total:
                nodes.append(helper.make_node("Add", [total, share], [f"{prefix}total"], name=f"{prefix}total"))
            total = f"{prefix}total" if total else share
        return [*nodes, helper.make_node("Cast", [total], [raw], name=raw, to=TensorProto.FLOAT)]
