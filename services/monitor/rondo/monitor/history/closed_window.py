"""The record of a closed window: its figures, and the evidence at its end."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field

from rondo.contracts.events.base import Value
from rondo.contracts.events.monitoring import Estimate, Statistic, Window
from rondo.contracts.times import Utc  # noqa: TC001 - Pydantic reads it at run time
from rondo.contracts.vocabularies import WindowRole
from rondo.monitor.costs.cost_status import CostStatus  # noqa: TC001 - as `Utc`
from rondo.monitor.evidence.component_sums import GROUPS
from rondo.monitor.evidence.verdicts import decimal, verdicts
from rondo.monitor.statistics.slice_figures import GroupGap, SliceFigures  # noqa: TC001 - as `Utc`
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import ReferenceProfile
    from rondo.monitor.evidence.version_evidence import VersionEvidence


class ColumnEvidence(Value):
    """The evidence of a column, and the threshold at which it alarms. Both are decimal logarithms.

    `column` is None for the loss of the predictions, and `value` is that of a slice.
    """

    group: str
    column: str | None
    value: str | None = None
    evidence: float
    threshold: float


class ClosedWindow(Window):
    """A closed window of a version. `role`, `no_verdict` and `estimates` are as in `WindowClosed`.

    `evidence` is that of all rows before `evidence_until`, by group: inputs are evaluated before the outcomes of their
    window have arrived. A replaced version has none. `cost` is the cost of the log records whose newest request is in
    the window. None if there are none. Serving writes one record a second, so the cost covers approximately the rows of
    the window.
    """

    model_version: int
    role: str = WindowRole.CHAMPION.value
    labelled_rows: int
    statistics: tuple[Statistic, ...]
    evidence: tuple[ColumnEvidence, ...] = ()
    evidence_until: dict[str, Utc] = Field(default_factory=dict)
    no_verdict: str | None = None
    estimates: tuple[Estimate, ...] = ()
    slices: tuple[SliceFigures, ...] = ()
    gaps: tuple[GroupGap, ...] = ()
    cost: CostStatus | None = None


@dataclass(frozen=True)
class WindowQuery:
    """Up to `limit` windows that closed before the one with the number `before`.

    They begin at `since` or later, and before `until`. None is no bound.
    """

    limit: int
    before: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class WindowBins:
    """The rows of a window by bin of every column (see `binning`). `content` is int64, compressed with zlib.

    `digest` is that of the version's artifact. The profile with this digest has the bins.
    """

    digest: str
    content: bytes

    @classmethod
    def of(cls, digest: str, counts: NDArray[np.int64]) -> WindowBins:
        return cls(digest, zlib.compress(counts.astype("<i8").tobytes()))

    def counts(self) -> NDArray[np.int64]:
        """Return the numbers of rows, shape `[bins]`."""
        return np.frombuffer(zlib.decompress(self.content), "<i8").astype(np.int64)


class KeptWindow(NamedTuple):
    """A stored window. `bins` and `profile` are None if an earlier release has stored it, or the profile is unknown."""

    window: ClosedWindow
    bins: WindowBins | None = None
    profile: ReferenceProfile | None = None


class WindowPage(Value):
    """Closed windows, the newest first. `next` is the `before` of the following page, None on the last page."""

    windows: tuple[ClosedWindow, ...]
    next: int | None = None


def evidence_until(evidence: VersionEvidence) -> dict[str, datetime]:
    """Return the end of the rows that are evidence so far, by group."""
    return {group: to_time(taken.last) for group in GROUPS if (taken := evidence.taken[group]).rows}


def column_evidence(evidence: VersionEvidence, false_alarm_rate: float) -> tuple[ColumnEvidence, ...]:
    """Return the present evidence of each column of a version."""
    return tuple(
        ColumnEvidence(
            group=each.group,
            column=each.column,
            value=each.value,
            evidence=decimal(each.evidence),
            threshold=decimal(each.threshold),
        )
        for each in verdicts(evidence, false_alarm_rate)
    )
