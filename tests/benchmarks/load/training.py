"""One measurement of a training: `python -m tests.benchmarks.load.training <rows|library|pipeline> <folder> [kind]`.

`rows` writes the rows and their prepared matrix. `library` fits to that matrix as the library's documentation says, and
`pipeline` trains on the rows. Both print their seconds, their CPU seconds, and the peak memory of their process in MiB,
as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.contracts.spec.model import ModelSpec

ROWS = 300_000
LEVELS = (3, 10, 50, 200, 1_000, 10_000)
NUMBERS = 16 - len(LEVELS)
SEED = 7
THREADS = os.cpu_count() or 1
FOREST = {"n_estimators": 20, "min_samples_leaf": 50}
# The default of a spec without `trainer` and `retrain`: strategies are compared, and the leading one is refitted.
DEFAULT = "lightgbm by default"
# The trainers that are measured, by name, as a spec declares them.
TRAINERS: dict[str, dict[str, Any]] = {
    DEFAULT: {"kind": "lightgbm"},
    "lightgbm": {"kind": "lightgbm"},
    "xgboost": {"kind": "xgboost"},
    "logistic regression": {
        "kind": "sklearn",
        "steps": [
            {"use": "sklearn.impute.SimpleImputer"},
            {"use": "sklearn.preprocessing.StandardScaler"},
            {"use": "sklearn.linear_model.LogisticRegression"},
        ],
    },
    "random forest": {
        "kind": "sklearn",
        "steps": [{"use": "sklearn.ensemble.RandomForestClassifier", "params": FOREST}],
    },
    "function": {"kind": "function", "function": "own.train:train"},
    "ensemble": {"kind": "lightgbm", "ensemble": 2},
}
# A user's own function, which runs in a separate process and is converted there.
FUNCTION = f"""
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline


def train(columns, labels, context):
    forest = RandomForestClassifier(**{FOREST}, random_state=context.seed, n_jobs=context.threads)
    model = make_pipeline(SimpleImputer(), forest).fit(context.matrix, labels.astype(int))
    return to_onnx(model, context.matrix[:1], target_opset=15, options={{"zipmap": False}})
"""


def fit_lightgbm(matrix: Any, labels: Any) -> object:
    import lightgbm  # noqa: PLC0415 - the peak of memory is that of one library

    params = {
        "objective": "binary", "deterministic": True, "force_row_wise": True, "verbosity": -1, "seed": SEED,
        "num_threads": THREADS,
    }  # fmt: skip
    return lightgbm.train(params, lightgbm.Dataset(matrix, labels), num_boost_round=100)


def fit_xgboost(matrix: Any, labels: Any) -> object:
    import xgboost  # noqa: PLC0415 - as above

    params = {"objective": "binary:logistic", "tree_method": "hist", "seed": SEED, "nthread": THREADS}
    return xgboost.train(params, xgboost.QuantileDMatrix(matrix, labels, nthread=THREADS), num_boost_round=100)


def fit_logistic(matrix: Any, labels: Any) -> object:
    from sklearn.impute import SimpleImputer  # noqa: PLC0415 - as above
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(matrix, labels)


def fit_forest(matrix: Any, labels: Any) -> object:
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - as above

    return RandomForestClassifier(**FOREST, random_state=SEED, n_jobs=THREADS).fit(matrix, labels)


def fit_imputed_forest(matrix: Any, labels: Any) -> object:
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - as above
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    forest = RandomForestClassifier(**FOREST, random_state=SEED, n_jobs=THREADS)
    return make_pipeline(SimpleImputer(), forest).fit(matrix, labels.astype(int))


FITS: dict[str, Callable[[Any, Any], object]] = {
    DEFAULT: fit_lightgbm,
    "lightgbm": fit_lightgbm,
    "xgboost": fit_xgboost,
    "logistic regression": fit_logistic,
    "random forest": fit_forest,
    "function": fit_imputed_forest,
    # The other member is already fitted.
    "ensemble": fit_lightgbm,
}


def spec_of(trainer: str) -> ModelSpec:
    """Return a spec with the features of the rows, a gate that compares with the champion, and slices."""
    from rondo.contracts.spec.model import ModelSpec  # noqa: PLC0415 - as above

    numbers = {f"x{place}": {"type": "float", "optional": place == 0} for place in range(NUMBERS)}
    categories = {f"c{place}": {"type": "category"} for place in range(len(LEVELS))}
    return ModelSpec.model_validate(
        {
            "model": "bench",
            "data": {"dataset": "bench", "entity": "id", "event_time": "at", "label": "label"},
            "features": numbers | categories,
            # Without a refit there is one fit, like the library's. A refit adds another, and nothing else.
            "trainer": TRAINERS[trainer] | {"seed": SEED} | ({} if trainer == DEFAULT else {"refit": False}),
            "gates": {"roc_auc": {"min": 0.5, "not_worse_than_champion": 0.01}, "slices": ["c0"]},
        }
    )


def write_rows(folder: Path) -> None:
    """Write `rows.parquet`, and the matrix and the labels of the rows that a training is fitted to."""
    import polars as pl  # noqa: PLC0415 - as above
    from rondo.trainer.dataset.split import split  # noqa: PLC0415
    from rondo.trainer.preparation import preparation  # noqa: PLC0415

    rng = np.random.default_rng(SEED)
    numbers = rng.normal(size=(NUMBERS, ROWS)).astype(np.float32)
    levels = [rng.integers(0, count, ROWS) for count in LEVELS]
    logit = (numbers / np.arange(1, NUMBERS + 1)[:, None]).sum(axis=0)
    logit += sum(rng.normal(size=count)[at] / 2 for count, at in zip(LEVELS, levels, strict=True))
    start = datetime(2013, 1, 1, tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "id": [str(row) for row in range(ROWS)],
            "at": pl.datetime_range(start, start + timedelta(seconds=ROWS - 1), "1s", time_unit="us", eager=True),
            "label": (rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(np.float64),
            **{f"x{place}": column for place, column in enumerate(numbers)},
            **{f"c{place}": [f"level {level}" for level in at] for place, at in enumerate(levels)},
        }
    ).with_columns(x0=pl.when(pl.int_range(ROWS) % 10 > 0).then("x0"))
    rows.write_parquet(folder / "rows.parquet")
    (folder / "functions" / "own").mkdir(parents=True)
    (folder / "functions" / "own" / "train.py").write_text(FUNCTION)
    spec = spec_of("lightgbm")
    training = split(spec, rows).training
    labels = training["label"].to_numpy().astype(np.float32)
    _, matrix = preparation.fit(spec.features, spec.prepare, training, labels.reshape(-1, 1))
    np.save(folder / "matrix.npy", matrix)
    np.save(folder / "labels.npy", labels)


def of_library(folder: Path, trainer: str) -> dict[str, float]:
    """Measure a fit to the prepared matrix."""
    matrix, labels = np.load(folder / "matrix.npy"), np.load(folder / "labels.npy")
    FITS[trainer](matrix[:1_000], labels[:1_000])  # imports and compilation happen once
    return _measured(lambda: FITS[trainer](matrix, labels))


def of_pipeline(folder: Path, trainer: str) -> dict[str, float]:
    """Measure `Pipeline.fit` and `Pipeline.evaluate`, with the candidate itself as the champion."""
    import polars as pl  # noqa: PLC0415 - as above
    from rondo.trainer.dataset.training_set import TrainingSet  # noqa: PLC0415
    from rondo.trainer.evaluation.candidate import ChampionModel  # noqa: PLC0415
    from rondo.trainer.worker.app import pipeline  # noqa: PLC0415

    made, spec, rows = (
        pipeline(THREADS, folder / "functions"),
        spec_of(trainer),
        pl.read_parquet(folder / "rows.parquet"),
    )

    def training_set(part: pl.DataFrame) -> TrainingSet:
        found = TrainingSet(part, (), part["at"][-1], None, part["at"][-1])
        found.__dict__["digest"] = "sha256:"  # a worker has it before the training, see `skipped_runs`
        return found

    # A member of an ensemble was fitted to rows before the holdout.
    earlier = rows[: int(ROWS * 0.8)]
    with_past = spec.trainer.ensemble > 1 or trainer == DEFAULT
    past = [ChampionModel(1, made.fit(spec, training_set(earlier)).model)] if with_past else []

    def train(part: pl.DataFrame) -> None:
        if trainer == DEFAULT:
            chosen = made.choose(spec, made.plan(spec, training_set(part), None, past[0], None), past[0])
            made.evaluate(spec, made.fit(spec, training_set(part), chosen=chosen), past[0])
            return
        fitted = made.fit(spec, training_set(part), past)
        made.evaluate(spec, fitted, ChampionModel(1, fitted.model))

    train(rows[:1_000])
    return _measured(lambda: train(rows))


def _measured(call: Callable[[], object]) -> dict[str, float]:
    # An import may have run a command, and a new process has the memory of its parent until it starts its program.
    of_imports = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    began, cpu = time.perf_counter(), _cpu()
    call()
    took, used = time.perf_counter() - began, _cpu() - cpu
    peak, of_children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    # The memory of a function and of its graph is in use at the same time.
    if of_children > of_imports:
        peak += of_children
    return {"seconds": took, "cpu": used, "memory": peak / 1024}


def _cpu() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main(what: str, folder: Path, *trainer: str) -> None:
    """Measure, and print."""
    if what == "rows":
        write_rows(folder)
        return
    measure = {"library": of_library, "pipeline": of_pipeline}[what]
    sys.stdout.write(json.dumps(measure(folder, *trainer)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
