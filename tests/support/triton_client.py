# /// script
# requires-python = ">=3.11"
# dependencies = ["tritonclient[grpc,http]==2.73.0"]
# ///
"""Prints what Triton's own clients get from a server. Arguments: its HTTP and gRPC addresses, a token and a model.

`uv run --script` gives it an environment of its own: the client wants an older protobuf than the project has.
"""

import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

DISTANCE, NIGHT = np.array([[1.5], [3]], np.float32), np.array([[True], [False]])
CARRIER = np.array([["AA"], ["Ü"]], np.object_)


def look(client: Any, library: Any, model: str, token: dict[str, str]) -> dict[str, Any]:
    """Return answers to every kind of call, as plain values."""
    inputs = []
    for name, values, datatype in (
        ("distance", DISTANCE, "FP32"), ("night", NIGHT, "BOOL"), ("carrier", CARRIER, "BYTES"),
    ):  # fmt: skip
        tensor = library.InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values)
        inputs.append(tensor)
    whole = client.infer(model, inputs, request_id="r", headers=token)
    score = client.infer(model, inputs, outputs=[library.InferRequestedOutput("score")], headers=token)
    return {
        "live": client.is_server_live(headers=token),
        "ready": client.is_server_ready(headers=token),
        "model_ready": client.is_model_ready(model, headers=token),
        "other_ready": client.is_model_ready("other", headers=token),
        "score": whole.as_numpy("score").ravel().tolist(),
        "ids": [str(each) for each in np.char.decode(whole.as_numpy("rondo.id").ravel().astype("S"), "utf-8")],
        "score_alone": score.as_numpy("score").ravel().tolist(),
        "not_asked_for": score.as_numpy("rondo.id") is None,
    }


def main() -> None:
    http, grpc, token, model = sys.argv[1:]
    # The HTTP client changes the headers that it is given, so each call gets its own.
    headers, metadata = ({"authorization": f"Bearer {token}"} for _ in range(2))
    over_http, over_grpc = triton_http.InferenceServerClient(http), triton_grpc.InferenceServerClient(grpc)
    found = {
        "http": look(over_http, triton_http, model, headers),
        "grpc": look(over_grpc, triton_grpc, model, metadata),
    }
    found["http"]["inputs"] = [each["name"] for each in over_http.get_model_metadata(model, headers=headers)["inputs"]]
    found["grpc"]["inputs"] = [each.name for each in over_grpc.get_model_metadata(model, headers=metadata).inputs]
    found["http"]["index"] = [each["name"] for each in over_http.get_model_repository_index(headers=headers)]
    found["grpc"]["index"] = [each.name for each in over_grpc.get_model_repository_index(headers=metadata).models]
    over_http.load_model(model, headers=headers)
    over_grpc.load_model(model, headers=metadata)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
