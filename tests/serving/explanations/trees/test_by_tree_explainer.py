"""The values by trees are those of shap's TreeExplainer with the same background."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import Feature, Prepare, Trainer
from rondo.contracts.spec.policy import Step
from rondo.serving.explanations.trees.tree_model_onnx import TreeModel
from rondo.trainer.estimators.lightgbm import LightGbm
from rondo.trainer.estimators.sklearn import Sklearn
from rondo.trainer.estimators.xgboost import XgBoost
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.feature_model import PreparedModel
from rondo.trainer.preparation.preparation import fit

from tests.serving.builders import version_of
from tests.serving.explanations.trees.trained import TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[4]
FEATURES = {name: Feature(type="float", optional=True) for name in ("a", "b", "c", "d", "e", "f")}
FOREST = "sklearn.ensemble.RandomForest{}"
# Without those of LightGBM with several classes: from a booster, shap adds up the trees of all classes.
CASES = [
    ("lightgbm", "number"), ("lightgbm", "probability"), ("xgboost", "number"), ("xgboost", "probability"),
    ("xgboost", "probabilities"), ("sklearn", "number"), ("sklearn", "probability"), ("sklearn", "probabilities"),
]  # fmt: skip


def drawn(library: str, rows: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    # shap's explainer sends the missing values of scikit-learn to the right, whatever a tree has learned.
    if library != "sklearn":
        values[rng.random(values.shape) < 0.1] = np.nan
    return values


def columns_of(values: NDArray[np.float32]) -> dict[str, Any]:
    return dict(zip(FEATURES, values.T.copy(), strict=True))


def fitted(library: str, kind: str, file: Path) -> bytes:
    """Fit a model, write it in the format of the library, and return its graph."""
    task, target = TASKS[kind]
    values = drawn(library, 2_000, 1)
    known = np.nan_to_num(values)
    signal = known[:, 0] * known[:, 1] + 2 * known[:, 2] + known[:, 3] * (known[:, 4] > 0)
    labels = {
        "number": signal, "probability": signal > 0.5, "probabilities": np.digitize(signal, [-1, 1]),
    }[kind].astype(np.float32)  # fmt: skip
    preparation, matrix = fit(FEATURES, Prepare(), pl.DataFrame(columns_of(values)), target.columns(labels))
    estimator: Any = {"lightgbm": LightGbm, "xgboost": XgBoost, "sklearn": Sklearn}[library](1)
    trainer = Trainer(params={"n_estimators": 40})
    if library == "sklearn":
        use = FOREST.format("Regressor" if kind == "number" else "Classifier")
        trainer = Trainer(kind="sklearn", steps=[Step(use=use, params={"n_estimators": 40, "max_depth": 8})])
    model = estimator.fit(target, estimator.check_params(task.task, trainer), 7, matrix, labels)
    if library == "sklearn":
        file.write_bytes(pickle.dumps(model._steps[-1]))
    else:
        model._booster.save_model(file)
    return builder.build(PreparedModel(preparation, model), task, {})


@pytest.mark.slow  # it installs shap and the libraries in an environment of its own
@pytest.mark.timeout(900)
def test_the_values_by_trees_are_those_of_shap(tmp_path: Path) -> None:
    given, graphs = [], []
    for number, (library, kind) in enumerate(CASES):
        file = tmp_path / f"{number}.{'json' if library == 'xgboost' else 'model'}"
        graphs.append(fitted(library, kind, file))
        background, rows = drawn(library, 50, 2).tolist(), drawn(library, 20, 3).tolist()
        given.append({"library": library, "file": str(file), "background": background, "rows": rows})
    for (library, kind), graph, sent, shap in zip(CASES, graphs, given, by_shap(given, tmp_path), strict=True):
        version = version_of("m", 1, graph, FEATURES)
        known, explained = (columns_of(np.array(sent[each], np.float32)) for each in ("background", "rows"))
        answers = version.scorer.score(explained)[version.outputs.explained.name]
        found = TreeModel(graph, version, known).explain(explained, answers.reshape(len(answers), -1))
        values = np.stack([each.values for each in found])
        wanted = np.reshape(shap["values"], (*values.shape[:2], -1))
        base = np.array(shap["base"])
        if (library, kind) == ("sklearn", "probability"):
            wanted, base = wanted[..., 1:], base[1:]
        assert values == pytest.approx(wanted, abs=2e-5), (library, kind)
        # shap adds the constant of the first class of XGBoost to all classes.
        if (library, kind) != ("xgboost", "probabilities"):
            assert found[0].base == pytest.approx(base, abs=2e-5), (library, kind)


def by_shap(given: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    (folder / "given.json").write_text(json.dumps(given))
    uv, script = ROOT / ".venv" / "uv" / "bin" / "uv", Path(__file__).with_name("shap_tree_values.py")
    command = [str(uv), "run", "--quiet", "--no-project", "--python", sys.executable, "--script", str(script)]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, str(folder / "given.json")], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
