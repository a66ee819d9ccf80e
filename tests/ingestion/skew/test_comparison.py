"""The comparison of served and published rows: rows of the same case, and values that differ."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
from rondo.ingestion.skew.comparison import Skew, compare

from tests.ingestion.builders import START, rides, spec

DAY = timedelta(days=1)


def served(rows: pl.DataFrame, role: str = "primary", made: timedelta = DAY, **features: Any) -> pl.DataFrame:
    """Return the predictions about these rides, with the values of the rows unless `features` replace them."""
    names = ("zone", "distance", "stops", "night", "rain")
    numbers = {f"feature.{name}": rows[name].cast(pl.Float32) for name in names if name != "zone"}
    columns = {"feature.zone": rows["zone"]} | numbers
    columns |= {f"feature.{name}": pl.Series(values) for name, values in features.items()}
    return pl.DataFrame(
        {"entity": rows["ride"], "event_time": rows["started"], "made_at": rows["started"] + made, **columns}
    ).with_columns(role=pl.lit(role))


def compared(published: pl.DataFrame, *predictions: pl.DataFrame) -> Skew:
    found = compare(spec(), published.lazy(), pl.concat(predictions).lazy(), START, START + DAY)
    assert found is not None
    return found


def test_values_that_were_served_as_they_are_published_have_no_skew() -> None:
    rows = rides(20, distance=[n / 3 for n in range(20)])
    found = compared(rows, served(rows))
    assert (found.served, found.joined, found.features) == (20, 20, ())
    assert found.compared == ("zone", "distance", "stops", "night", "rain")


def test_the_largest_differences_come_first() -> None:
    distances = [float(n % 900) for n in range(20)]
    distances[3], distances[7], distances[11], distances[12] = 4.0, 107.0, 10.0, 12.5
    (found,) = compared(rides(20), served(rides(20), distance=pl.Series(distances, dtype=pl.Float32))).features
    assert (found.feature, found.differing) == ("distance", 4)
    assert [(each.entity, each.served, each.published) for each in found.largest] == [
        ("r7", "107.0", "7.0"), ("r3", "4.0", "3.0"), ("r11", "10.0", "11.0"),
    ]  # fmt: skip


def test_a_missing_value_differs_from_any_and_an_empty_category_is_missing() -> None:
    zones = ["", "north", "", "north"]
    found = compared(rides(4, zone=["", "north", "south", "north"]), served(rides(4), zone=zones))
    (zone,) = found.features
    assert [(each.entity, each.served, each.published) for each in zone.largest] == [("r2", None, "south")]


def test_a_joined_feature_is_not_compared_with_a_column_of_its_name() -> None:
    joined = spec(rain={"type": "float", "optional": True, "from": "weather", "max_age": "4h"})
    rows = rides(5, rain=["a", "b", "c", "d", "e"])
    predictions = served(rides(5, rain=[1.0] * 5))
    found = compare(joined, rows.lazy(), predictions.lazy(), START, START + DAY)
    assert found is not None
    assert (found.compared, found.features) == (("zone", "distance", "stops", "night"), ())


def test_rounding_is_no_skew() -> None:
    exact = [n / 7 for n in range(20)]
    rounded = pl.Series([value * (1 + 2e-7) for value in exact], dtype=pl.Float32)
    assert compared(rides(20, distance=exact), served(rides(20), distance=rounded)).features == ()


def test_of_several_predictions_of_a_case_the_last_counts() -> None:
    wrong = served(rides(5), made=timedelta(0), distance=pl.Series([99.0] * 5, dtype=pl.Float32))
    assert compared(rides(5), served(rides(5)), wrong).features == ()
    (found,) = compared(rides(5), served(rides(5), made=-DAY), wrong).features
    assert found.differing == 5


def test_a_shadow_was_not_served() -> None:
    found = compared(rides(5), served(rides(2)), served(rides(5), role="shadow"))
    assert (found.served, found.joined) == (2, 2)


def test_cases_with_other_keys_are_not_joined() -> None:
    later = rides(5).with_columns(pl.col("started") + timedelta(seconds=1))
    found = compared(rides(5), served(later))
    assert (found.served, found.joined, found.features) == (5, 0, ())


def test_without_a_prediction_of_that_time_nothing_is_measured() -> None:
    later = rides(5).with_columns(pl.col("started") + 2 * DAY)
    assert compare(spec(), rides(5).lazy(), served(later).lazy(), START, START + DAY) is None


def test_a_feature_that_one_side_does_not_have_is_not_compared() -> None:
    assert compared(rides(5).drop("rain"), served(rides(5))).compared == ("zone", "distance", "stops", "night")


def test_a_feature_of_an_unknown_type_is_left_out() -> None:
    rows = rides(4)
    later = spec(stops={"type": "timestamp"})
    found = compare(later, rows.lazy(), served(rows, stops=["a", "b", "c", "d"]).lazy(), START, START + DAY)
    assert found is not None
    assert (found.compared, found.features) == (("zone", "distance", "night", "rain"), ())
