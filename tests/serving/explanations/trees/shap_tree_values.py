# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "shap==0.51.0", "numpy==2.4.6", "lightgbm==4.7.0", "xgboost-cpu==3.2.0", "scikit-learn==1.9.1",
# ]
# ///
"""Prints the Shapley values that shap's TreeExplainer has for models of trees. The argument is a JSON file.

It is a list with, for each model, the `library`, the `file` of the model in the library's own format, and the
`background` and the `rows`, lists of numbers.
"""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import shap
import xgboost


def loaded(library: str, file: Path) -> Any:
    if library == "lightgbm":
        return lightgbm.Booster(model_file=file)
    if library == "xgboost":
        return xgboost.Booster(model_file=file)
    return pickle.loads(file.read_bytes())  # noqa: S301 - the test has written it


def values(given: dict[str, Any]) -> dict[str, Any]:
    background, rows = (np.array(given[each], np.float32) for each in ("background", "rows"))
    model = loaded(given["library"], Path(given["file"]))
    explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional", model_output="raw")
    found = np.asarray(explainer.shap_values(rows, check_additivity=False))
    return {"values": found.tolist(), "base": np.ravel(explainer.expected_value).tolist()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps([values(given) for given in json.loads(Path(sys.argv[1]).read_text())]))
