"""Predicts rows with onnxruntime, as serving does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from rondo.trainer.onnx_graph.errors import GraphFailedError, lacks_memory, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rondo.trainer.preparation.inputs import Inputs

ERRORS_ONLY = 3
_OUTPUT = "output."


class Scorer:
    """Scores with at most `threads` threads."""

    def __init__(self, threads: int) -> None:
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.log_severity_level = ERRORS_ONLY
        # Threads that spin while they wait use processor time that other threads of a training need. With two threads,
        # they double the processor time of a run.
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    def __call__(self, model: bytes, inputs: Inputs) -> dict[str, NDArray[Any]]:
        """Score rows, as `loaded` does."""
        return self.loaded(model)(inputs)

    def loaded(self, model: bytes) -> Callable[[Inputs], dict[str, NDArray[Any]]]:
        """Return a function that scores inputs of shape `[rows, 1]` by a model, which is loaded once.

        The function returns the outputs by name. Numbers and labels have the shape `[rows]`, probabilities
        `[rows, classes]`.

        The model has to be trusted: this trainer built it, or it is a champion, which the registry has checked.
        """
        return partial(_outputs, onnxruntime.InferenceSession(model, self._options, providers=["CPUExecutionProvider"]))


def _outputs(session: onnxruntime.InferenceSession, inputs: Inputs) -> dict[str, NDArray[Any]]:
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
