"""Decodes a message of the two logs into rows of a feedback table."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from rondo.contracts.events import logs

_MODEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
FOLDER = "feedback"
_REQUIRED = {logs.PREDICTIONS_LOG: logs.predictions_schema({}, ()), logs.OUTCOMES_LOG: logs.OUTCOMES_SCHEMA}
_TYPES = (pa.string(), pa.bool_(), pa.int64(), pa.float32(), pa.float64(), logs.TIMESTAMP)
_LISTS = {logs.PROBABILITIES: pa.list_(pa.float32())}
_TABLES = {logs.PREDICTIONS_LOG: "predictions", logs.OUTCOMES_LOG: "outcomes"}


class UnreadableLogError(ValueError):
    """A log message does not have the guaranteed format, because of a bug or an unknown writer."""


@dataclass(frozen=True)
class LogRows:
    """The rows of one message, their model and their table."""

    model: str
    table: str
    rows: pa.Table


def read(topic: str, value: bytes | None) -> LogRows:
    """Decode one message.

    Raises:
        UnreadableLogError: it is not Arrow, or not a micro-batch of the log.

    """
    try:
        batch = logs.decode(value or b"")
        about = logs.metadata(batch)
        model = about["model"]
        answered = (int(about["model_version"]), about["role"]) if topic == logs.PREDICTIONS_LOG else None
    except (pa.ArrowException, OSError) as error:
        raise UnreadableLogError(f"not an Arrow IPC stream ({error})") from None
    except (KeyError, ValueError) as error:
        raise UnreadableLogError(f"the schema's metadata lacks model, version or role ({error})") from None
    if not _MODEL.fullmatch(model):
        raise UnreadableLogError(f"{model[:80]!r} is not a valid model name")
    rows = pa.Table.from_batches([batch]).replace_schema_metadata(None)
    _check_columns(rows.schema, _REQUIRED[topic])
    if answered is not None:
        version, role = answered
        rows = rows.append_column("model_version", pa.repeat(pa.scalar(version, pa.int64()), rows.num_rows))
        rows = rows.append_column("role", pa.repeat(pa.scalar(role, pa.string()), rows.num_rows))
    return LogRows(model, table_of(model, topic), rows)


def with_positions(rows: pa.Table, offset: int) -> pa.Table:
    """Append each row's position in the log. Readers order outcomes with it that became known at the same time."""
    offsets = pa.repeat(pa.scalar(offset, pa.int64()), rows.num_rows)
    places = pa.array(range(rows.num_rows), pa.int64())
    return rows.append_column(logs.LOG_OFFSET, offsets).append_column(logs.LOG_ROW, places)


def _check_columns(schema: pa.Schema, required: pa.Schema) -> None:
    """Refuse rows that can't be appended to the table, because the landing would fail on them repeatedly.

    Raises:
        UnreadableLogError: a column is missing, occurs twice, or has a type that no writer of the logs uses.

    """
    if len(set(schema.names)) < len(schema.names):
        raise UnreadableLogError("two columns have the same name")
    for wanted in required:
        if wanted.name not in schema.names or schema.field(wanted.name).type != wanted.type:
            raise UnreadableLogError(f"it has no column {wanted.name} of the type {wanted.type}")
    if others := [f"{f.name} ({f.type})" for f in schema if not _is_known(f)]:
        raise UnreadableLogError(f"a log has no columns such as {', '.join(others[:5])}")


def _is_known(field: pa.Field) -> bool:
    # A list never becomes text, so a column is a list in all messages or in none.
    return field.type == _LISTS[field.name] if field.name in _LISTS else field.type in _TYPES


def table_of(model: str, topic: str) -> str:
    """Return the feedback table of a model for a log."""
    return f"{FOLDER}/{model}/{_TABLES[topic]}"
