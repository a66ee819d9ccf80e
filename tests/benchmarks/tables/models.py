"""`make bench ONLY=models`: each task with each trainer that can do it, on the flights of January and February.

Each is what a run of the trainer does on rows in memory: the fit, the graph, its parity with the model on training,
edge and random rows, and the evaluation. The metric of each line is that of the later half of the same holdout, because
the earlier half weighs the members of an ensemble. A row without a goal is shown.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from lightgbm import LGBMClassifier, LGBMRegressor
from rondo.client.registration.comparison import compare
from rondo.client.registration.conversion import convert
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.tasks.registry import METRICS, TASKS, task_named
from rondo.flights.dataset import flights
from rondo.flights.dataset.messages import day, stream_of
from rondo.flights.examples import example_named
from rondo.trainer.dataset.split import halves
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.evaluation.candidate import ChampionModel, FittedCandidate
from rondo.trainer.worker.app import pipeline

from tests.benchmarks.readme import BY_CLIENT, PARITY
from tests.benchmarks.results import Row, record, versions

if TYPE_CHECKING:
    from rondo.trainer.pipeline import Pipeline

# One thread, because several threads wait for each other if other processes use the machine, and would measure these.
THREADS, LARGEST, COMPARED_ROWS = 1, 1e-5, 5_000
EXAMPLES = {"binary": "flights", "multiclass": "flights-punctuality", "regression": "flights-delay"}
REGISTERED = "registered (LightGBM by its converter)"
TREES = {"n_estimators": 100, "learning_rate": 0.1}
# A function of somebody's own: what docs/functions.md shows, for any task.
FUNCTION = """
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression, Ridge


def train(columns, labels, context):
    if context.task == "regression":
        model = Ridge().fit(context.matrix, labels)
        graph = to_onnx(model, context.matrix[:1], target_opset=15)
        return graph, lambda columns, matrix: model.predict(matrix.astype(float))
    model = LogisticRegression(max_iter=200).fit(context.matrix, labels.astype(int))
    graph = to_onnx(model, context.matrix[:1], target_opset=15, options={"zipmap": False})
    return graph, lambda columns, matrix: model.predict_proba(matrix.astype(float))
"""


@dataclass(frozen=True)
class Made:
    """A model as it came out of the trainer: its metric, its parity, seconds and size in bytes.

    The parity is None if there is no native model. `evaluated` are the first event time and the number of the rows that
    the metric is of.
    """

    evaluated: tuple[datetime, int]
    metric: float
    parity: float | None
    seconds: float
    size: int


@cache
def frame() -> pl.DataFrame:
    return stream_of(flights.load(), day(1), day(3))


def spec_of(task: str, trainer: dict[str, Any], **parts: Any) -> ModelSpec:
    """Return the spec of the example of a task, with another trainer."""
    # Without an interval, which would use half of the holdout.
    other = {"gates": {}, "prediction": {}, "trainer": trainer}
    described = example_named(EXAMPLES[task]).spec.as_dict() | other | parts
    # The evaluated model is the measured one, and a refit would make another.
    described["trainer"] = {"refit": False, **described["trainer"]}
    return ModelSpec.model_validate(described)


def training_set(spec: ModelSpec) -> TrainingSet:
    label, time_of = spec.data.label, spec.data.event_time
    texts = task_named(spec.task).labels(spec.data.positive, spec.data.negative).storage == "text"
    rows = frame().select(spec.data.entity, time_of, label, *spec.features).drop_nulls(label)
    rows = rows.with_columns(pl.col(label).cast(pl.String if texts else pl.Float64)).sort(time_of)
    until = rows[time_of][-1]
    return TrainingSet(rows, (), until + timedelta(days=1), None, until)


def linear(task: str) -> dict[str, Any]:
    last = "Ridge" if task == "regression" else "LogisticRegression"
    steps = [{"use": "sklearn.preprocessing.StandardScaler"}, {"use": f"sklearn.linear_model.{last}"}]
    return {"trainer": {"kind": "sklearn", "steps": steps}, "prepare": imputed(task)}


def imputed(task: str) -> dict[str, Any]:
    optional = [name for name, each in example_named(EXAMPLES[task]).spec.features.items() if each.optional]
    return {"impute": dict.fromkeys(optional, "median")}


def forest(task: str) -> dict[str, Any]:
    last = "RandomForestRegressor" if task == "regression" else "RandomForestClassifier"
    params = {"n_estimators": 50, "min_samples_leaf": 50}
    return {"trainer": {"kind": "sklearn", "steps": [{"use": f"sklearn.ensemble.{last}", "params": params}]}} | {
        "prepare": imputed(task)
    }


def trainers(task: str) -> dict[str, dict[str, Any]]:
    """Return the parts of a spec for each trainer."""
    return {
        "lightgbm": {"trainer": {"kind": "lightgbm", "params": TREES}},
        "xgboost": {"trainer": {"kind": "xgboost", "params": TREES}},
        "sklearn, linear": linear(task),
        "sklearn, forest": forest(task),
        "function": {"trainer": {"kind": "function", "function": "own.train:train"}, "prepare": imputed(task)},
    }


def fitted(
    made_by: Pipeline, spec: ModelSpec, champions: tuple[ChampionModel, ...] = ()
) -> tuple[FittedCandidate, float]:
    began = time.perf_counter()
    found = made_by.fit(spec, training_set(spec), champions)
    return found, time.perf_counter() - began


def earlier_champion(made_by: Pipeline, task: str) -> ChampionModel:
    """Return a champion that knows no row of the holdout, on which an ensemble determines its weight."""
    spec = spec_of(task, **trainers(task)["lightgbm"])
    known = training_set(spec)
    rows = known.rows.head(int(known.rows.height * 0.8))
    return ChampionModel(1, made_by.fit(spec, replace(known, rows=rows)).model)


def of_later_half(spec: ModelSpec, found: FittedCandidate) -> FittedCandidate:
    """Return a candidate whose holdout is the half that evaluates an ensemble. An ensemble has that half already."""
    if found.rows_weighed:
        return found
    parts = halves(spec, found.holdout)
    assert parts is not None
    later = parts[1]
    scored = found.scored.take(slice(found.holdout.height - later.height, None))
    return replace(found, holdout=later, scored=scored)


def made(made_by: Pipeline, spec: ModelSpec, found: FittedCandidate, seconds: float) -> Made:
    evaluated = of_later_half(spec, found)
    began = time.perf_counter()
    candidate = made_by.evaluate(spec, evaluated, None)
    seconds += time.perf_counter() - began
    metric = candidate.evaluation.metrics[TASKS[spec.task].primary]
    rows = (evaluated.holdout[spec.data.event_time][0], candidate.rows_holdout)
    return Made(rows, metric, candidate.parity.native_difference, seconds, len(candidate.model))


def elsewhere(task: str) -> tuple[ModelSpec, bytes, float]:
    """Return a spec of the numeric features alone, and the ONNX model of a boosting that somebody fitted to them.

    The number is by how much both differ, as `rondo.client.register` compares them.
    """
    described = example_named(EXAMPLES[task]).spec.as_dict()["features"]
    numeric = {name: each for name, each in described.items() if each["type"] == "float"}
    spec = spec_of(task, {"kind": "lightgbm"}, features=numeric)
    rows = training_set(spec).rows
    rows = rows.head(int(rows.height * 0.9))
    matrix = rows.select(*numeric).cast(pl.Float32).fill_null(float("nan")).to_numpy()
    labels = rows[spec.data.label].to_numpy()
    if task == "regression":
        estimator = LGBMRegressor(verbose=-1).fit(matrix, labels)
    else:
        estimator = LGBMClassifier(verbose=-1).fit(matrix, labels.astype(str if task == "multiclass" else np.int64))
    converted = convert(estimator, spec.as_dict())
    compared = compare(estimator, converted, spec.as_dict(), matrix[-COMPARED_ROWS:])
    return spec, converted.content, compared.max_difference


def of_task(task: str, functions: Path) -> list[Row]:
    models, made_by = dict[str, Made](), pipeline(THREADS, functions)
    for name, parts in trainers(task).items():
        spec = spec_of(task, **parts)
        found, seconds = fitted(made_by, spec)
        models[name] = made(made_by, spec, found, seconds)
    both = spec_of(task, {"kind": "xgboost", "params": TREES, "ensemble": 2})
    found, seconds = fitted(made_by, both, (earlier_champion(made_by, task),))
    assert len(found.members) == 2, found.notes
    models["ensemble of xgboost and the lightgbm before"] = made(made_by, both, found, seconds)
    spec, content, by_client = elsewhere(task)
    began = time.perf_counter()
    taken = made_by.take(spec, training_set(spec), content)
    models[REGISTERED] = made(made_by, spec, taken, time.perf_counter() - began)
    (_,) = {each.evaluated for each in models.values()}
    compared = {REGISTERED: by_client}
    return [row for name, model in models.items() for row in shown(task, name, model, compared.get(name))]


def shown(task: str, trainer: str, model: Made, by_client: float | None = None) -> list[Row]:
    title = METRICS[TASKS[task].primary].title
    used = versions("lightgbm", "xgboost-cpu", "scikit-learn", "onnxruntime", "skl2onnx")

    def row(name: str, value: float | None, unit: str, goal: str = "shown", *, met: bool = True) -> Row:
        return Row("models", f"{task}, {trainer}: {name}", value, None, unit, goal, met=met, versions=used)

    def parity(name: str, found: float | None) -> Row:
        if found is None:
            return row(name, None, "1e-6", "no native model")
        return row(name, found * 1e6, "1e-6", "10 at most", met=found <= LARGEST)

    return [
        row(title, model.metric, ""),
        parity(PARITY, model.parity),
        *([] if by_client is None else [parity(BY_CLIENT, by_client)]),
        row("training and evaluation", model.seconds, "s"),
        row("artifact", model.size / 1e6, "MB"),
    ]


def main() -> int:
    """Train and record."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "own"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "train.py").write_text(FUNCTION)
        return record([row for task in EXAMPLES for row in of_task(task, Path(folder))])


if __name__ == "__main__":
    sys.exit(main())
