"""Scores rows with onnxruntime, as serving does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ERRORS_ONLY = 3


class Scorer:
    """Scores with at most `threads` threads."""

    def __init__(self, threads: int) -> None:
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.log_severity_level = ERRORS_ONLY

    def __call__(
        self, model: bytes, inputs: Mapping[str, NDArray[np.float32] | NDArray[np.object_]]
    ) -> NDArray[np.float32]:
        """Return the scores, shape `[rows]`, of inputs of shape `[rows, 1]`. Inputs that the model lacks are ignored.

        The model is one that this trainer built, or a champion, which the registry checked before it was promoted.
        """
        session = onnxruntime.InferenceSession(model, self._options, providers=["CPUExecutionProvider"])
        wanted = {value.name for value in session.get_inputs()}
        given = {name: values for name, values in inputs.items() if name in wanted}
        return np.asarray(session.run(["score"], given)[0], dtype=np.float32).reshape(-1)
