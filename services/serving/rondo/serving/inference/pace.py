"""Estimates the number of rows that a model scores within a time, from the duration of its last inference."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.serving.inference.scored import joined
from rondo.serving.requests.rows import chosen_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rondo.serving.inference.scored import Inference
    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.requests.rows import Rows


@dataclass
class Paces:
    """The seconds per row of each model's last inference, or of the warm-up before the first inference.

    Several threads may use it. The fixed cost of an inference is included in that of its rows, so for more rows the
    estimate is an upper bound. Rows in the answer cache say nothing about other rows. With a cache, a row therefore
    counts at least as much as in the warm-up.
    """

    _seconds: dict[str, tuple[int, float]] = field(default_factory=dict)

    def rows(self, served: ServedModel, seconds: float) -> int:
        """Return the number of rows that are expected to take at most `seconds`."""
        return int(seconds / max(self._row_seconds(served), 1e-9)) if seconds > 0 else 0

    def is_slow(self, served: ServedModel, seconds: float) -> bool:
        """Return whether a row of this revision is expected to take longer than `seconds`."""
        return self._row_seconds(served) > seconds

    def measured(self, served: ServedModel, rows: int, seconds: float) -> None:
        """Record the duration of an inference of `rows` rows."""
        least = served.row_seconds if any(version.cache.capacity for version in served.versions) else 0.0
        self._seconds[served.model] = served.revision, max(seconds / rows, least)

    def _row_seconds(self, served: ServedModel) -> float:
        revision, known = self._seconds.get(served.model, (0, 0.0))
        return known if revision == served.revision else served.row_seconds

    def infer(self, infer: Callable[[ServedModel, Rows], Inference], served: ServedModel, rows: Rows) -> Inference:
        """Return the inference of at least one row, and record its duration."""
        began = time.perf_counter()
        inference = infer(served, rows)
        self.measured(served, len(rows), time.perf_counter() - began)
        return inference

    def infer_until(
        self, infer: Callable[[ServedModel, Rows], Inference], served: ServedModel, rows: Rows, until: float
    ) -> tuple[Inference, int]:
        """Return the inference of the first rows, and their number, which is as large as `until` allows.

        `until` is a time of `time.perf_counter`. It is exceeded if the last slice of rows takes longer than expected.
        """
        parts: list[tuple[Sequence[int], Inference]] = []
        done = 0
        while done < len(rows):
            if not (size := min(self.rows(served, until - time.perf_counter()), len(rows) - done)):
                break
            slice_ = range(done, done + size)
            parts.append((slice_, self.infer(infer, served, chosen_rows(rows, slice_))))
            done += size
        return (parts[0][1] if len(parts) == 1 else joined(parts)), done
