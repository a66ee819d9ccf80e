"""A closed window with its distributions, for a page and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.evidence.reference import Reference
from rondo.monitor.history.closed_window import ClosedWindow
from rondo.monitor.status.histograms import Histogram, histograms
from rondo.monitor.status.newest_rows import SliceStatus

if TYPE_CHECKING:
    from rondo.contracts.training_evidence import ReferenceProfile
    from rondo.monitor.history.closed_window import KeptWindow
    from rondo.monitor.statistics.slice_figures import SliceFigures

EARLIER_RELEASE = "an earlier release of the monitor has closed this window, and kept no distributions"
UNKNOWN_PROFILE = "the profile of the training data of this version is unknown, or has other bins by now"


class WindowDetail(ClosedWindow):
    """A closed window. `columns` has the distribution of each column, beside that of the training data.

    `no_columns` is the reason why there are none, None where there are. The slices have the figures of the holdout.
    """

    slices: tuple[SliceStatus, ...] = ()
    columns: tuple[Histogram, ...] = ()
    no_columns: str | None = None


def window_detail(kept: KeptWindow) -> WindowDetail:
    """Return a stored window with its distributions. Compiling a profile of many columns takes a second."""
    known = dict(kept.window) | {"slices": tuple(_beside_holdout(each, kept.profile) for each in kept.window.slices)}
    if kept.bins is None:
        return WindowDetail(**known, no_columns=EARLIER_RELEASE)
    counts = kept.bins.counts()
    reference = Reference.of(kept.profile, kept.bins.digest) if kept.profile else None
    if reference is None or reference.binning.size != len(counts):
        return WindowDetail(**known, no_columns=UNKNOWN_PROFILE)
    return WindowDetail(**known, columns=histograms(counts, reference))


def _beside_holdout(figures: SliceFigures, profile: ReferenceProfile | None) -> SliceStatus:
    """Return the figures of a slice with those of the holdout. They are empty if the profile is unknown."""
    slices = profile.slices if profile else ()
    of_holdout = [each for each in slices if (each.column, each.value) == (figures.column, figures.value)]
    known = {name: each.value for name, each in of_holdout[0].performance.items()} if of_holdout else {}
    return SliceStatus(**dict(figures), reference=known)
