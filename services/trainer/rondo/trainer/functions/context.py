"""What a function of the user's own is called with. docs/functions.md is the page for its author."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FunctionContext:
    """What there is beside columns and labels.

    `task` is `binary`, `multiclass` or `regression`; `classes` are the classes in the order of their indices, for
    `binary` the negative and the positive label, for `regression` none. `params` are `trainer.params` of the spec.

    `matrix` has the columns that the spec's `prepare` makes of the features, float32 `[rows, columns]`, with missing
    values as NaN, and `matrix_columns` their names.
    """

    task: str
    classes: tuple[str, ...]
    seed: int
    params: Mapping[str, Any]
    threads: int
    matrix: NDArray[np.float32]
    matrix_columns: tuple[str, ...]
