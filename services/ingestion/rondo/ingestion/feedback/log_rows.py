"""Decodes a message of the two logs into rows of a feedback table."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from rondo.contracts.events import logs

_MODEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
FOLDER = "feedback"
_TABLES = {logs.PREDICTIONS_LOG: "predictions", logs.OUTCOMES_LOG: "outcomes"}


class UnreadableLogError(ValueError):
    """A log message does not have the format that its writer guarantees: a bug, or an unknown writer."""


@dataclass(frozen=True)
class LogRows:
    """The rows of one message, their model and their table."""

    model: str
    table: str
    rows: pa.Table


def read(topic: str, value: bytes | None) -> LogRows:
    """Decode one message.

    Raises:
        UnreadableLogError: it is not Arrow, or its metadata does not name a model.

    """
    try:
        batch = logs.decode(value or b"")
        about = logs.metadata(batch)
        model = about["model"]
        rows = pa.Table.from_batches([batch]).replace_schema_metadata(None)
        if topic == logs.PREDICTIONS_LOG:
            version = pa.repeat(pa.scalar(int(about["model_version"]), pa.int64()), rows.num_rows)
            rows = rows.append_column("model_version", version)
            rows = rows.append_column("role", pa.repeat(pa.scalar(about["role"], pa.string()), rows.num_rows))
    except (pa.ArrowInvalid, StopIteration, OSError) as error:
        raise UnreadableLogError(f"not an Arrow IPC stream with one batch ({error})") from None
    except (KeyError, ValueError) as error:
        raise UnreadableLogError(f"the schema's metadata lacks model, version or role ({error})") from None
    if not _MODEL.fullmatch(model):
        raise UnreadableLogError(f"{model[:80]!r} is not a valid model name")
    return LogRows(model, table_of(model, topic), rows)


def with_positions(rows: pa.Table, offset: int) -> pa.Table:
    """Append each row's position in the log, by which readers order outcomes that were known at the same time."""
    offsets = pa.repeat(pa.scalar(offset, pa.int64()), rows.num_rows)
    places = pa.array(range(rows.num_rows), pa.int64())
    return rows.append_column(logs.LOG_OFFSET, offsets).append_column(logs.LOG_ROW, places)


def table_of(model: str, topic: str) -> str:
    """Return the feedback table of a model that a log is landed in."""
    return f"{FOLDER}/{model}/{_TABLES[topic]}"
