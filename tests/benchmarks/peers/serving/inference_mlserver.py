"""The model in MLServer, as a custom runtime of its documentation: over REST, gRPC, and Kafka where a broker is named.

One process answers: `parallel_workers` is 0. Nothing is logged. Metrics are on, which is its default.
Run as `python inference_mlserver.py <model> <HTTP port> <gRPC port> [<broker> <requests> <answers>]`, with the
interpreter of the environment `mlserver`.
"""

from __future__ import annotations

import logging
import socket
import sys
import tempfile
from pathlib import Path

import onnxruntime
import uvloop
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    """An ONNX graph with an input for each tensor of a request."""

    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        content = Path(self.settings.parameters.uri).read_bytes()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._outputs = [each.name.removeprefix("output.") for each in self._session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        feeds = {each.name: self.decode(each, default_codec=NumpyCodec) for each in payload.inputs}
        outputs = zip(self._outputs, self._session.run(None, feeds), strict=True)
        encoded = [NumpyCodec.encode_output(name, values) for name, values in outputs]
        return InferenceResponse(model_name=self.name, outputs=encoded)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


async def serve(model: str, http_port: int, grpc_port: int, folder: str, *kafka: str) -> None:
    over_kafka = dict(zip(("kafka_servers", "kafka_topic_input", "kafka_topic_output"), kafka, strict=False))
    settings = Settings(
        host="127.0.0.1", http_port=http_port, grpc_port=grpc_port, metrics_port=free_port(), metrics_dir=folder,
        debug=False, parallel_workers=0, kafka_enabled=bool(kafka), **over_kafka,
    )  # fmt: skip
    server = MLServer(settings)
    logging.disable(logging.CRITICAL)
    await server.start([ModelSettings(name="bench", implementation=OnnxModel, parameters=ModelParameters(uri=model))])


def main(model: str, http_port: str, grpc_port: str, *kafka: str) -> None:
    """Serve until stopped."""
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(serve(model, int(http_port), int(grpc_port), folder, *kafka))


if __name__ == "__main__":
    main(*sys.argv[1:])
