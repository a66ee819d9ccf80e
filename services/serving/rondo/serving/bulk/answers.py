"""Scores a record batch by one version, slice by slice, with the validation and the model of live requests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.events import logs, scores
from rondo.contracts.times import EARLIEST, MOST_AHEAD
from rondo.serving.bulk import copied_columns
from rondo.serving.bulk.arrow_rows import BulkColumns
from rondo.serving.errors import RequestRefusedError, ScoringCancelledError
from rondo.serving.inference.scoring import score
from rondo.serving.outputs.schema import take_rows
from rondo.serving.requests.event_times import invalid_event_time
from rondo.serving.requests.request_errors import no_prediction
from rondo.serving.requests.validation import explain_row, invalid_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Output
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.outputs.schema import Outputs, OutputSchema

    Refused = dict[int, RequestRefusedError]

# The rows of one inference. A live request waits at most for a part of a slice to release the interpreter, and a slice
# fits the processor's caches.
_SLICE = 4_096
# The number of rows in a message whose error sentence is sent. All others only have the code.
_EXPLAINED = 1_000


def answer(
    version: LoadedVersion,
    batch: pa.RecordBatch,
    request: scores.ScoreRequest,
    now: datetime,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> pa.RecordBatch:
    """Return a row for each row of a request, with its outputs or its error.

    Raises:
        ScoringCancelledError: `is_cancelled` returned True before a slice.
        RequestRefusedError: no row can be scored, because the columns do not fit the features of the version, the rows
            and their answers take too much memory, or the entities or event times can't be read.

    """
    _require_bounded(version, batch)
    copied_columns.require_distinct(batch)
    entities, times = copied_columns.entities(batch), copied_columns.event_times(batch)
    columns = BulkColumns(batch, version.schema, request.first_row)
    refused = _invalid_times(times, request.first_row, now)
    outputs = version.outputs.unanswerable(batch.num_rows)
    for start in range(0, batch.num_rows, _SLICE):
        if is_cancelled():
            raise ScoringCancelledError
        stop = min(start + _SLICE, batch.num_rows)
        refused |= _score_slice(version, columns, (start, stop), refused.keys(), outputs, now)
    return _batch(version, (entities, times), request, outputs, refused)


def _require_bounded(version: LoadedVersion, batch: pa.RecordBatch) -> None:
    """Refuse rows whose matrix or answer is too large.

    The size of the message does not limit either: features may be absent, and the number of classes is that of the
    model.
    """
    outputs = version.outputs
    values = 2 * len(version.schema.features) + sum(math.prod(outputs.shape(each, 1)) for each in outputs.outputs)
    place = batch.schema.get_field_index(scores.ENTITY)
    entities = 0 if place < 0 else scores.text_bytes(batch.select([place]))
    size = 4 * values * batch.num_rows + entities
    if size > scores.MAX_BYTES:
        rows = f"{batch.num_rows:,} rows and their answers take {size:,} bytes"
        message = f"{rows}, and {scores.MAX_BYTES:,} is the limit: send fewer rows at once"
        raise RequestRefusedError("too_large", message, version.model)


def _score_slice(
    version: LoadedVersion,
    columns: BulkColumns,
    bounds: tuple[int, int],
    known: Iterable[int],
    outputs: Outputs,
    now: datetime,
) -> Refused:
    """Write the outputs of the rows from `bounds[0]` up to `bounds[1]`, and return the errors of refused rows."""
    start, stop = bounds
    rows, lacking = columns.slice(start, stop)
    refused = invalid_rows(rows, version.schema, now)
    refused |= {row: explain_row(row, rows, version.schema) for row in lacking.tolist() if row not in refused}
    left_out = refused.keys() | {row - start for row in known if start <= row < stop}
    kept: Any = slice(None)
    if left_out:
        kept = np.array([row for row in range(stop - start) if row not in left_out], np.intp)
        if not len(kept):
            return {start + row: error for row, error in refused.items()}
        mine = rows.take(kept.tolist())
    else:
        mine = rows
    found = score(version, mine.columns, len(mine), timed=False)
    answerable = version.outputs.answerable(found)
    if not answerable.all():
        places = np.arange(stop - start)[kept]
        refused |= {row: no_prediction(rows.source.where(row)) for row in places[~answerable].tolist()}
        kept, found = places[answerable], take_rows(found, np.flatnonzero(answerable).tolist())
    for name, values in found.items():
        outputs[name][start:stop][kept] = values
    return {start + row: error for row, error in refused.items()}


def _invalid_times(times: pa.Array, first_row: int, now: datetime) -> Refused:
    earliest, latest = (pa.scalar(each, logs.TIMESTAMP) for each in (EARLIEST, now + MOST_AHEAD))
    outside = pc.or_(pc.less(times, earliest), pc.greater(times, latest))
    rows = np.flatnonzero(pc.fill_null(outside, fill_value=False).to_numpy(zero_copy_only=False)).tolist()
    return {row: invalid_event_time(_described(times[row]), f" at row {first_row + row}") for row in rows}


def _described(time: pa.Scalar) -> datetime | str:
    try:
        found: datetime = time.as_py()
    except OverflowError:  # the years of a datetime are 1 to 9999
        return f"{time.value:,} µs since 1970"
    return found


def _batch(
    version: LoadedVersion,
    passed: tuple[pa.Array, pa.Array],
    request: scores.ScoreRequest,
    outputs: Outputs,
    refused: Mapping[int, RequestRefusedError],
) -> pa.RecordBatch:
    rows, shape = len(passed[0]), version.outputs
    labels = pa.int64() if shape.labels and isinstance(shape.labels[0], int) else pa.string()
    schema = scores.answer_schema(shape.outputs, labels)
    missing = np.zeros(rows, np.bool_)
    missing[list(refused)] = True
    codes: list[str | None] = [None] * rows
    messages = codes.copy()
    for number, (row, error) in enumerate(sorted(refused.items())):
        codes[row] = error.code
        messages[row] = str(error) if number < _EXPLAINED else None
    arrays = [
        pa.array(np.arange(request.first_row, request.first_row + rows)),
        *passed,
        *(_output(each, outputs[each.name], shape, missing, labels) for each in shape.outputs),
        pa.array(codes, pa.string()),
        pa.array(messages, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema.with_metadata(request.answer_metadata(shape.classes)))


def _output(
    output: Output, values: NDArray[Any], shape: OutputSchema, missing: NDArray[np.bool_], labels: pa.DataType
) -> pa.Array:
    match output.kind:
        case "number":
            return pa.array(values, mask=missing)
        case "label":
            return pa.array(shape.labels, labels).take(pa.array(values, mask=missing))
        case "probabilities":
            width = values.shape[1]
            ends = pa.array(np.arange(0, (len(values) + 1) * width, width, dtype=np.int32))
            return pa.ListArray.from_arrays(ends, pa.array(values.ravel()), mask=pa.array(missing))
