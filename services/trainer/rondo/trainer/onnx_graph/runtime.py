"""Predicts rows with onnxruntime, as serving does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from rondo.trainer.onnx_graph.errors import GraphFailedError, lacks_memory, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ERRORS_ONLY = 3
_OUTPUT = "output."


class Scorer:
    """Scores with at most `threads` threads."""

    def __init__(self, threads: int) -> None:
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.log_severity_level = ERRORS_ONLY

    def __call__(
        self, model: bytes, inputs: Mapping[str, NDArray[np.float32] | NDArray[np.object_]]
    ) -> dict[str, NDArray[Any]]:
        """Return the outputs by name, of inputs of shape `[rows, 1]`. Inputs that the model lacks are ignored.

        Numbers and labels have the shape `[rows]`, probabilities `[rows, classes]`.

        The model is one that this trainer built, or a champion, which the registry checked before it was promoted.

        Raises:
            GraphFailedError: the graph fails on a row, such as on a category that it does not know.

        """
        session = onnxruntime.InferenceSession(model, self._options, providers=["CPUExecutionProvider"])
        wanted = {value.name for value in session.get_inputs()}
        given = {name: values for name, values in inputs.items() if name in wanted}
        names = [value.name for value in session.get_outputs()]
        try:
            outputs = session.run(names, given)
        except (Fail, InvalidArgument, RuntimeException) as error:
            if lacks_memory(str(error)):
                raise
            raise GraphFailedError(reason_of(str(error))) from error
        found = zip(names, outputs, strict=True)
        return {name.removeprefix(_OUTPUT): _flat(name, np.asarray(values)) for name, values in found}


def _flat(name: str, values: NDArray[Any]) -> NDArray[Any]:
    return values if name == f"{_OUTPUT}probabilities" else values.reshape(-1)
