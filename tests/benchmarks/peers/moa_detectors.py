"""A Hoeffding tree that learns on, and MOA's detectors, on streams into which a drift was injected.

The protocol is that of Cerqueira, Gomes, Heyden, Pfahringer and Bifet ("A framework for evaluating and benchmarking
concept drift detection methods", KDD 2026, arXiv 2606.07789). The tree predicts each row and then learns it. Detectors
see whether it was wrong. (The paper's code gives them whether it was right: MOA's ADWIN, which listens for a rise, then
notices no loss.) SEED and STEPD have the parameters that the paper tuned on all its data sets.

Run as `python moa_detectors.py <trials.npz> <results.npz> <abrupt or gradual>` with the interpreter of the environment
`moa`. The trials have `x<i>`, `y<i>`, and `right<i>`, true where a model that is not updated was right. The results
have `tree<i>`, true where the tree was right, and the alarms of each detector as places of rows, by the tree's and the
model's errors. Nothing is watched before the place in `start`.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from capymoa.classifier import HoeffdingTree
from capymoa.drift.detectors import ADWIN, SEED, STEPD
from capymoa.stream import NumpyStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TUNED_SEED = {
    "abrupt": {"alpha": 0.6, "block_size": 32, "delta": 0.01, "epsilon_prime": 0.01},
    "gradual": {"alpha": 0.7, "block_size": 50, "delta": 0.05, "epsilon_prime": 0.0075},
}


def detectors(mode: str) -> dict[str, Callable[[], Any]]:
    """Return the constructor of each detector by its name."""
    return {
        "SEED, tuned": partial(SEED, **TUNED_SEED[mode]),
        "STEPD, tuned": partial(STEPD, alpha_drift=0.001, window_size=500),
        "ADWIN, default": ADWIN,
    }


def of_tree(x: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return true for each row that the tree predicted correctly before it learned the row."""
    stream = NumpyStream(x, y)
    tree, right = HoeffdingTree(schema=stream.get_schema()), np.zeros(len(y), np.bool_)
    for row in range(len(y)):
        instance = stream.next_instance()
        right[row] = tree.predict(instance) == instance.y_index
        tree.train(instance)
    return right


def alarms(detector: Any, right: NDArray[np.bool_], start: int) -> NDArray[np.int64]:
    """Return the places, from `start` on, at which a detector sees a change of the errors."""
    # Without the wrapper's lists, which take as long as the detector.
    moa, found = detector.moa_detector, []
    for place, wrong in enumerate((~right[start:]).astype(float).tolist(), start):
        moa.input(wrong)
        if moa.getChange():
            found.append(place)
    return np.array(found, np.int64)


def main(trials: str, results: str, mode: str) -> None:
    with np.load(trials) as saved:
        start, count = int(saved["start"]), int(saved["count"])
        found: dict[str, NDArray[Any]] = {}
        for trial in range(count):
            tree = of_tree(saved[f"x{trial}"].astype(np.float64), saved[f"y{trial}"].astype(np.int64))
            found[f"tree{trial}"] = tree
            for name, make in detectors(mode).items():
                found[f"{name}/model/{trial}"] = alarms(make(), saved[f"right{trial}"], start)
                found[f"{name}/tree/{trial}"] = alarms(make(), tree, start)
    np.savez(results, **found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
