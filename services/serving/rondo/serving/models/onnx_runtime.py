"""ONNX models in onnxruntime: loaded from bytes, and checked against the signature of their route.

The outputs of a model are in its metadata (`FittedTask.METADATA`). The registry checks once, at registration, that a
model is valid and keeps no data in other files. The digest proves that the bytes are the same.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import onnxruntime

from rondo.contracts.model_metadata import BACKGROUND
from rondo.contracts.tasks.base import FittedTask
from rondo.serving.outputs.schema import OutputSchema
from rondo.serving.requests.schema import text_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.tasks.base import OutputKind
    from rondo.serving.outputs.schema import Outputs
    from rondo.serving.requests.rows import Column

_NUMBER, _TEXT = "tensor(float)", "tensor(string)"
_TYPES: Mapping[OutputKind, str] = {"number": _NUMBER, "label": "tensor(int64)", "probabilities": _NUMBER}


class UnfitModelError(ValueError):
    """The artifact is not a model that this service can run for the route."""

    code: ClassVar[str] = "unfit_model"


class OnnxModel:
    """One model. It takes columns by name and returns outputs by name.

    Several threads may call `score` concurrently.
    """

    def __init__(self, content: bytes, features: Mapping[str, Feature], threads: int = 1) -> None:
        """Load the model.

        Raises:
            UnfitModelError: the model can't be loaded, its inputs differ from the route's features, or its outputs
                differ from the task in its metadata.

        """
        self._session = open_session(content, threads)
        _check_inputs(self._session, features)
        self.outputs = _outputs(self._session)
        _check_outputs(self._session, self.outputs)
        self._features = features
        self._tensors = [output.tensor for output in self.outputs.outputs]

    @cached_property
    def background(self) -> Mapping[str, Column] | None:
        """The background values by feature, columns of the same length. None in an artifact without them."""
        written = self._session.get_modelmeta().custom_metadata_map.get(BACKGROUND)
        if written is None:
            return None
        values = json.loads(written)
        return {name: _background(values[name], feature) for name, feature in self._features.items()}

    def score(self, columns: Mapping[str, Column]) -> Outputs:
        """Return the outputs of N rows given as one column of shape [N] per feature."""
        feeds = {name: column.reshape(-1, 1) for name, column in columns.items()}
        found = self._session.run(self._tensors, feeds)
        return {
            output.name: values if output.kind == "probabilities" else values.reshape(-1)
            for output, values in zip(self.outputs.outputs, found, strict=True)
        }


def _background(values: Sequence[Any], feature: Feature) -> Column:
    return text_column(values) if feature.type == "category" else np.array(values, np.float32)


def open_session(content: bytes, threads: int) -> Any:
    """Return a session of onnxruntime for a model.

    Raises:
        UnfitModelError: the model can't be loaded.

    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads sleep, because Kafka, the event loop and other processes need the cores.
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


def _outputs(session: Any) -> OutputSchema:
    written = session.get_modelmeta().custom_metadata_map.get(FittedTask.METADATA)
    if written is None:
        message = f"its metadata has no {FittedTask.METADATA}, which says what it predicts; train again"
        raise UnfitModelError(message)
    try:
        return OutputSchema.of(FittedTask.model_validate_json(written))
    except ValueError as error:
        message = f"{FittedTask.METADATA} in its metadata can't be read ({error}); train again"
        raise UnfitModelError(message) from None


def _check_outputs(session: Any, schema: OutputSchema) -> None:
    wanted = {output.tensor: _TYPES[output.kind] for output in schema.outputs}
    found = {node.name: node.type for node in session.get_outputs()}
    if found != wanted:
        message = f"its outputs are {_listed(found)}, and its task has {_listed(wanted)}; train again"
        raise UnfitModelError(message)


def _listed(tensors: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in tensors.items()) or "none"
