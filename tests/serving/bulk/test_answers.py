"""Bulk answers are those of live requests for the same rows: values, codes and sentences."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rondo.contracts.events import logs, scores
from rondo.contracts.events.scores import ScoreRequest
from rondo.contracts.spec.model import Feature
from rondo.serving.bulk.answers import answer
from rondo.serving.errors import RequestRefusedError, ScoringCancelledError
from rondo.serving.models.loaded_version import ServedModel
from rondo.serving.open_inference import protocol
from rondo.serving.open_inference import rows as sent_rows
from rondo.serving.open_inference.tensors import DATATYPES
from rondo.serving.requests.validation import invalid_rows

from tests.serving.builders import (
    BINARY,
    FEATURES,
    INTERVAL,
    MULTICLASS,
    NOW,
    NUMBERED,
    REGRESSION,
    TEXTS,
    build_model,
    infer_values,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.tasks.base import FittedTask
    from rondo.serving.models.loaded_version import LoadedVersion

TYPES = {"float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "category": pa.string()}
LIMITED = {
    "distance": Feature(type="float", min=0, max=5_000),
    "seats": Feature(type="int", max=853, optional=True),
    "night": Feature(type="bool"),
    "carrier": Feature(type="category", values=("AA", "UA"), optional=True),
    "origin": Feature(type="category"),
}


def about(version: LoadedVersion, first_row: int = 0) -> ScoreRequest:
    return ScoreRequest("job", 0, "delay", 1, version.digest, version.schema.features, first_row)


def batch_of(
    rows: Sequence[Mapping[str, Any]], features: Mapping[str, Feature], request: ScoreRequest, **more: pa.Array
) -> pa.RecordBatch:
    columns = {
        scores.column_of(name): pa.array([row.get(name) for row in rows], TYPES[feature.type])
        for name, feature in features.items()
    }
    table = pa.RecordBatch.from_pydict(columns | more)
    return table.replace_schema_metadata(request.metadata())


def in_bulk(version: LoadedVersion, rows: Sequence[Mapping[str, Any]], **more: pa.Array) -> pa.RecordBatch:
    features = version.schema.features
    sent = scores.decode(scores.encode(batch_of(rows, features, about(version), **more)))
    return scores.decode(scores.encode(answer(version, sent, ScoreRequest.of(sent.schema), NOW)))


def alive(version: LoadedVersion, rows: Sequence[Mapping[str, Any]]) -> tuple[dict[int, Any], dict[int, str]]:
    """Return the outputs and the codes of the same rows over Kafka, by place."""
    sent = [
        json.dumps({"id": f"r{place}", "model": "delay", "features": {k: v for k, v in row.items() if v is not None}})
        for place, row in enumerate(rows)
    ]
    found = infer_values([each.encode() for each in sent], ServedModel("delay", 1, (version,), (1.0,)))
    return found.outputs, found.codes()


def bits(values: Sequence[float | None]) -> list[bytes]:
    return [np.float32(value).tobytes() for value in values]


ROWS = st.fixed_dictionaries(
    {
        "distance": st.floats(-10, 6_000) | st.just(2.0**30) | st.none(),
        "seats": st.none() | st.integers(0, 900) | st.integers(2**24, 2**31),
        "night": st.booleans() | st.none(),
        "carrier": st.none() | st.sampled_from(["AA", "UA", "ZZ", "", "A\0"]),
        "origin": st.none() | st.sampled_from(["EWR", "", "Zürich"]),
    }
)


@pytest.fixture(scope="module")
def limited() -> LoadedVersion:
    return version_of("delay", 1, build_model(0.3, LIMITED, INTERVAL), LIMITED)


@given(st.lists(ROWS, min_size=1, max_size=40))
def test_rows_have_the_same_values_and_codes_as_live_ones(limited: LoadedVersion, rows: list[dict[str, Any]]) -> None:
    outputs, codes = alive(limited, rows)
    found = in_bulk(limited, rows).to_pylist()
    assert {place: row["error"] for place, row in enumerate(found) if row["error"]} == codes
    assert [row["row"] for row in found] == list(range(len(rows)))
    for place, row in enumerate(found):
        for name in ("value", "low", "high"):
            if place in codes:
                assert row[name] is None
                assert row["message"]
            else:
                assert bits([row[name]]) == bits([outputs[place][name]])


@pytest.mark.parametrize("fitted", [BINARY, TEXTS, MULTICLASS, NUMBERED, REGRESSION], ids=lambda each: each.task)
def test_every_task_answers_in_bulk_as_live(fitted: FittedTask) -> None:
    version = version_of("delay", 1, build_model(0.7, FEATURES, fitted), FEATURES)
    rows = [{"distance": number / 7, "night": number % 2 == 0} for number in range(30)] + [{"night": True}]
    outputs, codes = alive(version, rows)
    assert codes == {30: "missing_feature"}
    made = in_bulk(version, rows)
    for place, row in enumerate(made.to_pylist()[:-1]):
        for output in version.outputs.outputs:
            live = outputs[place][output.name]
            value = version.outputs.labels[live] if output.kind == "label" else live
            assert row[output.name] == value
    assert made.to_pylist()[-1]["error"] == "missing_feature"
    assert all(made.to_pylist()[-1][output.name] is None for output in version.outputs.outputs)
    metadata = logs.metadata(made)
    assert (metadata["job"], metadata["part"], metadata["digest"]) == ("job", "0", version.digest)
    assert json.loads(metadata.get("classes", "[]")) == list(version.outputs.classes)


def test_a_message_says_what_the_open_inference_protocol_says(limited: LoadedVersion) -> None:
    good = {"distance": 1.0, "seats": 3, "night": True, "carrier": "AA", "origin": "EWR"}
    rows = [good, good | {"distance": 6_000.0, "carrier": "ZZ"}]
    tensors = [
        protocol.Tensor(name, [2, 1], DATATYPES[LIMITED[name].type], [row[name] for row in rows]) for name in good
    ]
    sent = sent_rows.rows(protocol.InferenceRequest(inputs=tensors), limited.schema, "id")
    live = limited.schema.columns(sent.ids, sent.entities, sent.event_times, sent.values, sent.source)
    made = in_bulk(limited, rows).to_pylist()
    assert {1: made[1]["message"]} == {k: str(v) for k, v in invalid_rows(live, limited.schema, NOW).items()}
    assert made[0]["error"] is None


def test_entities_and_event_times_are_passed_on_and_impossible_times_are_refused(limited: LoadedVersion) -> None:
    row = {"distance": 1.0, "night": True, "origin": "EWR"}
    times = [NOW, NOW + timedelta(days=2), datetime(1800, 1, 1, tzinfo=UTC), None]
    made = in_bulk(
        limited, [row] * 4, entity=pa.array(["a", None, "b", "c"]), event_time=pa.array(times, logs.TIMESTAMP)
    )
    assert made.column("entity").to_pylist() == ["a", None, "b", "c"]
    assert made.column("event_time").to_pylist() == times
    assert made.column("error").to_pylist() == [None, "bad_event_time", "bad_event_time", None]
    assert made.column("value").is_valid().to_pylist() == [True, False, False, True]


def test_an_answer_that_is_not_needed_ends_before_its_next_slice(limited: LoadedVersion) -> None:
    row, asked = {"distance": 1.0, "night": True, "origin": "EWR"}, iter([False, True])
    batch = batch_of([row] * 10_000, limited.schema.features, about(limited))
    with pytest.raises(ScoringCancelledError):
        answer(limited, batch, about(limited), NOW, lambda: next(asked))
    assert next(asked, None) is None


def test_columns_that_do_not_fit_refuse_all_rows_before_any_is_scored(limited: LoadedVersion) -> None:
    features = {"distance": Feature(type="category"), "night": Feature(type="bool")}
    batch = batch_of([{"distance": "far", "night": True}], features, about(limited))
    with pytest.raises(RequestRefusedError) as refused:
        answer(limited, batch, about(limited), NOW)
    assert refused.value.code == "schema_mismatch"
    assert "do not fit the version" in str(refused.value)
    assert "distance" in str(refused.value)
    assert "origin" in str(refused.value)


def test_dictionaries_nulls_and_slices_are_read_as_plain_columns(limited: LoadedVersion) -> None:
    many = 10_000
    rows = [
        {
            "distance": place % 5_000,
            "night": place % 3 == 0,
            "origin": f"O{place % 7}",
            "carrier": ("AA", None)[place % 2],
        }
        for place in range(many)
    ]
    plain = batch_of(rows, LIMITED, about(limited))
    encoded = plain.set_column(4, plain.schema.field(4).name, plain.column(4).dictionary_encode())
    encoded = encoded.set_column(1, plain.schema.field(1).name, pa.nulls(many)).replace_schema_metadata(
        plain.schema.metadata
    )
    first, second = (answer(limited, each, about(limited, 100), NOW) for each in (plain, encoded))
    assert first.equals(second)
    assert first.column("row")[0].as_py() == 100
    assert first.column("error").null_count == many


def test_nan_is_a_missing_number(limited: LoadedVersion) -> None:
    rows = [
        {"distance": float("nan"), "night": True, "origin": "EWR"},
        {"distance": 1.0, "night": True, "origin": "EWR"},
    ]
    assert in_bulk(limited, rows).column("error").to_pylist() == ["missing_feature", None]


@pytest.mark.parametrize(
    "value",
    [
        b"", b"{}", scores.encode(pa.RecordBatch.from_pydict({"a": [1]}))[:-20],
        scores.encode(pa.RecordBatch.from_pydict({"a": pa.nulls(scores.MAX_ROWS + 1)})),
    ],
    ids=["nothing", "json", "cut", "too many rows"],
)  # fmt: skip
def test_what_is_no_record_batch_is_refused(value: bytes) -> None:
    with pytest.raises(scores.InvalidScoreRequestError):
        scores.decode(value)


def test_metadata_without_a_version_is_refused(limited: LoadedVersion) -> None:
    metadata = about(limited).metadata()
    assert ScoreRequest.of(pa.schema([], metadata=metadata)) == about(limited)
    for name in metadata:
        with pytest.raises(scores.InvalidScoreRequestError, match=name):
            ScoreRequest.of(pa.schema([], metadata={k: v for k, v in metadata.items() if k != name}))


@pytest.mark.medium
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bytes_that_were_changed_are_an_answer_or_refused(limited: LoadedVersion, data: st.DataObject) -> None:
    rows = [{"distance": 1.0, "night": True, "origin": name, "carrier": "AA"} for name in ("EWR", "JFK", "EWR")]
    batch = batch_of(rows, LIMITED, about(limited))
    place = batch.schema.get_field_index("feature.origin")
    encoded = batch.set_column(place, "feature.origin", batch.column(place).dictionary_encode())
    value = bytearray(scores.encode(encoded.replace_schema_metadata(batch.schema.metadata)))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        sent = scores.decode(bytes(value))
        made = answer(limited, sent, ScoreRequest.of(sent.schema), NOW)
    except (scores.InvalidScoreRequestError, RequestRefusedError):
        return
    assert made.num_rows == sent.num_rows
