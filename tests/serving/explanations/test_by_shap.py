"""The values are those of shap's exact explainer. Sampled ones are within the stated errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import Feature, Prepare, Trainer
from rondo.contracts.tasks.base import FittedTask
from rondo.serving.explanations.exact import exact_shapley
from rondo.serving.explanations.shapley import shapley
from rondo.serving.models.onnx_runtime import OnnxModel
from rondo.trainer.estimators.base import Target
from rondo.trainer.estimators.lightgbm import LightGbm
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.feature_model import PreparedModel
from rondo.trainer.preparation.preparation import fit

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("a", "b", "c", "d", "text")
NUMBERS = {name: Feature(type="float") for name in ("a", "b", "c", "d", "e")}
MIXED = {name: Feature(type="category" if name == "text" else "float", optional=True) for name in NAMES}
TEXTS = ("", "red", "green", "blue")
ROWS = 4_000


@dataclass(frozen=True)
class Case:
    """A task with its features and its raw prediction, and the output that is explained."""

    features: Mapping[str, Feature]
    task: FittedTask
    target: Target
    output: str


CASES = {
    "probability": Case(
        NUMBERS, FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5), Target("probability", 2),
        "score",
    ),
    "texts and missing values": Case(
        MIXED, FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5), Target("probability", 2),
        "score",
    ),
    "classes": Case(
        MIXED, FittedTask(task="multiclass", labels=("x", "y", "z")), Target("probabilities", 3), "probabilities"
    ),
    "number": Case(MIXED, FittedTask(task="regression"), Target("number", 0), "value"),
}  # fmt: skip


def drawn(case: Case, rows: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return rows as numbers. A text is its place in `TEXTS`, and one in ten optional numbers is missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(case.features))).astype(np.float32)
    for at, feature in enumerate(case.features.values()):
        if feature.type == "category":
            values[:, at] = rng.integers(len(TEXTS), size=rows)
        elif feature.optional:
            values[rng.random(rows) < 0.1, at] = np.nan
    return values


def columns_of(case: Case, values: Any) -> dict[str, Any]:
    """Return the columns that a model takes."""
    return {
        name: np.array(TEXTS, np.object_)[values[:, at].astype(int)] if feature.type == "category" else values[:, at]
        for at, (name, feature) in enumerate(case.features.items())
    }


def trained(case: Case) -> bytes:
    """Return a graph of trees in which features interact."""
    values, rng = drawn(case, ROWS, 11), np.random.default_rng(12)
    known = np.nan_to_num(values)
    signal = known[:, 0] * known[:, 1] + 2 * known[:, 2] + known[:, 4]
    noisy = signal + rng.normal(size=ROWS)
    labels = {
        "probability": (noisy > signal.mean()).astype(np.float32),
        "probabilities": np.digitize(noisy, np.quantile(noisy, [1 / 3, 2 / 3])).astype(np.float32),
        "number": noisy.astype(np.float32),
    }[case.target.kind]
    rows = pl.DataFrame(columns_of(case, values), schema_overrides={
        name: pl.String for name, feature in case.features.items() if feature.type == "category"
    })  # fmt: skip
    preparation, matrix = fit(dict(case.features), Prepare(), rows, case.target.columns(labels))
    estimator = LightGbm(1)
    params = estimator.check_params(case.task.task, Trainer(params={"n_estimators": 30, "num_leaves": 15}))
    model = estimator.fit(case.target, params, 7, matrix, labels)
    return builder.build(PreparedModel(preparation, model), case.task, {})


@pytest.mark.slow  # it installs shap in an environment of its own
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_values_are_those_of_shap(tmp_path: Path, case: Case) -> None:
    graph, background, rows = trained(case), drawn(case, 40, 2), drawn(case, 6, 3)
    model, columns = OnnxModel(graph, case.features), columns_of(case, background)
    found = by_shap(graph, case, background, rows, tmp_path)

    def score(given: Any) -> Any:
        return model.score(given)[case.output].reshape(len(given["a"]), -1)

    for number, row in enumerate(rows):
        sent = {name: column[0] for name, column in columns_of(case, row[np.newaxis]).items()}
        sampled, exact = shapley(score, sent, columns, 400), exact_shapley(score, sent, columns)
        for each in (sampled, exact):
            assert each.base == pytest.approx(np.ravel(found["base"][number]), abs=1e-5)
        wanted = np.reshape(found["values"][number], exact.values.shape)
        off = np.abs(sampled.values - wanted)
        assert (off <= 4.5 * sampled.errors + 1e-4).all(), (off, sampled.errors)
        assert np.abs(exact.values - wanted).max() < 1e-5
        assert not exact.errors.any()


def by_shap(graph: bytes, case: Case, background: Any, rows: Any, folder: Path) -> dict[str, Any]:
    (folder / "model.onnx").write_bytes(graph)
    outputs = OnnxModel(graph, case.features).outputs.outputs
    given = {
        "features": list(case.features), "background": background.tolist(), "rows": rows.tolist(),
        "output": next(each.tensor for each in outputs if each.name == case.output),
        "texts": {name: TEXTS for name, feature in case.features.items() if feature.type == "category"},
    }  # fmt: skip
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
