"""Open Inference Protocol v2: the response of an inference, and the metadata of a model.

A response returns the ids beside the scores, for outcomes to refer to, and the version that answered each row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from rondo.serving.http.v2.protocol import ID, OUTPUTS, VERSION
from rondo.serving.http.v2.tensors import DATATYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rondo.contracts.spec.model import Feature
    from rondo.serving.inference.service import Scored

_OUTPUT_TYPES = dict(zip(OUTPUTS, ("FP32", "BYTES", "BYTES"), strict=True))


def answer(
    model: str, request_id: str, ids: Sequence[str], scored: Sequence[Scored], requested: Collection[str]
) -> bytes:
    """Encode a response with the requested outputs. If several versions answered, it names none for all rows."""
    scores, versions = np.empty(len(ids), dtype=np.float32), [""] * len(ids)
    for part in scored:
        scores[part.numbers] = part.scores
        for row in part.numbers:
            versions[row] = str(part.version.model_version)
    data = {"score": [float(f"{score:.9g}") for score in scores.tolist()], ID: ids, VERSION: versions}
    outputs = [
        {"name": name, "shape": [len(ids), 1], "datatype": _OUTPUT_TYPES[name], "data": data[name]}
        for name in requested
    ]
    response: dict[str, Any] = {"model_name": model, "id": request_id, "outputs": outputs}
    if len(set(versions)) == 1:
        response["model_version"] = versions[0]
    return msgspec.json.encode(response)


def metadata(model: str, versions: Sequence[int], features: Mapping[str, Feature]) -> dict[str, Any]:
    """Return the body of `GET /v2/models/<model>`."""
    inputs = {name: DATATYPES[feature.type] for name, feature in features.items()}
    return {
        "name": model, "versions": [str(version) for version in versions], "platform": "onnx_onnxruntime",
        "inputs": _described(inputs), "outputs": _described(_OUTPUT_TYPES),
    }  # fmt: skip


def _described(tensors: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "datatype": datatype, "shape": [-1, 1]} for name, datatype in tensors.items()]
