"""Is the ONNX graph the model that it was made from?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.training import Parity

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sums of a hundred float32 leaves differ from LightGBM's doubles by some 1e-7; a wrong branch by far more.
BOUND = 1e-5
# As many of the latest rows are compared: each takes all trees, so a tree that is wrong shows in any of them.
ROWS = 20_000


class ParityError(RuntimeError):
    """The graph scores otherwise than the model."""

    def __init__(self, difference: float) -> None:
        super().__init__(
            f"the ONNX graph differs from the model by {difference:.2g}, and {BOUND:g} is allowed, so the candidate is "
            "not used: this is a fault of Rondo's own; report it with the spec and the data version"
        )


def compare(native: NDArray[np.float32], graph: NDArray[np.float32]) -> Parity:
    """Compare scores of the same rows.

    Raises:
        ParityError: they differ by more than `BOUND`, or one is no number.

    """
    difference = float(np.max(np.abs(native.astype(np.float64) - graph), initial=0.0))
    if not difference <= BOUND:
        raise ParityError(difference)
    return Parity(rows=len(native), max_abs_difference=difference)
