"""The inference log of one version: rows with their outputs as Arrow record batches and IPC streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.events import inference_cost, logs
from rondo.contracts.vocabularies import RouteRole
from rondo.serving.prediction_log.cost_meter import CostMeter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.events.inference_cost import InferenceCost
    from rondo.contracts.spec.model import Feature
    from rondo.contracts.tasks.base import Output
    from rondo.serving.outputs.schema import Outputs, OutputSchema
    from rondo.serving.requests.rows import Rows

# Half of the topic's limit, because the halves of a batch differ in size.
MAX_BYTES = 4 * 1024 * 1024
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
CONTENT_TYPE = "application/vnd.apache.arrow.stream"


class VersionLog:
    """Builds and encodes the log of one version in one role."""

    def __init__(
        self,
        model: str,
        model_version: int,
        digest: str,
        features: Mapping[str, Feature],
        outputs: OutputSchema,
        role: str = RouteRole.PRIMARY,
        meter: CostMeter | None = None,
        share: float | None = None,
    ) -> None:
        self.model, self.role, self.share, self.meter = model, role, share, meter or CostMeter()
        self._version = (model_version, digest)
        classes = outputs.classes if any(each.kind == "probabilities" for each in outputs.outputs) else ()
        self._schema = logs.predictions_schema(features, outputs.outputs).with_metadata(
            logs.version_metadata(model, model_version, digest, role, classes, share)
        )
        self._features, self._outputs = features, outputs
        self._schema_message = self._schema.serialize().to_pybytes()
        self._classes = outputs.classes

    def in_role(self, role: str, share: float | None = None) -> VersionLog:
        """Return the log of the same version in another role, with a canary's share."""
        if (role, share) == (self.role, self.share):
            return self
        return VersionLog(self.model, *self._version, self._features, self._outputs, role, self.meter, share)

    def batch(self, rows: Rows, outputs: Outputs, made_at: datetime) -> pa.RecordBatch:
        """Return N rows with their outputs as a record batch. All outputs were made at the same time."""
        made = pa.repeat(pa.scalar(made_at, logs.TIMESTAMP), len(rows))
        head = [pa.array(rows.ids, pa.string()), pa.array(rows.entities, pa.string())]
        times = [pa.array(rows.event_times, logs.TIMESTAMP), made]
        answers = [self._output(output, outputs[output.name]) for output in self._outputs.outputs]
        return pa.RecordBatch.from_arrays([*head, *times, *self._values(rows), *answers], schema=self._schema)

    def _values(self, rows: Rows) -> Iterator[pa.Array]:
        """Yield the columns of the features. Columns of numbers in one array are slices of one Arrow array.

        A separate array for each column took as long as the inference of a row.
        """
        numbers, count, start = rows.numbers, len(rows), 0
        whole = None if numbers is None else pa.array(numbers.ravel(), from_pandas=bool(np.isnan(numbers).any()))
        for name, feature in self._features.items():
            if feature.type == "category":
                texts = rows.columns[name].tolist()
                yield pa.array([text or None for text in texts] if "" in texts else texts, pa.string())
            elif whole is None:
                yield pa.array(rows.columns[name], from_pandas=True)  # NaN is null
            else:
                yield whole.slice(start, count)
                start += count

    def _output(self, output: Output, values: NDArray[Any]) -> pa.Array:
        match output.kind:
            case "number":
                return pa.array(values)
            case "label":
                # `take` of Arrow costs as much as the inference of one row.
                return pa.array([self._classes[place] for place in values.tolist()], pa.string())
            case "probabilities":
                return _lists(values)

    def encode(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        """Yield a batch as Arrow IPC streams of at most about 4 MiB, which is one stream unless texts are very long.

        A batch without rows is written if it has a cost.
        """
        cost = self.meter.due()
        if cost is None and not batch.num_rows:
            return
        yield from self._encoded(batch, self._schema_message if cost is None else self._with_cost(cost))

    def encode_cost(self, cost: InferenceCost) -> Iterator[bytes]:
        """Yield a batch without rows, with this cost."""
        nothing = [pa.array([], field.type) for field in self._schema]
        yield from self._encoded(pa.RecordBatch.from_arrays(nothing, schema=self._schema), self._with_cost(cost))

    def _with_cost(self, cost: InferenceCost) -> bytes:
        metadata = {**(self._schema.metadata or {}), inference_cost.KEY: cost.text}
        encoded: bytes = self._schema.with_metadata(metadata).serialize().to_pybytes()
        return encoded

    def _encoded(self, batch: pa.RecordBatch, schema: bytes) -> Iterator[bytes]:
        # An IPC stream consists of its schema, its batches and this mark. A writer would encode the schema for each
        # stream.
        record = b"".join((schema, batch.serialize(), _END_OF_STREAM))
        if len(record) <= MAX_BYTES or batch.num_rows <= 1:
            yield record
            return
        half = batch.num_rows // 2
        yield from self._encoded(batch.slice(0, half), schema)
        yield from self._encoded(batch.slice(half), self._schema_message)


def row_bytes(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return the approximate bytes of each of N rows, shape [N]: those of its texts, and 8 for each other value."""
    sizes = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        if pa.types.is_string(column.type):
            sizes += pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False)
        elif pa.types.is_list(column.type):
            sizes += 8 * pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
        else:
            sizes += 8
    return sizes


def _lists(values: NDArray[np.float32]) -> pa.Array:
    """Return an array of N lists of K values, shape [N, K]."""
    rows, width = values.shape
    ends = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values.ravel()))
