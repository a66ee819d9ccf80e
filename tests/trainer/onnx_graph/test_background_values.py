"""The background values of a feature are its quantiles, without any row of the data."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
from rondo.contracts.model_metadata import BACKGROUND
from rondo.contracts.spec.model import Feature
from rondo.trainer.onnx_graph.background_values import VALUES, background

FEATURES = {
    "temp": Feature(type="float", optional=True),
    "carrier": Feature(type="category", optional=True),
    "night": Feature(type="bool"),
}


def rows(count: int) -> pl.DataFrame:
    index = np.arange(count)
    return pl.DataFrame(
        {
            "temp": [None if each % 10 == 0 else each / count for each in index.tolist()],
            "carrier": [(None, "AA", "AA", "UA", "UA")[each % 5] for each in index],
            "night": index % 4 == 0,
        }
    )


def values(count: int, seed: int = 7) -> dict[str, list[float | str | None]]:
    found: dict[str, list[float | str | None]] = json.loads(background(FEATURES, rows(count), seed)[BACKGROUND])
    return found


def test_values_have_the_shares_of_the_rows() -> None:
    found = values(1_000)
    assert [len(each) for each in found.values()] == [VALUES] * 3
    assert (found["temp"].count(None), found["carrier"].count(None)) == (5, 10)
    assert (found["carrier"].count("AA"), found["carrier"].count("UA")) == (20, 20)
    assert sum(map(bool, found["night"])) in (12, 13)
    numbers = sorted(each for each in found["temp"] if isinstance(each, float))
    assert abs(np.mean(numbers) - 0.5) < 0.02


def test_no_row_keeps_its_values_together() -> None:
    index = np.arange(1_000)
    twins = pl.DataFrame(
        {"temp": index.astype(float), "carrier": [f"c{each}" for each in index], "night": index % 2 == 0}
    )
    found = json.loads(background(FEATURES, twins, 7)[BACKGROUND])
    together = sum(f"c{temp:.0f}" == carrier for temp, carrier in zip(found["temp"], found["carrier"], strict=True))
    assert together < 5


def test_the_same_rows_give_the_same_bytes_and_few_rows_repeat() -> None:
    assert background(FEATURES, rows(20_000), 7) == background(FEATURES, rows(20_000), 7)
    assert values(1_000, 7) != values(1_000, 8)
    assert [len(each) for each in values(3).values()] == [VALUES] * 3


def test_numbers_read_back_as_the_same() -> None:
    odd = pl.DataFrame({"temp": [0.1, 1e-30, 3.4e38, -7.25], "carrier": ["ü"] * 4, "night": [True] * 4})
    found = json.loads(background(FEATURES, odd, 7)[BACKGROUND])
    assert {np.float32(each) for each in found["temp"]} == set(odd["temp"].to_numpy().astype(np.float32))
    assert set(found["carrier"]) == {"ü"}
