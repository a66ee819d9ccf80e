"""The columnar logs read back as they were written, for any content of a micro-batch."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events import logs
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask, Interval
from rondo.contracts.tasks.binary import BINARY
from rondo.contracts.tasks.multiclass import MULTICLASS
from rondo.contracts.tasks.registry import TASKS
from rondo.contracts.tasks.regression import REGRESSION

FEATURES = {"carrier": Feature(type="category"), "temp": Feature(type="float"), "stops": Feature(type="int")}
FITTED = FittedTask(task="multiclass", labels=("late", "à l'heure"))
SCHEMA = logs.predictions_schema(FEATURES, MULTICLASS.outputs(FITTED)).with_metadata(
    logs.version_metadata("flight-delay", 2, "sha256:0", "primary", FITTED.labels)
)
moments = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
numbers = st.none() | st.floats(width=32, allow_nan=False)
rows = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1),
        "entity": st.none() | st.text(),
        "event_time": moments,
        "made_at": moments,
        "feature.carrier": st.none() | st.text(),
        "feature.temp": numbers,
        "feature.stops": numbers,
        "output.label": st.sampled_from(FITTED.labels),
        "output.score": st.floats(0, 1, width=32),
        "output.probabilities": st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2),
    }
)


@pytest.mark.medium
@given(st.lists(rows, max_size=5))
def test_what_is_encoded_is_decoded(content: list[dict[str, object]]) -> None:
    batch = pa.RecordBatch.from_pylist(content, schema=SCHEMA)
    decoded = logs.decode(logs.encode(batch))
    assert decoded.equals(batch, check_metadata=True)
    assert logs.metadata(decoded) == {
        "model": "flight-delay",
        "model_version": "2",
        "digest": "sha256:0",
        "role": "primary",
        "classes": json.dumps(["late", "à l'heure"]),
    }


def test_the_columns_have_the_documented_names_and_types() -> None:
    assert [(field.name, str(field.type)) for field in SCHEMA] == [
        ("id", "string"),
        ("entity", "string"),
        ("event_time", "timestamp[us, tz=UTC]"),
        ("made_at", "timestamp[us, tz=UTC]"),
        ("feature.carrier", "string"),
        ("feature.temp", "float"),
        ("feature.stops", "float"),
        ("output.label", "string"),
        ("output.score", "float"),
        (logs.PROBABILITIES, "list<item: float>"),
    ]
    interval = FittedTask(task="regression", interval=Interval(coverage=0.9, half_width=1))
    for task, fitted, expected in (
        (BINARY, FittedTask(task="binary", labels=("0", "1")), {"output.score": "float", "output.label": "string"}),
        (REGRESSION, interval, dict.fromkeys(("output.value", "output.low", "output.high"), "float")),
    ):
        schema = logs.predictions_schema({}, task.outputs(fitted))
        assert {field.name: str(field.type) for field in schema if field.name.startswith("output.")} == expected


def test_the_metadata_of_a_version_without_probabilities_names_no_classes() -> None:
    assert "classes" not in logs.version_metadata("flight-delay", 2, "sha256:0", "primary")


def test_an_outcome_has_a_column_for_each_storage_of_labels() -> None:
    types = {logs.OUTCOME_COLUMNS[task.labels(None, None).storage] for task in TASKS.values()}
    assert types == set(logs.OUTCOME_COLUMNS.values())
    assert [(field.name, str(field.type)) for field in logs.OUTCOMES_SCHEMA] == [
        ("id", "string"), ("entity", "string"), ("outcome", "double"), ("outcome_label", "string"),
        ("known_at", "timestamp[us, tz=UTC]"),
    ]  # fmt: skip


def test_a_batch_without_metadata_has_none() -> None:
    assert logs.metadata(pa.RecordBatch.from_pylist([], schema=logs.OUTCOMES_SCHEMA)) == {}


def _stream(*batches: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def test_a_stream_of_several_batches_loses_no_row() -> None:
    batch = pa.RecordBatch.from_pylist([{"id": "1"}], schema=SCHEMA)
    assert logs.decode(_stream(batch, batch)).num_rows == 2


def test_a_stream_of_no_batch_is_an_empty_one() -> None:
    decoded = logs.decode(_stream())
    assert (decoded.num_rows, decoded.schema.names) == (0, SCHEMA.names)


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"ARROW1", logs.encode(pa.RecordBatch.from_pylist([], schema=SCHEMA))[:60]]
)
def test_what_is_no_stream_is_an_arrow_error(value: bytes) -> None:
    with pytest.raises(pa.ArrowInvalid):
        logs.decode(value)
