"""The distinct texts of a column, and the share of them that matches a form."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_MOST_VALUES = 20
# Texts that programs write for a missing value.
_PLACEHOLDER = r"(?i)^(?:n/?a|#n/a|null|none|nil|-+|\?+|\.+|missing|unknown|nan)$"


def is_placeholder(text: str) -> bool:
    """Return whether a text stands for a missing value."""
    return re.match(_PLACEHOLDER, text) is not None


@dataclass(frozen=True)
class DistinctTexts:
    """Distinct texts, and the number of rows with each."""

    values: pa.Array
    counts: pa.Array

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> DistinctTexts:
        counts = column.drop_null().value_counts()
        return cls(counts.field("values"), counts.field("counts"))

    @property
    def total(self) -> int:
        return pc.sum(self.counts).as_py() or 0

    def matching(self, pattern: str) -> int:
        """Return the number of rows that match."""
        return self.only(pattern).total

    def share(self, pattern: str) -> float:
        """Return the share of the rows that match. Rows with a text for a missing value do not count."""
        real = self.total - self.matching(_PLACEHOLDER)
        return self.matching(pattern) / real if real else 0.0

    def only(self, pattern: str) -> DistinctTexts:
        return self.where(self.matches(pattern))

    def matches(self, pattern: str) -> pa.Array:
        return pc.match_substring_regex(self.values, pattern)

    def where(self, mask: pa.Array) -> DistinctTexts:
        return DistinctTexts(self.values.filter(mask), self.counts.filter(mask))

    def weighed(self, numbers: pa.Array) -> float:
        return float(pc.sum(pc.multiply(numbers.cast(pa.float64()), self.counts.cast(pa.float64()))).as_py())

    def frequent(self) -> tuple[tuple[str, int], ...]:
        order = pc.array_sort_indices(self.counts, order="descending")[:_MOST_VALUES]
        return tuple(zip(self.values.take(order).to_pylist(), self.counts.take(order).to_pylist(), strict=True))
