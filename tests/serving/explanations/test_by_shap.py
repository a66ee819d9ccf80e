"""The values are those of shap's exact explainer, of the same model and background, within the stated errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import Feature, Prepare, Trainer
from rondo.contracts.tasks.base import FittedTask
from rondo.serving.explanations.shapley import shapley
from rondo.serving.models.onnx_runtime import OnnxModel
from rondo.trainer.estimators.base import Target
from rondo.trainer.estimators.lightgbm import LightGbm
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.feature_model import PreparedModel
from rondo.trainer.preparation.preparation import fit

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("a", "b", "c", "d", "e")
FEATURES = {name: Feature(type="float") for name in NAMES}
TASK = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)


def trained() -> bytes:
    """Return a graph of trees in which features interact."""
    rng = np.random.default_rng(11)
    values = rng.normal(size=(4_000, len(NAMES))).astype(np.float32)
    chance = 1 / (1 + np.exp(-(values[:, 0] * values[:, 1] + 2 * values[:, 2])))
    labels = (rng.random(4_000) < chance).astype(np.float32)
    rows = pl.DataFrame(dict(zip(NAMES, values.T, strict=True)))
    preparation, matrix = fit(FEATURES, Prepare(), rows, labels[:, None])
    estimator = LightGbm(1)
    params = estimator.check_params("binary", Trainer(params={"n_estimators": 30, "num_leaves": 15}))
    model = estimator.fit(Target("probability", 2), params, 7, matrix, labels)
    return builder.build(PreparedModel(preparation, model), TASK, {})


@pytest.mark.slow  # it installs shap in an environment of its own
@pytest.mark.timeout(600)
def test_the_values_are_those_of_shap(tmp_path: Path) -> None:
    graph, rng = trained(), np.random.default_rng(2)
    background = rng.normal(size=(40, len(NAMES))).astype(np.float32)
    rows = rng.normal(size=(6, len(NAMES))).astype(np.float32)
    found = by_shap(graph, background, rows, tmp_path)
    model = OnnxModel(graph, FEATURES)
    columns = {name: background[:, at] for at, name in enumerate(NAMES)}
    for number, row in enumerate(rows):
        ours = shapley(
            lambda given: model.score(given)["score"].reshape(-1, 1), dict(zip(NAMES, row, strict=True)), columns, 400
        )
        assert ours.base[0] == pytest.approx(found["base"][number], abs=1e-5)
        off = np.abs(ours.values[:, 0] - found["values"][number])
        assert (off <= 4.5 * ours.errors[:, 0] + 1e-4).all(), (off, ours.errors[:, 0])


def by_shap(graph: bytes, background: Any, rows: Any, folder: Path) -> dict[str, Any]:
    (folder / "model.onnx").write_bytes(graph)
    output = next(each.tensor for each in OnnxModel(graph, FEATURES).outputs.outputs if each.name == "score")
    given = {"features": NAMES, "background": background.tolist(), "rows": rows.tolist(), "output": output}
    (folder / "rows.json").write_text(json.dumps(given))
    uv, script = ROOT / ".venv" / "uv" / "bin" / "uv", ROOT / "tests" / "support" / "shap_values.py"
    command = [str(uv), "run", "--quiet", "--no-project", "--python", sys.executable, "--script", str(script)]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, str(folder / "model.onnx"), str(folder / "rows.json")],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
