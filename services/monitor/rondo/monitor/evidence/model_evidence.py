"""The evidence about the versions of a model: the open buckets, and the evidence from the closed ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rondo.monitor.evidence.block_figures.group_gaps import PartsOfSlices
from rondo.monitor.evidence.component_sums import INPUT_GROUPS
from rondo.monitor.evidence.open_buckets import BucketArrays, BucketedRows, OpenBuckets, added_up
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.version_evidence import VersionEvidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.evidence.window_lengths import Lengths


class ClosedStep(NamedTuple):
    """The `end` of a step, in microseconds, and whether the step begins a window among the steps with rows."""

    end: int
    begins_window: bool


@dataclass
class ModelEvidence:
    """The evidence so far in `versions`, and the buckets that still accept rows in `open`.

    `late` counts the rows that arrived after the end of their step. They count in the figures of their window alone.
    `detectors` are those of the user's own that take part in the alarm, and gaps between the groups of the column
    `fairness` are watched. `run_length` is the form of the evidence, see `BlockTest`.
    """

    versions: dict[int, VersionEvidence] = field(default_factory=dict)
    open: OpenBuckets = field(default_factory=OpenBuckets)
    late: int = 0
    detectors: tuple[str, ...] = ()
    fairness: str | None = None
    run_length: bool = False

    def begin_by(self, *, run_length: bool) -> bool:
        """Set the form of the evidence. Returns whether it was another one, so that all evidence begins again."""
        is_other = run_length != self.run_length
        self.run_length = run_length
        if is_other:
            self.versions = {}
        return is_other

    def watch_gaps(self, column: str | None) -> None:
        """Watch the gaps between the groups of a column, or no gaps, of all versions."""
        self.fairness = column
        for each in self.versions.values():
            each.watch_gaps(column)

    def name_detectors(self, detectors: Sequence[str]) -> None:
        """Let these detectors of the user's own take part in the alarms about all versions."""
        self.detectors = tuple(dict.fromkeys(detectors))
        for each in self.versions.values():
            each.name_detectors(self.detectors)

    def of(self, version: int, reference: Reference) -> VersionEvidence:
        """Return the evidence about a version. The first call creates it."""
        if version not in self.versions:
            self.versions[version] = VersionEvidence.of(reference.digest, reference.profile, run_length=self.run_length)
            self.versions[version].name_detectors(self.detectors)
            self.versions[version].watch_gaps(self.fairness)
        return self.versions[version]

    def close(self, version: int, reference: Reference, upto: int, lengths: Lengths) -> Iterator[ClosedStep]:
        """Take the rows of the steps that end at or before `upto`. Yields steps with rows, in order.

        It yields the steps that begin a window, and those in which the evidence may have changed. It takes the others
        together with the step after them, which takes a fraction of the time.
        """
        parts = self.open.pop(version, upto - upto % lengths.step)
        if not parts:
            return
        evidence = self.of(version, reference)
        # There are fewer components than bins, and their sums are exact in any order, so sums are added up instead of
        # counts.
        found = {
            group: added_up([reference.components.of_part(group, part) for part in parts]) for group in INPUT_GROUPS
        }
        predicted = (
            added_up([BucketArrays(part.starts, part.rows, part.counts_of(estimator.column)[:, :-1]) for part in parts])
            if (estimator := reference.estimator)
            else None
        )
        counted = (
            added_up([part.counted if isinstance(part, BucketedRows) else part for part in parts])
            if self.detectors
            else None
        )
        starts = found[INPUT_GROUPS[0]].starts
        ends = starts - starts % lengths.step + lengths.step
        firsts = np.flatnonzero(np.diff(ends, prepend=ends[0] - 1)).tolist()
        taken_before, windows = evidence.taken[INPUT_GROUPS[0]], (ends - 1) // lengths.window
        window_before = (taken_before.last - 1) // lengths.window if taken_before.rows else windows[0] - 1
        begins = (np.diff(windows, prepend=window_before) != 0).tolist()
        rows, fullest = found[INPUT_GROUPS[0]].rows, int(found[INPUT_GROUPS[0]].rows.max())
        expected = [evidence.expect(group, Buckets(*each, lengths.bucket)) for group, each in found.items()]
        taken, waiting = 0, 0
        for first, last in zip(firsts, [*firsts[1:], len(ends)], strict=True):
            if predicted:
                evidence.predict(int(starts[first]), predicted.counts[first:last].sum(axis=0))
            waiting += int(rows[first:last].sum())
            if last < len(ends) and not begins[first] and waiting < evidence.rows_until_look(fullest):
                continue
            if counted:
                evidence.take_counts(counted.at(slice(taken, last)), lengths.bucket, reference)
            for each in expected:
                evidence.take_expected(each, slice(taken, last))
            taken, waiting = last, 0
            yield ClosedStep(int(ends[first]), begins[first])

    def take_losses(
        self, version: int, reference: Reference, window: int, length: int, rows: NDArray[np.int64],
        sums: NDArray[np.float64],
    ) -> None:  # fmt: skip
        """Take the losses of a closed window that began at `window`: rows and sums by bucket.

        A bucket is `length` microseconds long. `sums` has the shape `[buckets, components]`, see
        `WindowCounts.loss_sums`.
        """
        starts = window + length * np.arange(len(rows), dtype=np.int64)
        self.of(version, reference).take("loss", Buckets(starts, rows, sums, length))

    def take_slices(
        self, version: int, reference: Reference, window: int, length: int, rows: NDArray[np.int64],
        sums: NDArray[np.float64],
    ) -> None:  # fmt: skip
        """Take the losses of the slices of a closed window by its parts, shape `[slices, parts]`.

        A part is `length` microseconds long.
        """
        evidence, starts = self.of(version, reference), window + length * np.arange(rows.shape[1], dtype=np.int64)
        for number, each in enumerate(reference.profile.slices):
            evidence.take_slice(each.column, each.value, Buckets(starts, rows[number], sums[number][:, None], length))

    def take_gaps(
        self, version: int, reference: Reference, window: int, length: int, rows: NDArray[np.int64],
        sums: NDArray[np.int64],
    ) -> None:  # fmt: skip
        """Take the rates of the slices of a closed window by its parts of `length` microseconds.

        `rows` has the shape `[slices, parts]`, and `sums` `[slices, rates, parts]`.
        """
        starts = window + length * np.arange(rows.shape[1], dtype=np.int64)
        self.of(version, reference).take_gaps(reference, PartsOfSlices(starts, length, rows, sums))

    def snapshot(self, version: int | None) -> ModelEvidence:
        """Return the evidence about a version without open buckets. Rows that are taken later do not change it."""
        versions = {number: each.snapshot() for number, each in self.versions.items() if number == version}
        return ModelEvidence(versions, late=self.late)

    @property
    def known(self) -> set[int]:
        """The versions with evidence or open buckets."""
        return self.open.versions() | self.versions.keys()

    def rename(self, before: int, after: int) -> None:
        """Move the evidence and buckets of version `before` to version `after`, which is the same artifact.

        Rows of version `after` in steps that are evidence already are too late for it.
        """
        if (found := self.versions.pop(before, None)) is not None:
            self.versions[after] = found
            self.late += sum(int(part.rows.sum()) for part in self.open.pop(after, found.taken["inputs"].last))
        self.open.rename(before, after)

    def keep(self, versions: Iterable[int]) -> None:
        """Discard the evidence about other versions."""
        kept = set(versions)
        self.versions = {version: each for version, each in self.versions.items() if version in kept}
        self.open.keep(kept)

    def clear(self) -> None:
        self.versions, self.open = {}, OpenBuckets()
