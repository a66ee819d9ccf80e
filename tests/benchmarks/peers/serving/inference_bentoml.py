"""The model behind an `@bentoml.api`, as a service of BentoML's documentation. `bentoml serve` runs it in its folder.

The body is JSON, `{"rows": [[...]]}`. The variable `RONDO_BENCH_MODEL` is the path of the model.
"""

import os
from pathlib import Path

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(traffic={"timeout": 30})
class Scores:
    """Trees with an input `x` of shape [N, 20]."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        content = Path(os.environ["RONDO_BENCH_MODEL"]).read_bytes()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    @bentoml.api
    def score(self, rows: np.ndarray) -> np.ndarray:
        return self._session.run(None, {"x": rows.astype(np.float32)})[1][:, 1]
