"""ONNX models in onnxruntime: loaded from bytes, and checked against the signature of their route.

The registry checks a model once, at registration, that it is valid and keeps no data in other files; its digest proves
that these are the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.rows import Column

_NUMBER, _TEXT = "tensor(float)", "tensor(string)"


class UnfitModelError(ValueError):
    """The artifact is not a model that this service can run for the route."""

    code: ClassVar[str] = "unfit_model"


class OnnxModel:
    """One model: named columns in, one score per row out. Several threads may call `score` concurrently."""

    def __init__(self, content: bytes, features: Mapping[str, Feature], threads: int = 1) -> None:
        """Load the model.

        Raises:
            UnfitModelError: it can't be loaded, has other inputs than the route's features, or no output `score`.

        """
        self._session = _session(content, threads)
        _check_inputs(self._session, features)
        self._outputs = [_score_output(self._session)]

    def score(self, columns: Mapping[str, Column]) -> NDArray[np.float32]:
        """Return the scores, shape [N], of N rows given as one column of shape [N] per feature."""
        feeds = {name: column.reshape(-1, 1) for name, column in columns.items()}
        scores: NDArray[np.float32] = self._session.run(self._outputs, feeds)[0]
        return scores.reshape(-1)


def _session(content: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads sleep: the cores belong to Kafka, the event loop and the neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises bare Exceptions
        message = f"the artifact can't be loaded as an ONNX model ({error}); train again"
        raise UnfitModelError(message) from error


def _check_inputs(session: Any, features: Mapping[str, Feature]) -> None:
    wanted = {name: _TEXT if feature.type == "category" else _NUMBER for name, feature in features.items()}
    found = {node.name: node.type for node in session.get_inputs()}
    if found == wanted:
        return
    faults = [f"it lacks the input {name}" for name in sorted(wanted.keys() - found.keys())]
    faults += [f"its input {name} is not a feature" for name in sorted(found.keys() - wanted.keys())]
    faults += [
        f"{name} is {found[name]} and should be {wanted[name]}"
        for name in sorted(found.keys() & wanted.keys())
        if found[name] != wanted[name]
    ]
    message = f"its inputs are not the route's features: {'; '.join(faults)}; train again with the spec in force"
    raise UnfitModelError(message)


def _score_output(session: Any) -> str:
    found = {node.name: node.type for node in session.get_outputs()}
    for name in ("output.score", "score"):
        if found.get(name) == _NUMBER:
            return name
    message = f"it has no output `output.score` of {_NUMBER} (it has {found}); train again"
    raise UnfitModelError(message)
