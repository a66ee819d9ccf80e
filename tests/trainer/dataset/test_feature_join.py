"""Published rows get the features of other datasets as they were known at their event time. Served rows keep theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.dataset.source import SourceDataset
from rondo.contracts.spec.model import ModelSpec
from rondo.trainer.dataset import training_set
from rondo.trainer.dataset.digest import digest_of
from rondo.trainer.dataset.feature_join import SourceTable, with_joined
from rondo.trainer.dataset.training_set import RowsLeftOut, Tables, assemble, rows_left_out
from rondo.trainer.errors import InexactIntegerError, KnownAtTypeError, SourceUnknownError

from tests.trainer.dataset.frames import LATER, SPEC, TIME, at, outcomes, published, served

WEATHER = SourceDataset(
    dataset="weather", digest=f"sha256:{'0' * 64}", entity=("airline",), event_time="read", known_at="sent"
)
Reading = tuple[str, float, float, float | None, str]
"""The airline, the hours at which it was read and sent, degrees, and the batch."""
PLACES = {"w1": 0, "w2": 1, "w3": 2}


def spec(**keys: Any) -> ModelSpec:
    """Return the spec with `temp`, which is joined by carrier and is at most four hours old."""
    joined = {"type": "float", "optional": True, "from": "weather", "column": "degrees", "on": ["carrier"]}
    features = {name: each.model_dump() for name, each in SPEC.features.items()} | {
        "temp": joined | {"max_age": "4h"} | keys
    }
    return ModelSpec.model_validate(SPEC.model_dump() | {"features": {"temp": features.pop("temp"), **features}})


def weather(*rows: Reading) -> tuple[SourceTable, ...]:
    schema = {"airline": pl.String, "read": TIME, "sent": TIME, "degrees": pl.Float64, "batch_id": pl.String}
    frame = pl.DataFrame([(key, at(r), at(s), value, batch) for key, r, s, value, batch in rows], schema, orient="row")
    return (SourceTable(WEATHER, frame.lazy(), PLACES),)


def temps(tables: Tables, model: ModelSpec | None = None) -> list[tuple[Any, ...]]:
    return assemble(model or spec(), tables, None, LATER, LATER).select("flight", "temp").rows()


FLIGHTS = published(("a", 1, 0, "UA", 20.0), ("b", 6, 1, "UA", 10.0), ("c", 6, 1, "AA", 10.0))


def test_a_row_gets_the_value_that_was_known_at_its_event_time() -> None:
    readings = weather(
        ("UA", 0, 0.5, 3.0, "w1"),
        ("UA", 1, 1.5, 4.0, "w1"),  # was read at the time of the first flight, and known later
        ("UA", 5, 5, 5.0, "w1"),
        ("UA", 5, 7, 6.0, "w2"),  # a correction that no flight knew
        ("AA", 1, 1, 7.0, "w1"),  # too old
    )
    tables = Tables(FLIGHTS, None, None, sources=readings)
    assert temps(tables) == [("a", 3.0), ("b", 5.0), ("c", None)]
    assert temps(tables, spec(max_age="5h")) == [("a", 3.0), ("b", 5.0), ("c", 7.0)]


def test_a_correction_and_a_repeated_batch_count_from_the_time_at_which_they_were_known() -> None:
    readings = weather(
        ("UA", 5, 5, 5.0, "w1"), ("UA", 5, 6, 6.0, "w2"), ("UA", 0, 0, 1.0, "w3"), ("UA", 0, 0, 2.0, "w1")
    )
    assert temps(Tables(FLIGHTS, None, None, sources=readings)) == [("a", 1.0), ("b", 6.0), ("c", None)]


def test_the_columns_of_a_training_set_are_those_of_the_spec_in_its_order() -> None:
    frame = assemble(spec(), Tables(FLIGHTS, None, None, sources=weather()), None, LATER, LATER)
    assert frame.columns == ["flight", "departure", "late", "temp", "carrier", "distance", "gust"]
    assert frame.schema["temp"] == pl.Float32


def test_a_served_row_keeps_the_value_that_it_was_served_with() -> None:
    logged = served(("1", "f1", 2)).with_columns(pl.lit(9.0, pl.Float32).alias("feature.temp"))
    tables = Tables(
        FLIGHTS, logged, outcomes(("1", None, 1, 5)), sources=weather(("UA", 0, 0, 3.0, "w1"), ("UA", 1, 1, 4.0, "w1"))
    )
    assert temps(tables) == [("a", 4.0), ("f1", 9.0), ("b", None), ("c", None)]


@pytest.mark.parametrize("optional", [True, False])
def test_a_source_without_rows_leaves_values_missing(optional: bool) -> None:  # noqa: FBT001
    model = spec(optional=optional)
    for sources in (weather(), (SourceTable(WEATHER, None),)):
        found = temps(Tables(FLIGHTS, None, None, sources=sources), model)
        assert found == ([("a", None), ("b", None), ("c", None)] if optional else [])


@pytest.mark.parametrize("column", ["sent", "read", "airline"])
def test_a_table_from_before_a_declaration_has_no_row_with_a_key_that_was_known(column: str) -> None:
    (table,) = weather(("UA", 0, 0, 3.0, "w1"))
    assert table.rows is not None
    old = (SourceTable(WEATHER, table.rows.drop(column), PLACES),)
    assert temps(Tables(FLIGHTS, None, None, sources=old)) == [("a", None), ("b", None), ("c", None)]


def test_a_known_at_that_older_rows_have_as_text_is_an_error_with_what_to_do() -> None:
    (table,) = weather(("UA", 0, 0, 3.0, "w1"))
    assert table.rows is not None
    text = (SourceTable(WEATHER, table.rows.with_columns(pl.col("sent").cast(pl.String)), PLACES),)
    with pytest.raises(KnownAtTypeError) as caught:
        temps(Tables(FLIGHTS, None, None, sources=text))
    assert (caught.value.dataset, caught.value.column) == ("weather", "sent")
    assert "as something else than a time" in str(caught.value)
    assert "declare a dataset of another name" in str(caught.value)


def test_rows_without_a_required_value_are_left_out_and_counted() -> None:
    model, readings = spec(optional=False), weather(("UA", 0, 0, 3.0, "w1"))
    tables = Tables(FLIGHTS, None, None, sources=readings)
    frame = assemble(model, tables, None, LATER, LATER)
    assert frame["flight"].to_list() == ["a"]
    found = rows_left_out(model, FLIGHTS, None, LATER, frame, readings)
    assert found == (RowsLeftOut(2, {"temp": 2}), None)


def test_rows_that_are_used_are_not_joined_again_to_count_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[pl.DataFrame] = []
    model, readings = spec(optional=False), weather(("UA", 0, 0, 3.0, "w1"))
    frame = assemble(model, Tables(FLIGHTS, None, None, sources=readings), None, LATER, LATER)

    def recorded(model: ModelSpec, sources: Any, rows: pl.DataFrame) -> pl.DataFrame:
        joined.append(rows)
        return with_joined(model, sources, rows)

    monkeypatch.setattr(training_set, "with_joined", recorded)
    assert rows_left_out(model, FLIGHTS, None, LATER, frame, readings) == (RowsLeftOut(2, {"temp": 2}), None)
    assert [sorted(rows["flight"]) for rows in joined] == [["b", "c"]]
    assert "late" not in joined[0].columns


def test_a_correction_of_a_published_row_is_joined_at_its_own_key() -> None:
    again = published(("a", 1, 0, "AA", 20.0)).with_columns(batch_id=pl.lit("b2"))
    tables = Tables(
        pl.concat([published(("a", 1, 0, "UA", 20.0)), again]), None, None, {"b1": 0, "b2": 1},
        weather(("UA", 0, 0, 3.0, "w1"), ("AA", 0, 0, 4.0, "w1")),
    )  # fmt: skip
    assert temps(tables) == [("a", 4.0)]


def test_a_whole_number_that_a_model_can_not_read_exactly_is_refused_where_it_is_used() -> None:
    (table,) = weather(("UA", 0, 0, 2.0**24 + 1, "w1"), ("DL", 0, 0, 2.0**24 + 1, "w1"))
    assert table.rows is not None
    whole = (SourceTable(WEATHER, table.rows.with_columns(pl.col("degrees").cast(pl.Int64)), PLACES),)
    with pytest.raises(InexactIntegerError) as caught:
        temps(Tables(FLIGHTS, None, None, sources=whole), spec(type="int"))
    assert caught.value.features == ["temp"]
    assert "weather" in str(caught.value)
    others = FLIGHTS.filter(pl.col("carrier") == "AA")
    assert temps(Tables(others, None, None, sources=whole), spec(type="int")) == [("c", None)]


def test_a_spec_without_its_sources_is_an_error() -> None:
    with pytest.raises(SourceUnknownError) as unknown:
        temps(Tables(FLIGHTS, None, None))
    assert unknown.value.dataset == "weather"


hours = st.integers(0, 9).map(float)
readings_of = st.lists(
    st.tuples(st.sampled_from(["UA", "AA"]), hours, hours, st.none() | hours, st.sampled_from(list(PLACES))),
    max_size=8, unique_by=lambda row: (row[0], row[1], row[4]),
)  # fmt: skip
flights_of = st.lists(st.tuples(hours, st.sampled_from(["UA", "AA", "DL"])), min_size=1, max_size=6)


def by_definition(readings: list[Reading], carrier: str, hour: float) -> float | None:
    """Return the degrees by a loop over all readings."""
    known = [(read, max(read, sent), sent, PLACES[batch], value) for key, read, sent, value, batch in readings
             if key == carrier and max(read, sent) <= hour]  # fmt: skip
    if not known:
        return None
    read, *_, value = max(known, key=lambda row: row[:4])
    return value if hour - read <= 4 else None


@pytest.mark.medium
@given(readings_of, flights_of, st.randoms(use_true_random=False))
def test_each_published_row_is_one_row_with_the_value_of_the_definition(
    readings: list[Reading], flights: list[tuple[float, str]], random: Any
) -> None:
    rows = [(f"f{number}", hour, number % 2, carrier, 1.0) for number, (hour, carrier) in enumerate(flights)]
    frame = assemble(spec(), Tables(published(*rows), None, None, sources=weather(*readings)), None, LATER, LATER)
    expected = {name: by_definition(readings, carrier, hour) for name, hour, _, carrier, _ in rows}
    assert sorted(frame.select("flight", "temp").rows()) == sorted(expected.items())
    random.shuffle(readings)
    random.shuffle(rows)
    again = assemble(spec(), Tables(published(*rows), None, None, sources=weather(*readings)), None, LATER, LATER)
    assert digest_of(again) == digest_of(frame)


def test_the_window_of_a_training_does_not_cut_off_values_that_its_first_row_knew() -> None:
    readings = weather(("UA", 1.5, 2, 3.0, "w1"))
    frame = assemble(spec(), Tables(FLIGHTS, None, None, sources=readings), at(5) - timedelta(hours=1), LATER, LATER)
    assert frame.select("flight", "temp").rows() == [("b", None), ("c", None)]
    wider = spec(max_age="4.5h")
    frame = assemble(wider, Tables(FLIGHTS, None, None, sources=readings), at(5) - timedelta(hours=1), LATER, LATER)
    assert frame.select("flight", "temp").rows() == [("b", 3.0), ("c", None)]
