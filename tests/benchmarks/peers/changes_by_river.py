"""Runs river's detectors in the environment of the peers."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.peers import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


def changes_by_river(
    series: Mapping[str, NDArray[Any]], detectors: Sequence[str]
) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Return the places at which each detector, such as `ADWIN:0.002`, saw a change in each series.

    The result is empty if the environment can't be made.
    """
    python = environment.DRIFT.python()
    if python is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        given, answered = Path(folder) / "series.npz", Path(folder) / "results.npz"
        np.savez(given, **{name: np.asarray(values, np.float64) for name, values in series.items()})
        command = [python, environment.HERE / "river_detectors.py", given, answered, *detectors]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
        with np.load(answered) as results:
            return {(detector, name): results[f"{detector}/{name}"] for detector in detectors for name in series}
