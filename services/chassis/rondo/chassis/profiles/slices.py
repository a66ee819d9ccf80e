"""Finds the slices of a reference that each row belongs to: at most one for each column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.events.logs import FEATURE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import SliceReference

# A code has a digit for each column, and fits into int64.
MOST_COLUMNS, MOST_VALUES = 8, 50


def texts(values: pa.Array) -> pa.Array:
    """Convert the values of a feature, texts or float32, to the form of `SliceReference.value`."""
    if not pa.types.is_floating(values.type):
        return values.cast(pa.string()).fill_null("")
    known = values.dictionary_encode()
    named = pa.array([_number(each) for each in known.dictionary.to_pylist()], pa.string())
    return named.take(known.indices).fill_null("")


def _number(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else str(np.float32(value))


@dataclass(frozen=True)
class Slices:
    """The values of each column, in the order of the reference. Slice number i is the i-th of all values."""

    columns: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, slices: Sequence[SliceReference]) -> Slices:
        found: dict[str, list[str]] = {}
        for each in slices:
            found.setdefault(each.column, []).append(each.value)
        return cls(tuple((column, tuple(values)) for column, values in found.items()))

    def codes(self, rows: pa.Table) -> NDArray[np.int64]:
        """Return a code of the slices of each row of `predictions.log`, shape `[rows]`."""
        codes = np.zeros(rows.num_rows, np.int64)
        for column, values in self.columns:
            digits = np.zeros(rows.num_rows, np.int64)
            if (name := f"{FEATURE}{column}") in rows.column_names:
                named = texts(rows.column(name).combine_chunks())
                found = pc.index_in(named, pa.array(values, pa.string()))
                digits = np.asarray(found.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)) + 1
            codes = codes * (len(values) + 1) + digits
        return codes

    def members(self, codes: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Yield the number of each slice that has rows, and a mask of its rows."""
        last = sum(len(values) for _, values in self.columns)
        for _, values in reversed(self.columns):
            codes, digits = np.divmod(codes, len(values) + 1)
            last -= len(values)
            for digit in np.unique(digits[digits > 0]).tolist():
                yield last + digit - 1, digits == digit
