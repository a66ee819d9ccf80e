"""Decoding of log messages, and of messages that are not valid."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.events import logs
from rondo.monitor.errors import UnreadableLogError
from rondo.monitor.stream.log_messages import concatenated, read_outcomes, read_predictions

from tests.monitor.builders import (
    DIGEST,
    DIGEST_2,
    EPOCH,
    MODEL,
    encode_outcomes,
    encode_predictions,
    outcomes,
    predictions,
    rows,
    times,
)
from tests.monitor.streams import MULTICLASS, REGRESSION

TABLE = predictions(rows(np.random.default_rng(0), 3), times(0, 3), ["a", "b", "c"])


def encode_with_model(model: str) -> bytes:
    table = TABLE.replace_schema_metadata(logs.version_metadata(model, 1, DIGEST, "primary"))
    return logs.encode(table.to_batches()[0])


UNMADE = TABLE.set_column(3, "made_at", pa.nulls(3, logs.TIMESTAMP))


def test_a_message_carries_model_version_and_digest() -> None:
    read = read_predictions(encode_predictions(TABLE, 4))
    assert (read.model, read.version, read.digest, read.rows.num_rows) == (MODEL, 4, DIGEST, 3)


def test_neighbours_of_a_version_are_concatenated_in_order() -> None:
    first, other = encode_predictions(TABLE), encode_predictions(TABLE, 2, DIGEST_2)
    read = concatenated(read_predictions(value) for value in (first, first, other, first))
    assert [(each.version, each.rows.num_rows) for each in read] == [(1, 6), (2, 3), (1, 3)]


def test_the_probability_of_each_class_is_dropped() -> None:
    """The tasks decide which other outputs count, and these may have any name."""
    many = predictions(MULTICLASS.rows(np.random.default_rng(0), 3), times(0, 3), ["a", "b", "c"])
    outputs = {"output.label", "output.score"}
    assert columns(read_predictions(encode_predictions(many)).rows, "output.") == outputs
    other = TABLE.drop_columns(["output.score"]).append_column(
        "output.expected", pa.array([0.5, 1.5, 2.5], pa.float32())
    )
    assert columns(read_predictions(encode_predictions(other)).rows, "output.") == {"output.expected"}
    numbers = predictions(REGRESSION.rows(np.random.default_rng(0), 3), times(0, 3), ["a", "b", "c"])
    found = read_predictions(encode_predictions(numbers)).rows
    assert columns(found, "output.") == {"output.value", "output.low", "output.high"}


def columns(table: pa.Table, prefix: str) -> set[str]:
    return {name for name in table.column_names if name.startswith(prefix)}


def test_an_outcome_is_a_number_or_a_text() -> None:
    mixed = outcomes(["a", "b", "c"], np.array([2.5, np.nan, np.nan]), [EPOCH] * 3)
    mixed = mixed.set_column(3, "outcome_label", pa.array([None, "oak", None], pa.string()))
    rows = read_outcomes(b"loans", encode_outcomes(mixed)).rows
    assert rows.select(["id", "outcome_label"]).to_pylist() == [
        {"id": "a", "outcome_label": None}, {"id": "b", "outcome_label": "oak"}
    ]  # fmt: skip


def test_outcomes_that_are_not_finite_are_dropped() -> None:
    value = encode_outcomes(outcomes(["a", "b"], np.array([1.0, np.nan]), [EPOCH, EPOCH]))
    assert read_outcomes(b"loans", value).rows.column("id").to_pylist() == ["a"]


def test_outcomes_that_are_labels_are_kept() -> None:
    value = encode_outcomes(outcomes(["a"], None, [EPOCH], labels=["oak"]))
    assert read_outcomes(b"loans", value).rows.select(["outcome", "outcome_label"]).to_pylist() == [
        {"outcome": None, "outcome_label": "oak"}
    ]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "it is not an Arrow IPC stream"),
        (b"not arrow at all", "it is not an Arrow IPC stream"),
        (encode_predictions(TABLE.drop_columns(["output.score"])), "a column output.… is missing"),
        (logs.encode(TABLE.to_batches()[0]), "its metadata lacks 'model_version'"),
        (encode_with_model("lo\x00ans"), "is not a valid name"),
        (encode_predictions(UNMADE), "column made_at has null values"),
    ],
)
def test_an_unreadable_message_is_refused_with_the_reason(value: bytes, why: str) -> None:
    with pytest.raises(UnreadableLogError) as error:
        read_predictions(value)
    assert why in error.value.why
    assert (error.value.topic, error.value.code) == (logs.PREDICTIONS_LOG, "unreadable_log")
    assert str(error.value).startswith("skipped a message of predictions.log: ")
    assert "the message stays in Kafka, rondo.contracts.events.logs defines the expected format" in str(error.value)


@pytest.mark.parametrize(
    ("key", "column", "named"), [(None, None, "key"), (b"lo\x00ans", None, "name"), (b"loans", "known_at", "known_at")]
)
def test_outcomes_without_a_model_or_a_column_are_refused(key: bytes | None, column: str | None, named: str) -> None:
    rows = outcomes(["a"], np.ones(1), [EPOCH])
    with pytest.raises(UnreadableLogError) as caught:
        read_outcomes(key, encode_outcomes(rows.drop_columns([column] if column else [])))
    assert (caught.value.topic, caught.value.code) == (logs.OUTCOMES_LOG, "unreadable_log")
    assert named in caught.value.why
