"""Components that share the same blocks with their test, the rows that a test has taken, and its alarm."""

from __future__ import annotations

from copy import copy
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from rondo.monitor.evidence.block_figures.figure_tests import BlockSpan, detector_of
from rondo.monitor.evidence.component_sums import DETECTORS, GAPS, SLICES, Component
from rondo.monitor.evidence.staged_test import Buckets, StagedTest
from rondo.monitor.evidence.stretches import Learning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rondo.monitor.evidence.component_sums import Group
    from rondo.monitor.evidence.staged_test import Change


@dataclass(eq=False)
class Watched:
    """Components that share the same blocks. `state` is their test, or the reference while live rows extend it.

    `figure_rows` is the number of rows of each block that has a figure. It is 0 for other components.
    """

    components: tuple[Component, ...]
    state: StagedTest | Learning
    figure_rows: int = 0

    @property
    def group(self) -> Group:
        return self.components[0].group

    @cached_property
    def rows_of(self) -> str:
        """The key in `VersionEvidence.taken` of the rows that these components take: their group, or their slice."""
        first = self.components[0]
        if first.group in {DETECTORS, GAPS}:
            return f"{first.group}/{first.column}/{first.value}"
        return slice_key(first.column or "", first.value) if first.value is not None else first.group

    @cached_property
    def family(self) -> str:
        """The tests that share a part of the false-alarm rate: their group, or their detector and column."""
        return f"{self.detector} {self.components[0].column}" if self.group == DETECTORS else self.group

    @cached_property
    def detector(self) -> str | None:
        """The user's detector whose figure this is."""
        return detector_of(self.components[0]) if self.group == DETECTORS else None

    def take(self, buckets: Buckets) -> None:
        """Take buckets of the components of the group."""
        self.take_mine(self.of(buckets))

    def of(self, buckets: Buckets) -> Buckets:
        """Return the buckets with the sums of these components alone."""
        return buckets.of([each.at for each in self.components])

    def take_mine(self, mine: Buckets | None) -> None:
        """Take buckets that have the sums of these components alone."""
        while mine is not None:
            mine = self._take(mine)

    def expect(self, mine: Buckets) -> None:
        """Prepare for buckets of these components that are taken next, in parts. See `StagedTest.expect`."""
        if isinstance(self.state, StagedTest):
            self.state.expect(mine)

    @cached_property
    def places(self) -> Mapping[str | None, list[int]]:
        """The indices of each column's components, which are next to each other."""
        found: dict[str | None, list[int]] = {}
        for at, each in enumerate(self.components):
            found.setdefault(each.column, []).append(at)
        return found

    @cached_property
    def fields(self) -> list[dict[str, object]]:
        """The components in the form of a checkpoint."""
        return [asdict(each) for each in self.components]

    def snapshot(self) -> Watched:
        """Return the present state, which further buckets do not change."""
        state = copy(self.state)
        state.open = copy(state.open)
        return Watched(self.components, state, self.figure_rows)

    def _take(self, buckets: Buckets) -> Buckets | None:
        """Take buckets until the state changes. Returns the rest, which the new state takes."""
        if isinstance(self.state, StagedTest):
            left = self.state.take(buckets)
            if left is None:
                return None
            # A bucket has more rows than the blocks of the reference allow, so live rows extend the reference from now
            # on.
            self.state = Learning.again(self.state)
            return buckets.since(left)
        begun, taken = self.state.take(buckets)
        self.state = begun or self.state
        return buckets.since(taken) if begun else None


def slice_key(column: str, value: str) -> str:
    """Return the key of a slice's rows in `VersionEvidence.taken`."""
    return f"{SLICES}/{column}={value}"


@dataclass(frozen=True)
class Taken:
    """The number of live `rows` of a group or a slice so far. For losses only rows with an outcome count.

    `first` is the start of the first bucket, and `last` is the end of the last one, in microseconds.
    """

    rows: int = 0
    first: int = 0
    last: int = 0

    def with_buckets(self, buckets: Buckets) -> Taken:
        first = self.first if self.rows else int(buckets.starts[0])
        return Taken(self.rows + int(buckets.rows.sum()), first, int(buckets.starts[-1]) + buckets.length)

    def with_rows(self, block: BlockSpan) -> Taken:
        return Taken(self.rows + block.rows, self.first if self.rows else block.start, block.end)


@dataclass(frozen=True)
class Alarm:
    """A component whose evidence has reached the threshold. Both are logarithms.

    `find_change` estimates the change behind the evidence. It is called on demand: it is slow, and most looks publish
    nothing.
    """

    component: Component
    evidence: float
    threshold: float
    find_change: Callable[[], Change] = field(compare=False, repr=False)
    end: int

    @cached_property
    def change(self) -> Change:
        """The change, as estimated at the first access."""
        return self.find_change()
