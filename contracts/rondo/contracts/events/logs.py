"""The two columnar logs: Arrow IPC streams, one message per micro-batch.

`predictions.log` has one column per feature, prefixed `feature.`, and one per output, prefixed `output.`. A micro-batch
has the rows of one model version. The schema's metadata has the version, its role, the cost of the inference (see
`inference_cost`) and, if the version gives probabilities, the classes in their order. `outcomes.log` holds the outcomes
of one model. Timestamps are microseconds UTC.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.tasks.base import Output, OutputKind, Storage

PREDICTIONS_LOG = "predictions.log"
OUTCOMES_LOG = "outcomes.log"
FEATURE, OUTPUT = "feature.", "output."
SHARE = "share"
# The one column of lists, with a float32 for each class of the version.
PROBABILITIES = f"{OUTPUT}probabilities"
# Ingestion adds these columns to the outcomes: the offset of the message in the log, and the row within the message.
# All outcomes of a model are in one partition, so the two columns order them.
LOG_OFFSET, LOG_ROW = "log_offset", "log_row"
TIMESTAMP = pa.timestamp("us", tz="UTC")
_ARROW = {"category": pa.string(), "float": pa.float32(), "int": pa.float32(), "bool": pa.float32()}
_OUTPUTS: Mapping[OutputKind, pa.DataType] = {
    "number": pa.float32(), "label": pa.string(), "probabilities": pa.list_(pa.float32()),
}  # fmt: skip

# An outcome is in one of the two columns of `OUTCOME_COLUMNS`. The other column is null.
OUTCOMES_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("entity", pa.string()),
        ("outcome", pa.float64()),
        ("outcome_label", pa.string()),
        ("known_at", TIMESTAMP),
    ]
)
# The column of an outcome by the storage of the task's labels (`Labels.storage`).
OUTCOME_COLUMNS: Mapping[Storage, str] = {"number": "outcome", "text": "outcome_label"}


def predictions_schema(features: Mapping[str, Feature], outputs: Iterable[Output]) -> pa.Schema:
    """Return the columns of a micro-batch: id, entity, event_time, made_at, the features, the outputs.

    Numbers are float32, as in the inputs and outputs of the model. A missing number is null. A label is a text,
    including `0` and `1`. Probabilities are in the order of the classes in the metadata. The types of all features are
    known.
    """
    head = [("id", pa.string()), ("entity", pa.string()), ("event_time", TIMESTAMP), ("made_at", TIMESTAMP)]
    columns = [(f"{FEATURE}{name}", _ARROW[feature.type]) for name, feature in features.items()]
    return pa.schema([*head, *columns, *((output.tensor, _OUTPUTS[output.kind]) for output in outputs)])


def version_metadata(
    model: str, model_version: int, digest: str, role: str, classes: Sequence[str] = (), share: float | None = None
) -> dict[str, str]:
    """Return the schema metadata of a micro-batch of `predictions.log`: the version that answered, and its role.

    Training sets, joins and findings use only the rows of the primary, so the rows of a shadow count nothing twice.
    `classes` are those of the probabilities, written as JSON. The key is left out if there are none. `share` is the
    part of the keys, from 0 to 1, that a canary answers. Other roles have none.
    """
    about = {"model": model, "model_version": str(model_version), "digest": digest, "role": role}
    about |= {} if share is None else {SHARE: str(share)}
    return about | ({"classes": json.dumps(list(classes))} if classes else {})


def encode(batch: pa.RecordBatch) -> bytes:
    """Encode one micro-batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def decode(value: bytes) -> pa.RecordBatch:
    """Decode the micro-batch that `encode` wrote. The metadata is in the batch's schema.

    A stream of another program may have several batches, or none. They are concatenated into one.

    Raises:
        pyarrow.ArrowInvalid: the bytes are not an Arrow IPC stream.

    """
    with pa.ipc.open_stream(value) as reader:
        table = reader.read_all()
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def metadata(batch: pa.RecordBatch) -> dict[str, str]:
    """Return a micro-batch's metadata as text."""
    return {key.decode(): value.decode() for key, value in (batch.schema.metadata or {}).items()}
