"""The context that a user's function is called with. docs/functions.md is the page for its author."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import TargetKind


@dataclass(frozen=True, eq=False)
class FunctionContext:
    """The arguments of a function besides columns and labels.

    `task` is that of the spec. `target` is the prediction of the graph: the `probability` of the positive label, the
    `probabilities` of all classes, or a `number`. `classes` are the classes in the order of their indices: the negative
    and the positive label for one probability, and none for a number. `params` are `trainer.params` of the spec.

    `matrix` has the columns that the spec's `prepare` computes from the features, float32 `[rows, columns]`, with
    missing values as NaN. `matrix_columns` are their names.
    """

    task: str
    target: TargetKind
    classes: tuple[str, ...]
    seed: int
    params: Mapping[str, Any]
    threads: int
    matrix: NDArray[np.float32]
    matrix_columns: tuple[str, ...]
