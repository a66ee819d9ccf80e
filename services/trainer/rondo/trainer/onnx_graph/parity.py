"""Compares the scores of the ONNX graph with those of the model that it was built from."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rondo.contracts.training_evidence import Parity

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sums of a hundred float32 leaves differ from sums of doubles by about 1e-7; a wrong branch differs by far more.
BOUND = 1e-5
# As many of the latest rows are compared. Each row passes through all trees.
ROWS = 20_000


class ParityError(RuntimeError):
    """The graph scores otherwise than the model."""

    code: ClassVar[str] = "parity"

    def __init__(self, difference: float) -> None:
        self.difference = difference
        super().__init__(
            f"the scores of the ONNX graph differ from the model's by {difference:.2g}, and at most {BOUND:g} is"
            " allowed, so the candidate is dropped: this is a bug in Rondo; report it with spec and data version"
        )


def compare(native: NDArray[np.float32], graph: NDArray[np.float32]) -> Parity:
    """Compare scores of the same rows.

    Raises:
        ParityError: they differ by more than `BOUND`, or one is NaN.

    """
    difference = float(np.max(np.abs(native.astype(np.float64) - graph), initial=0.0))
    if not difference <= BOUND:
        raise ParityError(difference)
    return Parity(rows=len(native), max_abs_difference=difference)
