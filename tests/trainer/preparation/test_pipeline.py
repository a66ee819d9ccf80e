"""A spec with every step of `prepare` is trained, scored and served by its graph alone, whatever the task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.registration.onnx_check import check_onnx
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.parity import BOUND, compared_rows
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.preparation.impute import NothingToImputeError
from rondo.trainer.preparation.inputs import onnx_inputs
from rondo.trainer.preparation.preparation import PreparationError
from rondo.trainer.worker.app import pipeline

pytestmark = pytest.mark.medium
START, COUNT = datetime(2024, 1, 1, tzinfo=UTC), 3_000
SPEC = {
    "model": "prices",
    "data": {"dataset": "bookings", "entity": "id", "event_time": "at", "label": "label"},
    "features": {
        "amount": {"type": "float"},
        "income": {"type": "float", "optional": True},
        "age": {"type": "int", "optional": True},
        "gust": {"type": "float", "optional": True},
        "city": {"type": "category"},
        "url": {"type": "category", "optional": True},
        "dest": {"type": "category"},
        "booked_at": {"type": "category", "optional": True},
    },
    "prepare": {
        "impute": {"age": "median", "income": "mean", "gust": 0, "rate": -1},
        "scale": {"income": "standard", "age": "minmax", "rate": "standard"},
        "encode": {"city": "one_hot", "url": "hash", "dest": "target"},
        "dates": {"booked_at": ["year", "month", "day", "weekday", "hour"]},
        "derive": {"rate": "amount / income", "log_income": "log1p(income)", "night": "max(0, booked_at_hour - 20)"},
        "drop": ["amount"],
    },
    "trainer": {"params": {"n_estimators": 20, "num_leaves": 15}, "min_rows": 100},
}
COLUMNS = 4 + 5 + 3 - 1  # numbers, parts of the date, derived. One is dropped


def rows() -> pl.DataFrame:
    rng = np.random.default_rng(8)
    hours = rng.integers(0, 10_000, COUNT).tolist()
    booked = pl.Series([(START + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%MZ") for hour in hours])
    frame = pl.DataFrame(
        {
            "id": [f"{row:05}" for row in range(COUNT)],
            "at": [START + timedelta(minutes=row) for row in range(COUNT)],
            "amount": rng.lognormal(3, 1, COUNT).astype(np.float32),
            "income": rng.choice([0, 10, 200, 3_000], COUNT).astype(np.float32),
            "age": rng.integers(18, 90, COUNT).astype(np.float32),
            "gust": rng.normal(size=COUNT).astype(np.float32),
            "city": rng.choice(["Bonn", "Ulm", "Köln"], COUNT),
            "url": [f"/{page}" for page in rng.integers(0, 500, COUNT)],
            "dest": [f"d{dest}" for dest in rng.integers(0, 50, COUNT)],
            "booked_at": booked,
        }
    ).cast({"at": pl.Datetime("us", "UTC")})
    missing = pl.int_range(pl.len()) % 7 == 0
    holes = [pl.when(missing).then(None).otherwise(name).alias(name) for name in ("income", "age", "gust", "url")]
    malformed = pl.when(missing).then(pl.lit("soon")).otherwise("booked_at").alias("booked_at")
    return frame.with_columns(*holes, malformed)


ROWS = rows()
_NIGHT = pl.col("booked_at").str.slice(11, 2).cast(pl.Int32, strict=False).fill_null(0) // 8
LABELS = {
    "binary": (_NIGHT == 2).cast(pl.Float64),
    "multiclass": pl.lit("shift ") + _NIGHT.cast(pl.String),
    "regression": pl.col("amount").cast(pl.Float64) / pl.col("income").fill_null(1).clip(1),
}


def train(task: str = "binary", frame: pl.DataFrame = ROWS, **prepare: Any) -> tuple[ModelSpec, bytes, Any]:
    """Return the spec, the graph, and the fitted candidate, whose parity has been checked."""
    spec = ModelSpec.model_validate(SPEC | {"task": task, "prepare": SPEC["prepare"] | prepare})  # type: ignore[operator]
    labelled = frame.with_columns(label=LABELS[task])
    until = START + timedelta(days=10)
    fitted = pipeline(threads=1).fit(spec, TrainingSet(labelled, (), until, None, until))
    return spec, fitted.model, fitted


@pytest.mark.parametrize("task", LABELS)
def test_every_step_is_in_the_graph(task: str) -> None:
    spec, graph, fitted = train(task)
    check_onnx(graph, len(graph))
    assert fitted.parity.rows > COUNT
    assert fitted.parity.max_difference <= BOUND
    model = onnx.load_from_string(graph)
    assert [value.name for value in model.graph.input] == list(spec.features)
    assert builder.read_signature(graph) == spec.features
    assert list(fitted.reference.profile) == list(spec.features)
    assert next(entry.version for entry in model.opset_import if not entry.domain) == 20


def test_the_model_sees_what_the_steps_make() -> None:
    """The hour decides the label, and nothing but the date has it."""
    _, _, fitted = train()
    scores = fitted.scored.outputs["score"]
    known = fitted.holdout["booked_at"] != "soon"
    assert (((scores > 0.5) == fitted.scored.targets) | ~known.to_numpy()).all()


@pytest.mark.slow
def test_a_row_is_scored_alike_alone_and_beside_others() -> None:
    spec, graph, _ = train()
    compared = compared_rows(spec.features, ROWS, seed=3).tail(60)
    together = Scorer(1)(graph, onnx_inputs(spec.features, compared))["score"]
    alone = [Scorer(1)(graph, onnx_inputs(spec.features, compared[row]))["score"][0] for row in range(60)]
    np.testing.assert_array_equal(together, alone)
    assert np.isfinite(together).all()


def test_a_graph_without_dates_runs_on_older_runtimes() -> None:
    _, graph, _ = train(dates={}, derive={"rate": "amount / income"})
    model = onnx.load_from_string(graph)
    assert next(entry.version for entry in model.opset_import if not entry.domain) == 15


def test_the_same_rows_give_the_same_bytes() -> None:
    assert train()[1] == train()[1]


def test_a_word_of_a_newer_release_is_named() -> None:
    with pytest.raises(PreparationError) as refusal:
        train(encode={"city": "embedding"}, derive={"rate": "tanh(amount)"})
    assert [problem.partition("`:")[0].partition("` ")[0] for problem in refusal.value.problems] == [
        "`prepare.derive.rate",
        "`prepare.encode.city",
    ]


def test_a_column_without_a_value_is_named() -> None:
    with pytest.raises(NothingToImputeError) as refusal:
        train(frame=ROWS.with_columns(age=pl.lit(None, pl.Float32)))
    assert refusal.value.column == "age"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("encoding", ["target", "one_hot", "hash"])
def test_ten_thousand_levels_are_trained_and_encoded_alike_by_the_graph(encoding: str) -> None:
    """The pipeline compares the graph with the model, on rows with unseen levels, too."""
    count = 12_000
    levels = pl.Series([f"/{level}" for level in np.random.default_rng(9).permutation(count) % 10_000])
    tiled = pl.concat([ROWS] * (count // COUNT)).with_columns(
        id=pl.int_range(count).cast(pl.String),
        at=pl.datetime_range(START, START + timedelta(minutes=count - 1), "1m", time_unit="us", eager=True),
        url=levels,
    )
    spec, graph, fitted = train(frame=tiled, encode={"city": "one_hot", "url": encoding, "dest": "target"})
    assert tiled["url"].n_unique() == 10_000
    assert fitted.parity.rows > COUNT
    assert fitted.parity.max_difference <= BOUND
    unseen = tiled.tail(500).with_columns(
        url=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("/x")).otherwise("url")
    )
    found = Scorer(1)(graph, onnx_inputs(spec.features, unseen))["score"]
    assert np.isfinite(found).all()
