"""Scores rows with onnxruntime, as serving does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnx import TensorProto, external_data_helper, load_from_string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ERRORS_ONLY = 3


class ExternalDataError(ValueError):
    """A model would read files beside it, which may be any file of this machine (CVE-2022-25882 and its successors)."""

    def __init__(self) -> None:
        super().__init__("the model keeps data in a file beside it, and is refused: export it as one file")


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

        Raises:
            ExternalDataError: the model refers to other files.

        """
        refuse_external_data(model)
        session = onnxruntime.InferenceSession(model, self._options, providers=["CPUExecutionProvider"])
        wanted = {value.name for value in session.get_inputs()}
        given = {name: values for name, values in inputs.items() if name in wanted}
        return np.asarray(session.run(["score"], given)[0], dtype=np.float32).reshape(-1)


def refuse_external_data(model: bytes) -> None:
    """Look through all tensors of a model, those in attributes and subgraphs included.

    Raises:
        ExternalDataError: one of them is in another file.

    """
    tensors = external_data_helper._get_all_tensors(load_from_string(model))  # noqa: SLF001 - the only complete walk
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in tensors):
        raise ExternalDataError
