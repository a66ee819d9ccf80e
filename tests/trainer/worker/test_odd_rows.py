"""Unusual data in the worker: each peculiarity results in a note or a refusal, never in a traceback."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.contracts.events.training import ModelTrained, TrainingFailed
from rondo.contracts.tasks.registry import TASKS
from rondo.trainer.worker.app import pipeline

from tests.support.parameters import combinations
from tests.trainer import builders

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

    from tests.trainer.worker_harness import WorkerHarness

pytestmark = [pytest.mark.process, pytest.mark.medium]
OWN = Path(__file__).parents[1] / "functions" / "own_model.py"
TREES = {"params": {"n_estimators": 10, "num_leaves": 7, "min_data_in_leaf": 10}}
STEPS = ["impute.SimpleImputer", "preprocessing.StandardScaler", "linear_model.Ridge"]
ENCODED = {"encode": {"carrier": "one_hot"}, "scale": {"wind": "standard", "distance": "minmax"}}
HASHED = {"encode": {"carrier": "hash"}, "derive": {"ratio": "wind / distance"}}
# The default kind and policy for every task, each other kind for one, searches, and steps of `prepare`.
TRAINERS: list[tuple[str, str, dict[str, Any]]] = [
    *((task, "auto", TREES) for task in TASKS),
    ("multiclass", "triggers", {"kind": "xgboost", "params": {"n_estimators": 10, "max_depth": 3}}),
    ("regression", "triggers", {"kind": "sklearn", "steps": [{"use": f"sklearn.{step}"} for step in STEPS]}),
    ("binary", "triggers", {"kind": "function", "function": "own.train:linear"}),
    ("regression", "triggers", TREES | {"ensemble": 2}),
    ("binary", "triggers", {"kind": "xgboost", "params": {"n_estimators": 10, "max_depth": 3}}),
    ("binary", "triggers", TREES | {"search": {"trials": 2}}),
    ("multiclass", "auto", TREES | {"search": {"trials": 2}}),
    ("binary", "triggers", TREES | {"prepare": ENCODED}),
    ("regression", "auto", TREES | {"prepare": HASHED}),
]
AT = pl.int_range(pl.len())
LABELS = {
    "binary": pl.col("late"),
    "multiclass": pl.when(pl.col("late") == 1)
    .then(pl.lit("ash"))
    .when(AT % 3 == 0)
    .then(pl.lit("oak"))
    .otherwise(pl.lit("elm")),
    "regression": pl.col("late") * 100 + pl.col("distance") / 10,
}
RARE = {
    "binary": (AT % 200 == 0).cast(pl.Float64),
    "multiclass": pl.when(AT % 200 == 0).then(pl.lit("yew")).otherwise("late"),
    "regression": pl.when(AT % 200 == 0).then(1e6).otherwise(0.0),
}
ONE = {"binary": pl.lit(1.0), "multiclass": pl.lit("ash"), "regression": pl.lit(7.0)}
COPY = {
    "binary": pl.col("late") * 3 + 1,
    "multiclass": pl.col("late").replace_strict({"ash": 1, "oak": 2, "elm": 3}),
    "regression": pl.col("late") / 3,
}


def rows(task: str, count: int = 2_000) -> pl.DataFrame:
    wind = (AT * 7919 % 100).cast(pl.Float32)
    return builders.rows(count).with_columns(late=LABELS[task], wind=wind)


def odd(task: str) -> dict[str, pl.DataFrame]:
    frame, days = rows(task), [timedelta(days=day) for day in range(4)]
    return {
        "out of balance": frame.with_columns(late=RARE[task]),
        "one class": frame.with_columns(late=ONE[task]),
        "200 rows": rows(task, 200),
        "constant": frame.with_columns(wind=pl.lit(3, pl.Float32)),
        "leak": frame.with_columns(wind=COPY[task].cast(pl.Float32)),
        "no values": frame.with_columns(wind=pl.lit(None, pl.Float32)),
        "no texts": frame.with_columns(carrier=pl.lit(None, pl.String)),
        "repeated": pl.concat(
            frame.head(500).with_columns(pl.col("flight_id") + f"/{day.days}", pl.col("departure") + day)
            for day in days
        ),
        "unseen category": frame.with_columns(carrier=pl.when(AT > 1_950).then(pl.lit("ZZ")).otherwise("carrier")),
    }


# The code of the note, and the feature that it names.
NOTES: dict[str, tuple[str, str | None]] = {
    "constant": ("constant", "wind"),
    "no values": ("no_values", "wind"),
    "no texts": ("no_values", "carrier"),
    "repeated": ("repeated_rows", None),
    "unseen category": ("unseen_category", "carrier"),
}


def expected(case: str, task: str) -> tuple[str, str | None] | None:
    """Return the note of a case for a task, or None."""
    numbers = task == "regression"
    if case in ("out of balance", "one class"):
        return "same_label" if numbers else "rare_class", None
    return NOTES.get(case)


def spec(task: str, policy: str, trainer: dict[str, Any]) -> ModelSpec:
    optional = {"wind": {"type": "float", "optional": True}, "carrier": {"type": "category", "optional": True}}
    described = builders.spec(task=task, features=optional).as_dict()
    parts = {"trainer": {"min_rows": 200, **trainer}, "retrain": {"policy": policy}}
    parts["prepare"] = parts["trainer"].pop("prepare", {})
    return type(builders.spec()).model_validate(described | parts)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("trained", "case"),
    combinations(TRAINERS, [*NOTES, "out of balance", "one class", "200 rows", "leak"]),
    ids=lambda each: each if isinstance(each, str) else "-".join((*each[:2], *each[2])),
)
async def test_odd_rows_end_in_a_sentence(
    harness: WorkerHarness, tmp_path: Path, trained: tuple[str, str, dict[str, Any]], case: str
) -> None:
    task, policy, trainer = trained
    (tmp_path / "functions" / "own").mkdir(parents=True)
    (tmp_path / "functions" / "own" / "train.py").write_text(OWN.read_text())
    builders.write_batch(harness.data, odd(task)[case])
    asked = (spec(task, policy, trainer), builders.trigger("data"))
    (ended,) = await harness.run(asked, pipeline=pipeline(1, tmp_path / "functions"))
    if case == "leak" or (case == "one class" and task != "regression"):
        assert isinstance(ended, TrainingFailed)
        # Not an unexpected error, which would be tried again.
        assert ended.attempts == 1
        one_class = "label '" if "search" in trainer else "'late'"
        assert ("'wind'" if case == "leak" else one_class) in ended.reason
        return
    assert isinstance(ended, ModelTrained), getattr(ended, "reason", "")
    wanted = expected(case, task)
    found = {(note.code, note.feature) for note in ended.summary.notes}
    # A search may do without a split whose rows have one class.
    found -= {("search_split_skipped", None)} if "search" in trainer else set()
    # The rows of the holdout are repeated, too.
    also = {("repeated_holdout", None)} if case == "repeated" else set()
    assert found == ({wanted, *also} if wanted else set())
