"""Open Inference Protocol v2, as values: scores to JSON, and what a model takes and gives.

The ids come back beside the scores, for outcomes to refer to, and with each row the version that answered it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rondo.serving.http.v2.protocol import ID, OUTPUTS, VERSION
from rondo.serving.http.v2.tensors import DATATYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rondo.contracts.spec.model import Feature
    from rondo.serving.inference.service import Scores

_OUTPUT_TYPES = dict(zip(OUTPUTS, ("FP32", "BYTES", "BYTES"), strict=True))


def answer(model: str, request_id: str, ids: Sequence[str], scored: Scores, wanted: Collection[str]) -> bytes:
    """Write the response with the outputs that are wanted. Where several versions answered, none is named for all."""
    data = {
        "score": [float(f"{score:.9g}") for score in scored.scores.tolist()],
        ID: ids,
        VERSION: [str(number) for number in scored.versions],
    }
    outputs = [
        {"name": name, "shape": [len(ids), 1], "datatype": _OUTPUT_TYPES[name], "data": data[name]} for name in wanted
    ]
    response: dict[str, Any] = {"model_name": model, "id": request_id, "outputs": outputs}
    if len(set(scored.versions)) == 1:
        response["model_version"] = str(scored.versions[0])
    return msgspec.json.encode(response)


def metadata(model: str, versions: Sequence[int], features: Mapping[str, Feature]) -> dict[str, Any]:
    """Return what `GET /v2/models/<model>` says."""
    inputs = {name: DATATYPES[feature.type] for name, feature in features.items()}
    return {
        "name": model, "versions": [str(version) for version in versions], "platform": "onnx_onnxruntime",
        "inputs": _described(inputs), "outputs": _described(_OUTPUT_TYPES),
    }  # fmt: skip


def _described(tensors: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "datatype": datatype, "shape": [-1, 1]} for name, datatype in tensors.items()]
