"""Indicator columns: a category becomes one column per place, with 1 in the column of its place and 0 elsewhere.

Each level has a place. Any other text has none, and is 0 in all columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.preparation import levels
from rondo.trainer.preparation.onnx_nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    import polars as pl
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Indicators:
    """`places` has the place of each level, from 0. `labels` names the places."""

    levels: tuple[str, ...]
    places: NDArray[np.int64]
    labels: tuple[str, ...]

    def names(self, feature: str) -> tuple[str, ...]:
        return tuple(f"{feature}{label}" for label in self.labels)

    def apply(self, text: pl.Series) -> NDArray[np.float32]:
        """Return the columns of texts, shape `[rows, places]`."""
        nowhere = len(self.labels)
        place = np.append(self.places, nowhere)[levels.positions(text, self.levels)]
        columns = np.zeros((len(text), nowhere + 1), dtype=np.float32)
        columns[np.arange(len(text)), place] = 1
        return columns[:, :nowhere]

    def onnx_nodes(self, text: str, output: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes from `text`, `[N, 1]`, to `output`, float32 `[N, places]`."""
        nodes, nowhere = Nodes(output), len(self.labels)
        place = nodes.look_up(text, self.levels, self.places, nowhere)
        # `OneHot` returns only zeros for a place beyond the last.
        off_on = nodes.constant(np.array([0, 1], dtype=np.float32))
        nodes.add("Flatten", nodes.add("OneHot", place, nodes.constant(np.array(nowhere)), off_on), name=output)
        return nodes.made
