"""How many rows a model scores within a time, by how long its last inference took."""

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
    """The seconds per row of each model's last inference, before the first one those of the warm-up.

    Several threads may use it. What an inference costs besides its rows counts as theirs, so for more rows this is an
    upper estimate. Rows that the answer cache has say nothing of others: where there is one, a row counts as much as in
    the warm-up at least.
    """

    _seconds: dict[str, tuple[int, float]] = field(default_factory=dict)

    def rows(self, served: ServedModel, seconds: float) -> int:
        """Return how many rows are expected to take `seconds` at most."""
        if seconds <= 0:
            return 0
        revision, known = self._seconds.get(served.model, (0, 0.0))
        return int(seconds / max(known if revision == served.revision else served.row_seconds, 1e-9))

    def is_slow(self, model: str, seconds: float) -> bool:
        """Return whether a row of this model is expected to take longer than `seconds`, whatever serves it now."""
        _, known = self._seconds.get(model, (0, 0.0))
        return known > seconds

    def measured(self, served: ServedModel, rows: int, seconds: float) -> None:
        """Note what an inference of so many rows took."""
        least = served.row_seconds if any(version.cache.capacity for version in served.versions) else 0.0
        self._seconds[served.model] = served.revision, max(seconds / rows, least)

    def infer(self, infer: Callable[[ServedModel, Rows], Inference], served: ServedModel, rows: Rows) -> Inference:
        """Return the inference of at least one row, and note how long it took."""
        began = time.perf_counter()
        inference = infer(served, rows)
        self.measured(served, len(rows), time.perf_counter() - began)
        return inference

    def infer_until(
        self, infer: Callable[[ServedModel, Rows], Inference], served: ServedModel, rows: Rows, until: float
    ) -> tuple[Inference, int]:
        """Return the inference of the first rows and their number: as many as are scored `until` then.

        `until` is on the clock of `time.perf_counter`. It is exceeded by what the last slice of rows takes longer than
        expected.
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
