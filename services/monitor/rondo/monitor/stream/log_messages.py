"""Decodes messages of the two logs, and concatenates neighbours, so that the cost is per row and not per message."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from rondo.contracts.events import inference_cost, logs
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.contracts.text import Name
from rondo.monitor.errors import UnreadableLogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

_NAME = TypeAdapter(Name)
_PREDICTION_COLUMNS = frozenset({"id", "entity", "event_time", "made_at"})


@dataclass(frozen=True)
class Predictions:
    """Rows of `predictions.log` that one version of a model answered, the version's role, and their cost.

    `share` is the share of keys that a canary answers, from 0 to 1. None in other roles, and in older logs.
    """

    model: str
    version: int
    digest: str
    role: str
    rows: pa.Table
    cost: InferenceCost = field(default_factory=InferenceCost)
    share: float | None = None


@dataclass(frozen=True)
class Outcomes:
    """Rows of `outcomes.log` of one model."""

    model: str
    rows: pa.Table


def read_predictions(value: bytes) -> Predictions:
    """Decode a message of `predictions.log`.

    Raises:
        UnreadableLogError: the message is not an Arrow IPC stream, the model is not a valid name, or a column, the
            version, its role or a row's `made_at` is missing.

    """
    batch = _decode(logs.PREDICTIONS_LOG, value)
    metadata = logs.metadata(batch)
    columns = set(batch.schema.names)
    if missing := sorted(_PREDICTION_COLUMNS - columns):
        raise UnreadableLogError(logs.PREDICTIONS_LOG, f"the columns {', '.join(missing)} are missing")
    if not any(name.startswith(logs.OUTPUT) for name in columns):
        raise UnreadableLogError(logs.PREDICTIONS_LOG, f"a column {logs.OUTPUT}… is missing")
    if batch.column("made_at").null_count:
        raise UnreadableLogError(logs.PREDICTIONS_LOG, "column made_at has null values")
    try:
        version = int(metadata["model_version"])
        model, digest, role = metadata["model"], metadata["digest"], metadata["role"]
        share = float(metadata[logs.SHARE]) if logs.SHARE in metadata else None
    except (KeyError, ValueError) as error:
        raise UnreadableLogError(logs.PREDICTIONS_LOG, f"its metadata lacks {error}") from None
    _check_model(logs.PREDICTIONS_LOG, model)
    cost = InferenceCost.parse(metadata.get(inference_cost.KEY))
    return Predictions(model, version, digest, role, _monitored(pa.Table.from_batches([batch])), cost, share)


def read_outcomes(key: bytes | None, value: bytes) -> Outcomes:
    """Decode a message of `outcomes.log`. Its key is the model's name.

    Rows without a finite outcome and without a label are dropped.

    Raises:
        UnreadableLogError: the message is not an Arrow IPC stream, its key is not a valid name, or a column is missing.

    """
    batch = _decode(logs.OUTCOMES_LOG, value)
    if not key:
        raise UnreadableLogError(logs.OUTCOMES_LOG, "it has no key; the key must be the model's name")
    try:
        rows = pa.Table.from_batches([batch]).select(logs.OUTCOMES_SCHEMA.names).cast(logs.OUTCOMES_SCHEMA)
    except (KeyError, ValueError) as error:
        raise UnreadableLogError(logs.OUTCOMES_LOG, str(error)) from None
    finite = pc.is_finite(rows.column("outcome")).fill_null(fill_value=False)
    known = pc.or_(finite, rows.column("outcome_label").is_valid())
    model = key.decode(errors="replace")
    _check_model(logs.OUTCOMES_LOG, model)
    return Outcomes(model, rows.filter(known))


def event_times(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the event time of each row, and the time at which it was made, in microseconds."""
    made = np.asarray(rows.column("made_at").cast(pa.int64()).to_numpy())
    given = rows.column("event_time")
    given = pc.coalesce(given, rows.column("made_at")) if given.null_count else given
    return np.asarray(given.cast(pa.int64()).to_numpy()), made


def has_event_time(rows: pa.Table) -> NDArray[np.bool_]:
    """Return which rows were sent with an event time.

    The event time of the others is the time at which they were made.
    """
    return np.asarray(rows.column("event_time").is_valid().to_numpy())


def concatenated(batches: Iterable[Predictions]) -> Iterator[Predictions]:
    """Concatenate neighbours of the same version and schema. The order does not change."""
    for (model, version, digest, role, schema, share), run in groupby(batches, _group_key):
        tables = [each.rows for each in run]
        rows = pa.concat_tables(tables).combine_chunks() if len(tables) > 1 else tables[0]
        yield Predictions(model, version, digest, role, rows.cast(schema), share=share)


def _monitored(rows: pa.Table) -> pa.Table:
    """Drop the columns that the monitor does not read."""
    return rows.drop_columns([logs.PROBABILITIES]) if logs.PROBABILITIES in rows.column_names else rows


def _group_key(batch: Predictions) -> tuple[str, int, str, str, pa.Schema, float | None]:
    return batch.model, batch.version, batch.digest, batch.role, batch.rows.schema, batch.share


def _check_model(topic: str, model: str) -> None:
    """Reject a name that can't be a model's, because it becomes a key of the database and a label of metrics."""
    try:
        _NAME.validate_python(model)
    except ValidationError:
        raise UnreadableLogError(topic, f"its model {model!r} is not a valid name") from None


def _decode(topic: str, value: bytes) -> pa.RecordBatch:
    try:
        return logs.decode(value)
    except (pa.ArrowInvalid, StopIteration, OSError) as error:
        raise UnreadableLogError(topic, f"it is not an Arrow IPC stream ({error})") from None
