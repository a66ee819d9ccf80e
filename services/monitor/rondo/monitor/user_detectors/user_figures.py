"""The input of users' detectors for a window, and the figures that they report."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.monitoring import Statistic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference


@dataclass(frozen=True)
class Column:
    """A column of a window or of a block of rows, the argument of a detector's `detect`.

    `observed` and `reference` are the rows by bin in the window or block and in the training data, shape `[bins]` each.
    The last bin has the missing values. A column with an order has `edges`, one fewer than its other bins. The outer
    bins are unbounded. A column of categories has `categories`. The bin before that of missing values is for all other
    categories.
    """

    name: str
    observed: NDArray[np.int64]
    reference: NDArray[np.int64]
    edges: tuple[float, ...] | None
    categories: tuple[str, ...] | None


@dataclass(frozen=True)
class UserFigures:
    """The figures of a window from users' detectors, and the reasons why some have none."""

    statistics: tuple[Statistic, ...] = ()
    failures: tuple[str, ...] = ()


NO_USER_FIGURES = UserFigures()
# The keys are the version and the start of a window.
UserFiguresByWindow: TypeAlias = "Mapping[tuple[int, int], UserFigures]"
NO_USER_WINDOWS: UserFiguresByWindow = MappingProxyType({})


def is_user_class(detector: str) -> bool:
    """Return whether a detector of a spec is a class that a user has written, `package.module:Class`."""
    return ":" in detector


def columns_of(counts: NDArray[np.int64], reference: Reference) -> list[dict[str, Any]]:
    """Return the columns of counts by bin, in the form in which the process of the detectors gets them."""
    return [
        {
            "name": column.name,
            "observed": column.of(counts).tolist(),
            "reference": column.of(reference.counts).tolist(),
            "edges": None if column.edges is None else column.edges.tolist(),
            # The last two texts stand for missing values.
            "categories": None if column.categories is None else column.categories.to_pylist()[: column.size - 2],
        }
        for column in reference.binning.columns
    ]


def statistics_of(figures: Iterable[Sequence[Any]]) -> tuple[Statistic, ...]:
    """Return the statistics of an answer. Each has a column, a name and a value."""
    return tuple(Statistic(feature=column, statistic=name, value=value) for column, name, value in figures)
