# /// script
# requires-python = ">=3.11"
# dependencies = ["kserve==0.21.0"]
# ///
"""Prints what KServe's own clients get from a server. Arguments: its HTTP and gRPC addresses, a token and a model.

`uv run --script` gives it an environment of its own: the client wants an older protobuf than the project has.
"""

import asyncio
import json
import sys
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

DISTANCE, NIGHT = np.array([[1.5], [3]], np.float32), np.array([[True], [False]])


def request(model: str, *, binary: bool) -> InferRequest:
    inputs = [InferInput("distance", [2, 1], "FP32"), InferInput("night", [2, 1], "BOOL")]
    for tensor, values in zip(inputs, (DISTANCE, NIGHT), strict=True):
        tensor.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=inputs, request_id="r")


def outputs(answer: Any) -> dict[str, Any]:
    found = {output.name: output for output in answer.outputs}
    return {"id": answer.id, "score": found["score"].as_numpy().ravel().tolist(), "names": sorted(found)}


async def main() -> None:
    http, grpc, token, model = sys.argv[1:]
    headers = {"authorization": f"Bearer {token}"}
    rest, remote = InferenceRESTClient(RESTConfig(protocol="v2")), InferenceGRPCClient(grpc)
    metadata = tuple(headers.items())
    found = {
        f"{kind} binary={binary}": outputs(
            await rest.infer(f"http://{http}", request(model, binary=binary), model_name=model, headers=headers)
            if kind == "http"
            else await remote.infer(request(model, binary=binary), headers=metadata)
        )
        for kind in ("http", "grpc")
        for binary in (False, True)
    }
    found["ready"] = {
        "http": await rest.is_model_ready(f"http://{http}", model_name=model, headers=headers),
        "grpc": await remote.is_model_ready(model, headers=metadata),
        "live": await remote.is_server_live(headers=metadata),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
