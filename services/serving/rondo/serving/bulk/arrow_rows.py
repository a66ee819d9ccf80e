"""Converts rows of a record batch to the form of live requests: float32 and text columns, NaN and "" for null."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.events import scores
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from rondo.serving.requests.rows import Column
    from rondo.serving.requests.schema import RequestSchema


@dataclass(frozen=True, slots=True)
class _Source:
    """The source of rows of a record batch from row `start` on. Messages count the rows from `named_from`."""

    batch: pa.RecordBatch
    names: Iterable[str]
    start: int
    named_from: int

    def features(self, row: int) -> Mapping[str, Any]:
        found = {}
        for name in self.names:
            place = self.batch.schema.get_field_index(scores.column_of(name))
            if place >= 0:
                value = self.batch.column(place)[self.start + row].as_py()
                found[name] = None if isinstance(value, float) and math.isnan(value) else value
        return found

    def where(self, row: int) -> str:
        return f" at row {self.named_from + row}"


class BulkColumns:
    """The features of a whole record batch as columns, from which slices of rows are taken without a copy."""

    def __init__(self, batch: pa.RecordBatch, schema: RequestSchema, first_row: int) -> None:
        """Convert the columns.

        Raises:
            RequestRefusedError: a column is missing, or has a type that does not convert to that of the feature.

        """
        features = schema.features
        types = {name.removeprefix(scores.column_of("")): kind for name, kind in _types(batch).items()}
        if found := scores.misfits(features, types, "serving"):
            message = f"the columns do not fit the version: {'; '.join(found)}; send the features of its signature"
            raise RequestRefusedError("schema_mismatch", message, schema.model)
        self._batch, self._schema, self._first_row = batch, schema, first_row
        numeric = [name for name, feature in features.items() if feature.type != "category"]
        self._numeric = numeric
        self._numbers = np.empty((len(numeric), batch.num_rows), np.float32)
        for place, name in enumerate(numeric):
            self._numbers[place] = _numbers(_column(batch, name))
        self._texts = {name: _texts(_column(batch, name)) for name in schema.texts}
        required = [place for place, name in enumerate(numeric) if not features[name].optional]
        # The decoder refuses a live request with a missing number. NaN passes all limits.
        self._lacking: NDArray[np.bool_] = np.any(np.isnan(self._numbers[required]), axis=0)

    def slice(self, start: int, stop: int) -> tuple[Rows, NDArray[np.intp]]:
        """Return some rows, and the numbers of rows without a required number."""
        numbers = self._numbers[:, start:stop]
        count = numbers.shape[1]
        found: dict[str, Column] = dict(zip(self._numeric, numbers, strict=True))
        found |= {name: column[start:stop] for name, column in self._texts.items()}
        columns = {name: found[name] for name in self._schema.features}
        source = _Source(self._batch, self._schema.features, start, self._first_row + start)
        nothing = [None] * count
        rows = Rows([""] * count, nothing, nothing, columns, source, numbers)
        return rows, np.flatnonzero(self._lacking[start:stop])


def _types(batch: pa.RecordBatch) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in batch.schema if field.name.startswith(scores.column_of(""))}


def _column(batch: pa.RecordBatch, feature: str) -> pa.Array:
    place = batch.schema.get_field_index(scores.column_of(feature))
    return batch.column(place) if place >= 0 else pa.nulls(batch.num_rows)


def _numbers(column: pa.Array) -> NDArray[Any]:
    """Return numbers with NaN for null. Whole numbers are converted by float64, as JSON's are, to float32."""
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan, np.float32)
    if not pa.types.is_floating(column.type):
        column = pc.cast(column, pa.uint8()) if pa.types.is_boolean(column.type) else column
        column = pc.cast(column, pa.float64(), safe=False)
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and the limits refuse it
        values: NDArray[Any] = column.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return values


def _texts(column: pa.Array) -> NDArray[np.object_]:
    """Return texts with "" for null. Equal texts share one object."""
    if pa.types.is_null(column.type):
        return np.full(len(column), "", np.object_)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = column.dictionary.to_pylist()
    different = np.empty(len(words) + 1, np.object_)
    different[:] = [*(word or "" for word in words), ""]
    places = pc.fill_null(pc.cast(column.indices, pa.int64()), len(words)).to_numpy(zero_copy_only=False)
    found: NDArray[np.object_] = different[places]
    return found
