# /// script
# requires-python = ">=3.11"
# dependencies = ["shap==0.51.0", "onnxruntime==1.32.0", "numpy==2.4.6"]
# ///
"""Prints the exact Shapley values that shap has for rows of a model. Arguments: an ONNX file, and a JSON file.

The JSON has `features`, `background` and `rows`, lists of numbers in the order of the features. `texts` has those of a
feature, whose numbers are places in that list.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import shap


def main() -> None:
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    given = json.loads(Path(sys.argv[2]).read_text())
    texts = {name: np.array(values, np.object_) for name, values in given["texts"].items()}

    def column(name: str, numbers: Any) -> Any:
        return texts[name][numbers.astype(int)] if name in texts else numbers.astype(np.float32)

    def score(rows: Any) -> Any:
        feeds = {name: column(name, rows[:, [at]]) for at, name in enumerate(given["features"])}
        return session.run([given["output"]], feeds)[0].reshape(len(rows), -1)

    background, rows = (np.array(given[each], np.float64) for each in ("background", "rows"))
    explainer = shap.ExactExplainer(score, shap.maskers.Independent(background, max_samples=1_000))
    found = explainer(rows)
    sys.stdout.write(json.dumps({"values": found.values.tolist(), "base": found.base_values.tolist()}))


if __name__ == "__main__":
    main()
