"""What a function of the user's own is called with. docs/functions.md is the page for its author."""

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
    """What there is beside columns and labels.

    `task` is the spec's. `target` is what the graph predicts: the `probability` of the positive label, the
    `probabilities` of all classes, or a `number`. `classes` are the classes in the order of their indices, of one
    probability the negative and the positive label, of a number none. `params` are `trainer.params` of the spec.

    `matrix` has the columns that the spec's `prepare` makes of the features, float32 `[rows, columns]`, with missing
    values as NaN, and `matrix_columns` their names.
    """

    task: str
    target: TargetKind
    classes: tuple[str, ...]
    seed: int
    params: Mapping[str, Any]
    threads: int
    matrix: NDArray[np.float32]
    matrix_columns: tuple[str, ...]
