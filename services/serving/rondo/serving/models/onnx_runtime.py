"""ONNX models in onnxruntime: loaded from bytes alone, held against the route's signature, warmed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnxruntime

from rondo.serving.models.external_data import has_external_data
from rondo.serving.requests.limits import example

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.schema import Column

Columns: TypeAlias = "Mapping[str, Column]"
_NUMBER, _TEXT = "tensor(float)", "tensor(string)"
_WARM_UP_ROWS = 2


class UnfitModelError(ValueError):
    """The artifact is no model that this service can run for the route; the text says why and what to do."""


class OnnxModel:
    """One model: named columns in, one score per row out. `score` may be called from several threads at once."""

    def __init__(self, content: bytes, features: Mapping[str, Feature], threads: int = 1) -> None:
        """Load the model and infer once.

        Raises:
            UnfitModelError: it can't be loaded, keeps data outside of itself, asks for other inputs than the
                route's features, or does not answer with one finite float32 per row.

        """
        self._session = _session(content, threads)
        _check_inputs(self._session, features)
        _check_output(self._session)
        self._check_answer(features)

    def score(self, columns: Columns) -> NDArray[np.float32]:
        """Return the scores, shape [N], of N rows given as one column of shape [N] per feature."""
        feeds = {name: column.reshape(-1, 1) for name, column in columns.items()}
        scores: NDArray[np.float32] = self._session.run(["score"], feeds)[0]
        return scores.reshape(-1)

    def _check_answer(self, features: Mapping[str, Feature]) -> None:
        try:
            scores = self.score({name: _two_rows(feature) for name, feature in features.items()})
        except Exception as error:  # onnxruntime raises bare Exceptions of its own making
            message = f"the warm-up inference failed ({error}); train again"
            raise UnfitModelError(message) from error
        if scores.shape != (_WARM_UP_ROWS,) or not np.isfinite(scores).all():
            message = f"the warm-up inference gave {scores!r:.200}, not one finite score per row; train again"
            raise UnfitModelError(message)


def _session(content: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads sleep: the cores belong to Kafka, the event loop and the neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        outside = has_external_data(content)
        if not outside:
            return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        message = f"the artifact can't be loaded as an ONNX model ({error}); train again"
        raise UnfitModelError(message) from error
    message = "the model keeps data outside of its own bytes, which is never read; export it in one piece"
    raise UnfitModelError(message)


def _check_inputs(session: Any, features: Mapping[str, Feature]) -> None:
    wanted = {name: _TEXT if feature.type == "category" else _NUMBER for name, feature in features.items()}
    found = {node.name: node.type for node in session.get_inputs()}
    if found == wanted:
        return
    faults = [f"it lacks the input {name}" for name in sorted(wanted.keys() - found.keys())]
    faults += [f"it asks for {name}, which is no feature" for name in sorted(found.keys() - wanted.keys())]
    faults += [
        f"{name} is {found[name]} and should be {wanted[name]}"
        for name in sorted(found.keys() & wanted.keys())
        if found[name] != wanted[name]
    ]
    message = f"its inputs are not the route's features: {'; '.join(faults)}; train again with the spec in force"
    raise UnfitModelError(message)


def _check_output(session: Any) -> None:
    found = {node.name: node.type for node in session.get_outputs()}
    if found.get("score") != _NUMBER:
        message = f"it has no output `score` of {_NUMBER} (it has {found}); train again"
        raise UnfitModelError(message)


def _two_rows(feature: Feature) -> Column:
    if feature.type == "category":
        return np.array([example(feature), ""], dtype=np.object_)
    return np.array([example(feature), np.nan], dtype=np.float32)
