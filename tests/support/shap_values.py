# /// script
# requires-python = ">=3.11"
# dependencies = ["shap==0.51.0", "onnxruntime==1.32.0", "numpy==2.4.6"]
# ///
"""Prints the exact Shapley values that shap has for rows of a model; arguments: an ONNX file, and a JSON file.

The JSON has `features`, `background` and `rows`, lists of numbers in the order of the features.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import shap


def main() -> None:
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    given = json.loads(Path(sys.argv[2]).read_text())

    def score(rows: np.ndarray) -> np.ndarray:
        feeds = {name: rows[:, [at]].astype(np.float32) for at, name in enumerate(given["features"])}
        return session.run([given["output"]], feeds)[0].reshape(-1)

    explainer = shap.ExactExplainer(score, shap.maskers.Independent(np.array(given["background"]), max_samples=1_000))
    found = explainer(np.array(given["rows"]))
    sys.stdout.write(json.dumps({"values": found.values.tolist(), "base": found.base_values.tolist()}))


if __name__ == "__main__":
    main()
