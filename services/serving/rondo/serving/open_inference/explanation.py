"""The response of a request for explanations, in the form of the response of an inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from rondo.serving.explanations.options import MARGIN
from rondo.serving.open_inference.names import ID, VERSION
from rondo.serving.open_inference.response import described, json_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.serving.explanations.service import Explained
    from rondo.serving.open_inference.inference_call import InferenceCall
    from rondo.serving.outputs.schema import OutputSchema

_TENSORS = ("shapley", "standard_error", "base")


def names(schema: OutputSchema) -> tuple[str, ...]:
    """Return the names of the outputs that a request may ask for."""
    return (*(f"{schema.explained.name}.{name}" for name in _TENSORS), ID, VERSION)


def encode(call: InferenceCall, rows: Sequence[Explained]) -> bytes:
    """Return the body of a response for at least one row, with the outputs that the request asks for.

    The response has the Shapley values of the explained output, shape [N, features] or [N, features, labels], their
    standard errors, and the base to which they are added, shape [N, 1] or [N, labels]. `parameters.method` is the
    method: `tree` or `exact`, with errors of 0, or `sampled`. `parameters.output` is `margin` if the margin is
    explained. `parameters.warnings` has the ignored names of the request, as in a response of an inference.
    """
    first, count, features = rows[0], len(rows), list(call.served.schema.features)
    labels = list(first.version.outputs.labels) if first.output.kind == "probabilities" else []
    parameters: dict[str, Any] = {"features": features} | ({"labels": labels} if labels else {})
    wide = [len(labels)] if labels else []
    shapes = ([len(features), *wide], [len(features), *wide], wide or [1])
    values = zip(*((each.shapley.values, each.shapley.errors, each.shapley.base) for each in rows), strict=True)
    outputs: list[Any] = [
        {
            "name": f"{first.output.name}.{name}", "datatype": "FP32", "shape": [count, *shape],
            "parameters": parameters, "data": json_data(np.asarray(of_rows, np.float32).ravel()),
        }
        for name, shape, of_rows in zip(_TENSORS, shapes, values, strict=True)
    ]  # fmt: skip
    versions = [str(each.version.model_version) for each in rows]
    outputs += [described(ID, "BYTES", count) | {"data": call.rows.ids}]
    outputs += [described(VERSION, "BYTES", count) | {"data": versions}]
    asked = [output for output in outputs if output["name"] in call.requested]
    how = {"method": first.method} | ({"output": MARGIN} if first.margin else {})
    how |= {"warnings": "\n".join(warnings)} if (warnings := call.warnings()) else {}
    about = {"model_name": call.served.model, "id": call.request_id, "parameters": how}
    return msgspec.json.encode(about | {"outputs": asked})
