"""Models of trees as the trainer builds them, with texts, dates and missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rondo.contracts.spec.model import Feature, Prepare, Trainer
from rondo.contracts.spec.policy import Step
from rondo.contracts.tasks.base import FittedTask
from rondo.trainer.estimators.base import Target
from rondo.trainer.estimators.lightgbm import LightGbm
from rondo.trainer.estimators.sklearn import Sklearn
from rondo.trainer.estimators.xgboost import XgBoost
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.background_values import background
from rondo.trainer.onnx_graph.feature_model import PreparedModel
from rondo.trainer.preparation.preparation import fit

from tests.serving.builders import version_of

if TYPE_CHECKING:
    from rondo.serving.models.loaded_version import LoadedVersion

CATEGORIES = ("text", "day")
FEATURES = {
    name: Feature(type="category" if name in CATEGORIES else "float", optional=True)
    for name in ("a", "b", "text", "day", "c")
}
TEXTS, DAYS = ("", "red", "green", "blue"), ("2026-01-31", "2025-06-01T10:00:00Z", "2024-02-29", "")
DATES = {"day": ("month", "weekday", "hour")}
PREPARATIONS = {
    "target": Prepare(dates=DATES),
    "one hot": Prepare(dates=DATES, encode={"text": "one_hot"}, impute={"a": "mean"}),
    "hash": Prepare(dates=DATES, encode={"text": "hash"}, hash_buckets=2, scale={"a": "standard", "b": "minmax"}),
}
TASKS = {
    "number": (FittedTask(task="regression"), Target("number", 0)),
    "probability": (
        FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5), Target("probability", 2)
    ),
    "probabilities": (FittedTask(task="multiclass", labels=("x", "y", "z")), Target("probabilities", 3)),
}  # fmt: skip
BOOSTED = {"n_estimators": 8}
ROWS = 600


def drawn(rows: int, seed: int) -> dict[str, Any]:
    """Return columns of rows, of which one number in ten is missing."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {name: rng.normal(size=rows).astype(np.float32) for name in FEATURES}
    for name in ("a", "b", "c"):
        found[name][rng.random(rows) < 0.1] = np.nan
    texts = {"text": TEXTS, "day": DAYS}
    return found | {name: np.array(known, np.object_)[rng.integers(4, size=rows)] for name, known in texts.items()}


def trained(library: str, kind: str, prepare: Prepare) -> bytes:
    """Return a model in which features interact. `kind` is one of `TASKS`."""
    task, target = TASKS[kind]
    columns = drawn(ROWS, 1)
    known = {name: np.nan_to_num(columns[name]) for name in ("a", "b", "c")}
    signal = known["a"] * known["b"] + 2 * known["c"] * (columns["text"] == "red") + (columns["day"] > "2025")
    labels = {
        "number": signal, "probability": signal > np.median(signal),
        "probabilities": np.digitize(signal, np.quantile(signal, [0.3, 0.7])),
    }[kind].astype(np.float32)  # fmt: skip
    preparation, matrix = fit(FEATURES, prepare, pl.DataFrame(columns), target.columns(labels))
    estimator: Any = {"lightgbm": LightGbm, "xgboost": XgBoost}.get(library, Sklearn)(1)
    steps = [Step(use=library, params={"n_estimators": 8, "max_depth": 5})] if library.startswith("sklearn.") else []
    trainer = Trainer(kind="sklearn", steps=steps) if steps else Trainer(params=BOOSTED)
    params = estimator.check_params(task.task, trainer)
    model = PreparedModel(preparation, estimator.fit(target, params, 7, matrix, labels))
    return builder.build(model, task, background(FEATURES, pl.DataFrame(columns), 1))


def loaded(content: bytes, model: str = "m", number: int = 1) -> LoadedVersion:
    return version_of(model, number, content, FEATURES)
