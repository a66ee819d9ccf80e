"""A join finds what the definition says, one row for each row, and a lookup of one key finds the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.features.history import KeyHistory
from rondo.chassis.features.point_in_time import FeatureGroup, groups, join
from rondo.chassis.features.steps import TIME, available, steps
from rondo.contracts.spec.data import Feature
from rondo.contracts.spec.dataset.source import SourceDataset

START = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = SourceDataset(
    dataset="weather", digest=f"sha256:{'0' * 64}", entity=("airport", "runway"), event_time="read", known_at="sent"
)
AGE = 3
Sent = tuple[str, str, int, int, int | None]
"""Both parts of a key, event time, the time since which it is known, and a value. Times are minutes."""
Asked = tuple[str | None, str | None, int | None]

times = st.integers(0, 6)
parts = st.sampled_from("ab")
# Few values, so that keys, times and ages meet often. A row may be known before its event time.
sent = st.lists(st.tuples(parts, parts, times, times, st.none() | times), max_size=12)
asked = st.lists(st.tuples(st.none() | parts, st.none() | parts, st.none() | st.integers(-1, 10)), max_size=12)
ages = st.none() | st.integers(1, 5)


@dataclass(frozen=True)
class Shuffled:
    """Published rows, each with its place in the order of publishing, in the order in which a table has them."""

    rows: list[tuple[int, Sent]]


@st.composite
def tables(draw: st.DrawFn) -> Shuffled:
    return Shuffled(draw(st.permutations(list(enumerate(draw(sent))))))


def by_definition(table: Shuffled, row: Asked, max_age: int | None) -> int | None:
    """Return the value of a row by a loop over all published rows."""
    *key, at = row
    best: tuple[tuple[int, int, int, int], int | None] | None = None
    for publication, (airport, runway, event_time, known_at, value) in table.rows:
        available_at = max(event_time, known_at)
        rank = (event_time, available_at, known_at, publication)
        if at is None or [airport, runway] != key or available_at > at or (best is not None and rank < best[0]):
            continue
        best = (rank, value)
    if best is None or at is None or (max_age is not None and at - best[0][0] > max_age):
        return None
    return best[1]


def clock(minutes: int | None) -> datetime | None:
    return None if minutes is None else START + timedelta(minutes=minutes)


def frame_of(table: Shuffled) -> pl.LazyFrame:
    rows = [(a, r, clock(e), clock(k), value, place) for place, (a, r, e, k, value) in table.rows]
    schema = {
        "airport": pl.String,
        "runway": pl.String,
        "read": TIME,
        "sent": TIME,
        "wind": pl.Int64,
        "place": pl.Int64,
    }
    return pl.LazyFrame(rows, schema, orient="row")


def group_of(max_age: int | None) -> FeatureGroup:
    age = None if max_age is None else timedelta(minutes=max_age)
    return FeatureGroup(SOURCE, ("from", "strip"), age, {"gust": "wind"})


def joined(table: Shuffled, rows: list[Any], max_age: int | None) -> pl.DataFrame:
    found = steps(available(frame_of(table), SOURCE, [pl.col("wind").alias("gust")], pl.col("place")), SOURCE).collect()
    schema = {"from": pl.String, "strip": pl.String, "at": TIME, "number": pl.Int64}
    lines = [(airport, runway, clock(at), number) for number, (airport, runway, at) in enumerate(rows)]
    return join(pl.DataFrame(lines, schema, orient="row"), "at", group_of(max_age), found)


@pytest.mark.medium
@given(tables(), asked, ages)
def test_a_join_finds_what_the_definition_says_in_the_order_of_the_rows(
    table: Shuffled, rows: list[Any], max_age: int | None
) -> None:
    found = joined(table, rows, max_age)
    assert found.columns == ["from", "strip", "at", "number", "gust"]
    assert found["number"].to_list() == list(range(len(rows)))
    assert found["gust"].to_list() == [by_definition(table, row, max_age) for row in rows]


@pytest.mark.medium
@given(tables(), st.lists(times | st.just(9), min_size=1), ages)
def test_a_lookup_of_a_key_finds_what_the_join_finds_for_any_order_of_arrival(
    table: Shuffled, at: list[int], max_age: int | None
) -> None:
    history: KeyHistory[tuple[int | None]] = KeyHistory()
    for place, (airport, runway, event_time, known_at, value) in table.rows * 2:
        if (airport, runway) == ("a", "b"):
            history.add(event_time, known_at, place, (value,))
    looked_up = [(history.at(time, max_age) or (None,))[0] for time in at]
    assert looked_up == joined(table, [("a", "b", time) for time in at], max_age)["gust"].to_list()
    history.drop_before(min(at))
    assert [(history.at(time, max_age) or (None,))[0] for time in at] == looked_up


@pytest.mark.medium
@given(tables())
def test_a_table_and_a_lookup_keep_the_same_steps(table: Shuffled) -> None:
    history: KeyHistory[int | None] = KeyHistory()
    for place, (airport, runway, event_time, known_at, value) in table.rows:
        if (airport, runway) == ("a", "b"):
            history.add(event_time, known_at, place, value)
    found = steps(available(frame_of(table), SOURCE, [pl.col("wind")], pl.col("place")), SOURCE).collect()
    assert found["source.available_at"].is_sorted()
    of_key = found.filter(pl.col("source.key.0") == "a", pl.col("source.key.1") == "b")
    kept = [(clock(step.event_time), clock(step.available_at), step.values) for step in history.steps]
    assert of_key.select("source.event_time", "source.available_at", "wind").rows() == kept


def test_of_rows_with_the_same_times_the_last_publication_counts() -> None:
    table = Shuffled([(1, ("a", "b", 0, 0, 3)), (0, ("a", "b", 0, 0, 7))])
    assert joined(table, [("a", "b", 1)], None)["gust"].to_list() == [3]


@pytest.mark.parametrize("first", [0, 1])
def test_of_forecasts_of_a_time_the_one_that_was_known_last_counts(first: int) -> None:
    """Both are available from their event time on, in whatever order they were published."""
    table = Shuffled([(first, ("a", "b", 5, 1, 3)), (1 - first, ("a", "b", 5, 2, 7))])
    assert joined(table, [("a", "b", 5)], None)["gust"].to_list() == [7]


@pytest.mark.medium
@given(sent, sent, asked, ages)
def test_a_later_publication_does_not_change_what_was_known_before(
    before: list[Sent], later: list[Sent], rows: list[Any], max_age: int | None
) -> None:
    known = max((known_at for *_, known_at, _ in before), default=0)
    corrected = [(a, r, e, known + 1 + k, value) for a, r, e, k, value in later]
    until = [row for row in rows if row[2] is not None and row[2] <= known]
    first = joined(Shuffled(list(enumerate(before))), until, max_age)
    assert joined(Shuffled(list(enumerate([*before, *corrected]))), until, max_age).equals(first)


@pytest.mark.parametrize(("at", "value"), [(1, None), (2, 7), (2 + AGE, 7), (3 + AGE, None)])
def test_a_value_counts_from_its_time_up_to_its_greatest_age(at: int, value: int | None) -> None:
    table = Shuffled([(0, ("a", "b", 2, 0, 7))])
    assert joined(table, [("a", "b", at)], AGE)["gust"].to_list() == [value]


def test_a_missing_value_is_not_replaced_by_an_older_one() -> None:
    table = Shuffled([(0, ("a", "b", 0, 0, 7)), (1, ("a", "b", 1, 1, None))])
    assert joined(table, [("a", "b", 0), ("a", "b", 1)], None)["gust"].to_list() == [7, None]


def test_rows_that_never_were_known_and_rows_without_a_time_have_no_value() -> None:
    table = frame_of(Shuffled([(0, ("a", "b", 0, 0, 7))])).with_columns(sent=pl.lit(None, TIME))
    assert available(table, SOURCE, [pl.col("wind")]).collect().is_empty()
    rows = [("a", "b", None), ("a", "b", 5), ("a", "b", None)]
    assert joined(Shuffled([(0, ("a", "b", 0, 0, 7))]), rows, None)["gust"].to_list() == [None, 7, None]


def test_a_row_is_available_some_time_after_its_event_time() -> None:
    source = SOURCE.model_copy(update={"known_at": None, "known_after": timedelta(minutes=2)})
    found = available(frame_of(Shuffled([(0, ("a", "b", 1, 9, 7))])), source, []).collect()
    assert found["source.available_at"].to_list() == [clock(3)]


def test_features_of_one_source_by_the_same_columns_and_age_are_one_join() -> None:
    def feature(**keys: Any) -> Feature:
        return Feature.model_validate({"type": "float", "from": "weather"} | keys)

    features = {
        "temp": feature(max_age="4h"),
        "distance": Feature(type="float"),
        "wind": feature(max_age="4h", column="speed", on=["airport", "runway"]),
        "sky": feature(max_age="5h"),
        "other": feature(max_age="4h", on=["to", "runway"]),
    }
    found = groups(features, [SOURCE])
    assert [(group.on, dict(group.columns)) for group in found] == [
        (("airport", "runway"), {"temp": "temp", "wind": "speed"}),
        (("airport", "runway"), {"sky": "sky"}),
        (("to", "runway"), {"other": "other"}),
    ]
