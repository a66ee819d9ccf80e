"""river's detectors on series of numbers: run with the interpreter of the environment `drift`.

Run as `python river_detectors.py <series.npz> <results.npz> <detector:parameter>...`, for instance `ADWIN:0.002`. Each
array of the first file is a series. The second has the places at which a detector saw a change, under
`<detector:parameter>/<name of the series>`. A detector begins with the first value of each series.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from river.drift import ADWIN, KSWIN, PageHinkley

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MAKE: dict[str, Callable[[float], Any]] = {
    "ADWIN": lambda delta: ADWIN(delta=delta),
    "KSWIN": lambda alpha: KSWIN(alpha=alpha, seed=1),
    "PageHinkley": lambda threshold: PageHinkley(threshold=threshold),
}


def changes(detector: Any, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places at which a detector saw a change."""
    found = []
    for place, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            found.append(place)
    return np.array(found, np.int64)


def main(series: str, results: str, *names: str) -> None:
    found = {}
    with np.load(series) as saved:
        for name in names:
            kind, parameter = name.split(":")
            for key in saved.files:
                found[f"{name}/{key}"] = changes(MAKE[kind](float(parameter)), saved[key])
    np.savez(results, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
