"""Messages of the logs as rows."""

from __future__ import annotations

import pyarrow as pa
import pytest
from rondo.contracts.events import logs
from rondo.ingestion.feedback.log_rows import UnreadableLogError, read

from tests.ingestion.builders import predictions

PROBABILITIES = pa.list_(pa.float32())


def test_the_version_of_the_metadata_becomes_a_column() -> None:
    found = read(logs.PREDICTIONS_LOG, predictions(0, 2, version=7))
    assert (found.model, found.table) == ("tips", "feedback/tips/predictions")
    assert found.rows["model_version"].to_pylist() == [7, 7]


def outcomes(**metadata: str) -> bytes:
    return logs.encode(pa.RecordBatch.from_pylist([], logs.OUTCOMES_SCHEMA.with_metadata(metadata)))


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (logs.OUTCOMES_LOG, None),
        (logs.OUTCOMES_LOG, b"x"),
        (logs.OUTCOMES_LOG, outcomes()),
        (logs.OUTCOMES_LOG, outcomes(model="../other")),
        (logs.OUTCOMES_LOG, predictions(0, 1)),
        (logs.PREDICTIONS_LOG, outcomes(model="tips", model_version="1", role="primary")),
        (logs.PREDICTIONS_LOG, outcomes(model="tips", model_version="1")),
        (logs.PREDICTIONS_LOG, predictions(0, 1, parts=pa.array([[1]]))),
        (logs.PREDICTIONS_LOG, predictions(0, 1, cost=pa.array([None], pa.decimal256(50, 2)))),
        (logs.PREDICTIONS_LOG, predictions(0, 1, outputs={"output.label": pa.array([[0.5]], PROBABILITIES)})),
        (logs.PREDICTIONS_LOG, predictions(0, 1, outputs={"output.probabilities": pa.array([0.5], pa.float32())})),
        (logs.PREDICTIONS_LOG, predictions(0, 1, outputs={"output.probabilities": pa.array([[0.5]])})),
        (logs.PREDICTIONS_LOG, predictions(0, 1, at=pa.array([0], pa.timestamp("us", "+05:30")))),
    ],
)
def test_a_message_that_could_not_be_landed_is_unreadable(topic: str, value: bytes | None) -> None:
    with pytest.raises(UnreadableLogError):
        read(topic, value)
