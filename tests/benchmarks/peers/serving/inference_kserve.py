"""The model in KServe's own server, as a custom model of its documentation, over REST.

One worker answers, with the server's defaults but no gRPC. Nothing is logged.
Run as `python inference_kserve.py <model> <port>`, with the interpreter of the environment `kserve`.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import kserve
import onnxruntime
from kserve.utils.utils import generate_uuid


class OnnxModel(kserve.Model):
    """An ONNX graph with an input for each tensor of a request."""

    def __init__(self, model: str) -> None:
        super().__init__("bench")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        content = Path(model).read_bytes()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.ready = True

    async def predict(self, payload: kserve.InferRequest, *_: object, **__: object) -> kserve.InferResponse:
        feeds = {each.name: each.as_numpy() for each in payload.inputs}
        outputs = []
        for name, values in zip(("score", "label"), self._session.run(None, feeds), strict=True):
            output = kserve.InferOutput(name, list(values.shape), "FP32" if name == "score" else "INT64")
            output.set_data_from_numpy(values, binary_data=False)
            outputs.append(output)
        return kserve.InferResponse(payload.id or generate_uuid(), self.name, outputs)


def main(model: str, port: str) -> None:
    """Serve until stopped."""
    server = kserve.ModelServer(http_port=int(port), workers=1, enable_grpc=False)
    logging.disable(logging.CRITICAL)
    server.start([OnnxModel(model)])


if __name__ == "__main__":
    main(*sys.argv[1:])
