"""Estimates the number of rows that a model scores within a time, from the last duration of each of its versions."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.serving.inference.scored import joined
from rondo.serving.requests.rows import chosen_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rondo.serving.inference.scored import Duration, Inference
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.requests.rows import Rows


@dataclass
class Paces:
    """The seconds per row of the last inference of each version, or of the warm-up before the first inference.

    Several threads may use it. The fixed cost of an inference is included in that of its rows, so for more rows the
    estimate is an upper bound. Rows in the answer cache say nothing about other rows. With a cache, a row therefore
    counts at least as much as in the warm-up.
    """

    # By model and digest. A version that serves no more is dropped with the next inference of its model.
    _seconds: dict[str, dict[str, float]] = field(default_factory=dict)

    def rows(self, served: ServedModel, seconds: float) -> int:
        """Return the number of rows that are expected to take at most `seconds`, in the mean of the versions.

        Each version counts by the part of the rows that it scores.
        """
        if seconds <= 0:
            return 0
        mean = sum(self._row_seconds(version) * part for version, part in served.scoring_versions())
        return int(seconds / max(mean, 1e-9))

    def is_slow(self, served: ServedModel, seconds: float) -> bool:
        """Return whether some row is expected to take longer than `seconds`: that of the slowest version."""
        known = [self._row_seconds(version) for version, _ in served.scoring_versions()]
        # While two versions are compared, both score the same row.
        return (max(known) if served.compared is None else sum(known)) > seconds

    def measured(self, served: ServedModel, durations: Iterable[Duration]) -> None:
        """Record how long versions of a model took."""
        serving = {version.digest for version, _ in served.scoring_versions()}
        found = {digest: known for digest, known in self._seconds.get(served.model, {}).items() if digest in serving}
        for each in durations:
            least = each.version.row_seconds if each.version.cache.capacity else 0.0
            found[each.version.digest] = max(each.seconds / each.rows, least)
        # Replaced as a whole, because another thread may read it.
        self._seconds[served.model] = found

    def _row_seconds(self, version: LoadedVersion) -> float:
        return self._seconds.get(version.model, {}).get(version.digest, version.row_seconds)

    def infer(self, infer: Callable[[ServedModel, Rows], Inference], served: ServedModel, rows: Rows) -> Inference:
        """Return the inference of at least one row, and record its durations."""
        inference = infer(served, rows)
        self.measured(served, inference.durations)
        return inference

    def infer_until(
        self, infer: Callable[[ServedModel, Rows], Inference], served: ServedModel, rows: Rows, until: float
    ) -> tuple[Inference, int]:
        """Return the inference of the first rows, and their number, which is as large as `until` allows.

        `until` is a time of `time.perf_counter`. It is exceeded if the last slice of rows takes longer than expected.
        No slice begins if a row of the slowest version is expected to exceed it.
        """
        parts: list[tuple[Sequence[int], Inference]] = []
        done = 0
        while done < len(rows):
            left = until - time.perf_counter()
            size = 0 if self.is_slow(served, left) else min(self.rows(served, left), len(rows) - done)
            if not size:
                break
            slice_ = range(done, done + size)
            parts.append((slice_, self.infer(infer, served, chosen_rows(rows, slice_))))
            done += size
        return (parts[0][1] if len(parts) == 1 else joined(parts)), done
