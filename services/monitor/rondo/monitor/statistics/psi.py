"""Population stability index (PSI) of each column against the reference, on the bins.

Without any change, the PSI of n rows against m reference rows is about (1/n + 1/m) times the number of bins less one
(Yurdakul, "Statistical Properties of Population Stability Index", Western Michigan University 2018). So with few rows
it is large by chance. Missing values are left out, because `missing` covers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.bin_pooling import of_columns, pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts

# Half a row in every bin (Jeffreys' prior), so that an empty bin has a logarithm.
SMOOTHING = 0.5


class PopulationStability:
    """Yields the index of each column."""

    def of(self, window: WindowCounts, reference: Reference) -> Iterator[Statistic]:
        for name, value in of_columns(lambda counts: psi(*pool(counts)), window, reference).items():
            yield Statistic(feature=name, statistic=StatisticName.PSI, value=value)


def psi(
    observed: NDArray[np.int64],
    reference: NDArray[np.int64],
    exists: NDArray[np.bool_] | bool = True,  # noqa: FBT001, FBT002 - a mask
) -> NDArray[np.float64]:
    """Return the population stability index of columns. 0 if either side has no rows.

    The counts have the shape `[..., bins]`. `exists` masks the existing bins.
    """
    p, q = (np.where(exists, each + SMOOTHING, 0.0) for each in (observed, reference))
    p, q = (each / each.sum(axis=-1, keepdims=True) for each in (p, q))
    ratio = np.divide(p, q, out=np.ones_like(p), where=exists)
    there = observed.any(axis=-1) & reference.any(axis=-1)
    return np.asarray(np.where(there, ((p - q) * np.log(ratio)).sum(axis=-1), 0.0))
