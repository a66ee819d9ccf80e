"""The entity and the event time of rows, which are copied to their answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.events import logs, scores
from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable


def require_distinct(batch: pa.RecordBatch) -> None:
    """Refuse columns with the same name.

    Arrow finds none of them by name, so rows would be scored without the feature.
    """
    if repeated := [name for name, count in Counter(batch.schema.names).items() if count > 1]:
        names = ", ".join(repeated[:5])
        raise _refused(f"the message has several columns {names}: send one of each name")


def entities(batch: pa.RecordBatch) -> pa.Array:
    """Return the entities of rows as texts.

    Raises:
        RequestRefusedError: the column has neither texts nor whole numbers.

    """
    column = _column(batch, scores.ENTITY, _is_entity, "texts or whole numbers")
    if pa.types.is_dictionary(column.type):
        # A dictionary of views can't be decoded.
        words = pc.cast(column.dictionary, pa.large_string())
        column = pa.DictionaryArray.from_arrays(column.indices, words).dictionary_decode()
    return pc.cast(column, pa.string())


def event_times(batch: pa.RecordBatch) -> pa.Array:
    """Return the event times of rows in microseconds.

    Raises:
        RequestRefusedError: the column does not have times, or has a time beyond 64 bits of microseconds.

    """
    column = _column(batch, scores.EVENT_TIME, _is_time, "timestamps")
    is_finer = pa.types.is_timestamp(column.type) and column.type.unit == "ns"
    try:
        # The conversion only cuts off what is finer than a microsecond.
        return pc.cast(column, logs.TIMESTAMP, safe=not is_finer)
    except pa.ArrowInvalid:
        raise _refused(f"a value of {scores.EVENT_TIME} is out of bounds: send microseconds since 1970") from None


def _column(batch: pa.RecordBatch, name: str, fits: Callable[[pa.DataType], bool], wanted: str) -> pa.Array:
    place = batch.schema.get_field_index(name)
    if place < 0:
        return pa.nulls(batch.num_rows)
    column = batch.column(place)
    if not fits(column.type) and not pa.types.is_null(column.type):
        raise _refused(f"the column {name} is {column.type}: send {wanted}")
    return column


def _is_entity(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_text = pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)
    return bool(is_text or pa.types.is_integer(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _refused(message: str) -> RequestRefusedError:
    return RequestRefusedError(scores.InvalidScoreRequestError.code, message)
