"""From counts of rows by bin to sums of components, bucket by bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.components import components
from rondo.chassis.profiles.projections import computable
from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.training_evidence import UnknownProfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import Binning
    from rondo.contracts.training_evidence import ReferenceProfile
    from rondo.monitor.evidence.version_evidence import Group


@dataclass(frozen=True, eq=False)
class ComponentSums:
    """For each watched column its group, its place among the bins, and its components in each of its bins."""

    columns: tuple[tuple[Group, slice, NDArray[np.float64]], ...]

    @classmethod
    def of(cls, profile: ReferenceProfile, binning: Binning) -> ComponentSums:
        inputs = profile.features | computable(profile.features, profile.projections)
        profiles = inputs | {f"{OUTPUT}{name}": part for name, part in profile.outputs.items()}
        columns: list[tuple[Group, slice, NDArray[np.float64]]] = []
        for bins in binning.watched:
            part = profiles[bins.name]
            if not isinstance(part, UnknownProfile):
                group: Group = "inputs" if bins.name in inputs else "outputs"
                columns.append((group, slice(bins.offset, bins.offset + bins.size), components(part).values))
        return cls(tuple(columns))

    def sums(self, group: Group, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the sums of the components of a group; counts `[buckets, bins]` give `[buckets, components]`."""
        parts = [counts[:, place] @ values for mine, place, values in self.columns if mine == group]
        return np.concatenate([np.zeros((len(counts), 0)), *parts], axis=1)
