"""Reads a message of the two logs into the rows of a feedback table."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from rondo.contracts.events import logs

_MODEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
FOLDER = "feedback"
_TABLES = {logs.PREDICTIONS_LOG: "predictions", logs.OUTCOMES_LOG: "outcomes"}


class UnreadableLogError(ValueError):
    """A message of a log is not what its writer promises; nothing but a bug or a stranger writes such a one."""


@dataclass(frozen=True)
class LogRows:
    """The rows of one message, and the model that they are about."""

    model: str
    table: str
    rows: pa.Table


def read(topic: str, value: bytes | None) -> LogRows:
    """Read one message.

    Raises:
        UnreadableLogError: it is no Arrow, or does not say which model it is of.

    """
    try:
        batch = logs.decode(value or b"")
        about = logs.metadata(batch)
        model = about["model"]
        rows = pa.Table.from_batches([batch]).replace_schema_metadata(None)
        if topic == logs.PREDICTIONS_LOG:
            version = pa.repeat(pa.scalar(int(about["model_version"]), pa.int64()), rows.num_rows)
            rows = rows.append_column("model_version", version)
    except (pa.ArrowInvalid, StopIteration, OSError) as error:
        raise UnreadableLogError(f"it is no Arrow IPC stream with one batch ({error})") from None
    except (KeyError, ValueError) as error:
        raise UnreadableLogError(f"its schema's metadata does not name model and version ({error})") from None
    if not _MODEL.fullmatch(model):
        raise UnreadableLogError(f"{model[:80]!r} is no name of a model")
    return LogRows(model, table_of(model, topic), rows)


def table_of(model: str, topic: str) -> str:
    """Return the feedback table of a model that a log lands in."""
    return f"{FOLDER}/{model}/{_TABLES[topic]}"
