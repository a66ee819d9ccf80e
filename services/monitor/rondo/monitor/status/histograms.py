"""The distribution of each column in a window and in the reference, in bars of equal width for a plot.

The bins of a profile have about equal counts, so their heights carry no information. The bars of a numeric column
divide the range between the outer twentieths of the reference, and a quarter of that range on either side. Rows count
as evenly spread within a bin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from rondo.contracts.events.base import Value
from rondo.contracts.figures import figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import ColumnBins
    from rondo.monitor.evidence.reference import Reference

# With the two outer bars and the missing values, two plots and a name fit into a line of 80 characters.
_BARS = 14
_MOST_CATEGORIES = 12
_OUTER = 0.05
_WIDER = 0.25
# The relative difference between a value and the next float32 is 6e-8.
_NO_SPREAD = 1e-5

BarKind = Literal["range", "category", "others", "unseen", "missing"]


class Bar(Value):
    """A bar of a histogram: shares of the rows of the window and of the reference.

    A range is `low` <= value < `high`, unbounded where one is None. `others` are the rarer categories together,
    `unseen` are those that the reference does not list, and `missing` are the rows without a value.
    """

    kind: BarKind
    label: str
    window: float
    reference: float
    low: float | None = None
    high: float | None = None


class Histogram(Value):
    """The bars of a column.

    Bars of numbers are in their order, bars of categories by frequency, the most frequent first.
    """

    column: str
    bars: tuple[Bar, ...]


class _Shares(NamedTuple):
    window: NDArray[np.float64]
    reference: NDArray[np.float64]


def histograms(counts: NDArray[np.int64], reference: Reference) -> tuple[Histogram, ...]:
    """Return the histogram of each column. `counts` are the rows of a window by bin of every column."""
    return tuple(
        Histogram(column=column.name, bars=tuple(_bars(column, counts, reference.counts)))
        for column in reference.binning.columns
    )


def _bars(column: ColumnBins, counts: NDArray[np.int64], reference: NDArray[np.int64]) -> Iterator[Bar]:
    shares = _Shares(_shares(column.of(counts)), _shares(column.of(reference)))
    yield from _ranges(column.edges, shares) if column.edges is not None else _categories(column, shares)
    if shares.window[-1] or shares.reference[-1]:
        yield _bar("missing", "missing", shares, -1)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return counts / max(int(counts.sum()), 1)


def _bar(kind: BarKind, label: str, shares: _Shares, at: int) -> Bar:
    return Bar(kind=kind, label=label, window=float(shares.window[at]), reference=float(shares.reference[at]))


def _categories(column: ColumnBins, shares: _Shares) -> Iterator[Bar]:
    # The last two entries are the empty text and null, which are missing values.
    names = column.categories.to_pylist()[:-2] if column.categories is not None else []
    order = sorted(range(len(names)), key=lambda at: -max(shares.window[at], shares.reference[at]))
    shown, rest = order[:_MOST_CATEGORIES], order[_MOST_CATEGORIES:]
    for at in sorted(shown, key=lambda at: -shares.reference[at]):
        yield _bar("category", names[at], shares, at)
    if rest:
        window, reference = (float(side[rest].sum()) for side in shares)
        yield Bar(kind="others", label=f"{len(rest)} others", window=window, reference=reference)
    if shares.window[-2] or shares.reference[-2]:
        yield _bar("unseen", "unseen or rare", shares, -2)


def _ranges(edges: NDArray[np.float32], shares: _Shares) -> Iterator[Bar]:
    finite = edges[np.isfinite(edges)].astype(np.float64)
    if not finite.size:
        return
    limits = _limits(finite, shares.reference)
    window, reference = (_spread(edges, side[:-1], limits) for side in shares)
    bounds = [None, *(float(f"{limit:.4g}") for limit in limits), None]
    for at in range(len(window)):
        low, high = bounds[at], bounds[at + 1]
        yield Bar(
            kind="range",
            label=_label(low, high),
            window=float(window[at]),
            reference=float(reference[at]),
            low=low,
            high=high,
        )


def _label(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {figure(high or 0.0, '.4g')}"
    if high is None:
        return f"from {figure(low, '.4g')}"
    # If a bar has a single value, its two limits are equal.
    return figure(low, ".4g") if low == high else f"{figure(low, '.4g')} to {figure(high, '.4g')}"


def _limits(edges: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the limits between the bars. If the reference has hardly any spread, they are the edges of its bins."""
    below = np.cumsum(reference[:-1])[: len(edges)] / max(1 - reference[-1], 1e-9)
    common = edges[(below > _OUTER / 2) & (below < 1 - _OUTER / 2)]
    low, high = (common[0], common[-1]) if common.size else (edges[0], edges[-1])
    if high - low <= _NO_SPREAD * max(abs(low), abs(high)):
        return edges
    more = (high - low) * _WIDER
    return np.linspace(max(edges[0], low - more), min(edges[-1], high + more), _BARS + 1)


def _spread(
    edges: NDArray[np.float32], shares: NDArray[np.float64], limits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share between the limits, and beyond the outer ones, if rows are evenly spread within each bin."""
    upto = np.interp(limits, edges.astype(np.float64), np.cumsum(shares)[:-1])
    return np.diff(upto, prepend=0.0, append=float(shares.sum()))
