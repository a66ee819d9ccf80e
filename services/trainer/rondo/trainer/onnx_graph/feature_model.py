"""The model that a graph is built from: it maps the features of rows to raw predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol

from rondo.chassis.onnx_document import ML
from rondo.trainer.estimators.base import ML_OPSET
from rondo.trainer.onnx_graph.operators import newest

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
    """A fitted model that takes features as a request sends them."""

    @property
    def features(self) -> Mapping[str, Feature]:
        """The inputs, in their order."""
        ...

    @property
    def opsets(self) -> Mapping[str, int]:
        """The version of the operators that the nodes need, by domain. The domain of ONNX is ""."""
        ...

    @property
    def native(self) -> bool:
        """True if `predict` uses the library that fitted the model, and not the operators of `onnx_nodes`."""
        ...

    def predict(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        """Return the raw predictions of rows, as `estimators.base.FittedModel` does.

        Raises:
            MissingColumnsError: a feature is no column of `rows`.

        """
        ...

    def onnx_nodes(self, raw: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes that compute `raw`, float32 `[N, width]`, from the features, each a tensor of its name.

        Names of intermediate tensors contain a dot, unlike names of features, and do not begin with `output.`.
        """
        ...


@dataclass(frozen=True)
class PreparedModel:
    """`FeatureModel` of a preparation and the model that was fitted to its matrix.

    `versions` are the versions of the operators that the model's own nodes need, if they are newer than ours. `known`
    are rows and their matrix: these rows are not prepared again, and are predicted only once.
    """

    preparation: Preparation
    fitted: FittedModel
    versions: Mapping[str, int] = field(default_factory=dict)
    native: bool = True
    known: tuple[pl.DataFrame, NDArray[np.float32]] | None = field(default=None, compare=False, repr=False)

    @property
    def features(self) -> Mapping[str, Feature]:
        return self.preparation.features

    @property
    def opsets(self) -> Mapping[str, int]:
        return newest([versions_for(self.preparation), self.versions])

    def predict(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        if self.known is not None and rows is self.known[0]:
            return self._of_known
        return self.fitted.predict(self.preparation.apply(rows))

    @cached_property
    def _of_known(self) -> NDArray[np.float64]:
        assert self.known is not None  # noqa: S101 - the caller's condition
        return self.fitted.predict(self.known[1])

    def onnx_nodes(self, raw: str) -> list[onnx.NodeProto]:
        matrix = "matrix.encoded"
        return [*self.preparation.onnx_nodes(matrix), *self.fitted.onnx_nodes(matrix, raw)]


@dataclass(frozen=True)
class ComparedModel:
    """`FeatureModel` of a graph, and the raw predictions of the model that it was made of for some rows.

    The user's function gives both. `raw` has the shape `[rows, width]`. Only its process can predict other rows.
    """

    native: ClassVar[bool] = False

    graph: FeatureModel
    rows: pl.DataFrame
    raw: NDArray[np.float64]

    @property
    def features(self) -> Mapping[str, Feature]:
        return self.graph.features

    @property
    def opsets(self) -> Mapping[str, int]:
        return self.graph.opsets

    def predict(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        return self.graph.predict(rows)

    def onnx_nodes(self, raw: str) -> Sequence[onnx.NodeProto]:
        return self.graph.onnx_nodes(raw)


def versions_for(preparation: Preparation) -> dict[str, int]:
    """Return the versions of the operators, by domain, that the nodes of a preparation and of trees need."""
    return {"": preparation.opset, ML: ML_OPSET}
