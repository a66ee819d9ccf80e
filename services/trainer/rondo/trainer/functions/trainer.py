"""Trains with a function: calls it, reads the graph that it returns, and prepends the preparation if necessary.

A graph with one input `[N, columns]` takes the matrix of the spec's `prepare`. A graph with an input of shape `[N, 1]`
for each feature takes the features as a request sends them. If the function returns its own predictions, too, they
are compared with those of the graph.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.training import FunctionVersion
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.registry import task_named
from rondo.trainer.external_models import document
from rondo.trainer.external_models.errors import ExternalModelError
from rondo.trainer.external_models.feature_model import ExternalFeatureModel
from rondo.trainer.external_models.model import read_model
from rondo.trainer.external_models.outputs import check_rows_alone
from rondo.trainer.functions import packages
from rondo.trainer.functions.context import FunctionContext
from rondo.trainer.functions.errors import FunctionModelError, NoPredictionsError, UnfaithfulGraphError
from rondo.trainer.functions.exchange import ComparedRows, Request, Texts
from rondo.trainer.functions.process import run_function
from rondo.trainer.onnx_graph import operators, parity
from rondo.trainer.onnx_graph.feature_model import ComparedModel, PreparedModel, versions_for
from rondo.trainer.onnx_graph.operators import OperatorVersionError
from rondo.trainer.preparation import inputs, levels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.external_models.model import RunGraph
    from rondo.trainer.external_models.outputs import RawOutput
    from rondo.trainer.onnx_graph.feature_model import FeatureModel
    from rondo.trainer.preparation.preparation import Preparation

_SAMPLE_ROWS = 200


class Functions:
    """`ports.FunctionTrainer` of the packages in `folder`. It is None if the operator has set no folder.

    A function may use `threads` threads and `seconds` seconds. `run` runs the graph that it returns.
    """

    def __init__(self, folder: Path | None, threads: int, seconds: float, run: RunGraph) -> None:
        self._folder = folder
        self._threads = threads
        self._seconds = seconds
        self._run = run

    def version(self, function: str) -> FunctionVersion:
        package = packages.find(self._folder, function)
        return FunctionVersion(function=function, package=package.path.name, digest=package.digest())

    def fit(
        self,
        spec: ModelSpec,
        classes: tuple[str, ...],
        rows: pl.DataFrame,
        preparation: Preparation,
        matrix: NDArray[np.float32],
        targets: NDArray[np.float32],
    ) -> FeatureModel:
        trainer, function = spec.trainer, spec.trainer.function or ""
        context = FunctionContext(
            task=spec.task,
            target=task_named(spec.task).target,
            classes=classes,
            seed=trainer.seed,
            params=trainer.params,
            threads=self._threads,
            matrix=matrix,
            matrix_columns=preparation.columns,
        )
        package = packages.find(self._folder, function)
        compared = parity.ordinary_rows(spec.features, rows, trainer.seed)
        beside = ComparedRows(columns_of(spec.features, compared), preparation.apply(compared))
        request = Request(columns_of(spec.features, rows), targets, context, beside)
        returned = run_function(package, function, request, self._seconds)
        try:
            made, output = self._model(returned.model, spec, classes, rows.tail(_SAMPLE_ROWS), preparation)
            graph = made.predict(compared) if returned.predictions is not None else None
        except (ExternalModelError, OperatorVersionError) as error:
            raise FunctionModelError(function, error.code, str(error)) from error
        if returned.predictions is None or graph is None:
            return made
        if (width := math.prod(returned.predictions.shape[1:])) != output.found:
            raise NoPredictionsError(function, f"{width:,} columns, and the output of the graph has {output.found:,}")
        raw = output.take(returned.predictions)
        try:
            parity.compare_raw(context.target, raw, graph, compared)
        except parity.ParityError as error:
            raise UnfaithfulGraphError(function, error.difference, error.row) from error
        return ComparedModel(made, compared, raw)

    def _model(
        self, content: bytes, spec: ModelSpec, classes: tuple[str, ...], sample: pl.DataFrame, preparation: Preparation
    ) -> tuple[FeatureModel, RawOutput]:
        model, target = document.parse(content), task_named(spec.task).target
        if not _takes_a_matrix(model, spec.features):
            sent = inputs.onnx_inputs(spec.features, sample)
            external = read_model(content, spec.features, target, classes, sent, self._run)
            made: FeatureModel = ExternalFeatureModel(spec.features, external)
        else:
            # Our own nodes are valid in all newer versions.
            content = operators.convert(model, versions_for(preparation)).SerializeToString(deterministic=True)
            prepared, numbers = preparation.apply(sample), Feature(type="float", optional=True)
            rows = {name: prepared[:, [at]] for at, name in enumerate(preparation.columns)}
            external = read_model(content, dict.fromkeys(rows, numbers), target, classes, rows, self._run)
            made = PreparedModel(preparation, external, external.opsets, native=False)
        raw = made.predict(sample)
        external.output.check(target, raw)
        check_rows_alone(made.predict, sample, raw)
        return made, external.output


def _takes_a_matrix(model: onnx.ModelProto, features: Mapping[str, Feature]) -> bool:
    """Return whether a graph has a single input that is no feature."""
    initialized = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in initialized]
    return len(names) == 1 and names[0] not in features


def columns_of(features: Mapping[str, Feature], rows: pl.DataFrame) -> dict[str, NDArray[np.float32] | Texts]:
    """Return the features of rows as a function gets them."""
    return {
        name: _texts(inputs.category(rows, name)) if feature.type == "category" else inputs.number(rows, name)
        for name, feature in features.items()
    }


def _texts(text: pl.Series) -> Texts:
    known = levels.distinct(text)
    return Texts(known, levels.positions(text, known).astype(np.int32))
