"""The rows that a model is trained on, as a function of frames."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import ModelSpec
from rondo.trainer.dataset.training_set import (
    RowsLeftOut,
    Tables,
    TrainingSet,
    assemble,
    join_feedback,
    known_as_of,
    latest_plausible,
    rows_left_out,
    window,
)
from rondo.trainer.errors import ColumnMissingError, InexactIntegerError

from tests.trainer.dataset.frames import LATER, SPEC, TIME, at, labels, outcomes, published, served


def test_published_rows_come_in_order_of_event_time_with_the_types_of_the_model() -> None:
    rows = published(("b", 2, 1, "AA", 10.0), ("a", 1, 0, "UA", 20.0))
    frame = assemble(SPEC, Tables(rows, None, None), None, LATER, LATER)
    assert frame.rows() == [("a", at(1), 0.0, "UA", 20.0, None), ("b", at(2), 1.0, "AA", 10.0, None)]
    assert dict(frame.schema) == {
        "flight": pl.String, "departure": TIME, "late": pl.Float64,
        "carrier": pl.String, "distance": pl.Float32, "gust": pl.Float32,
    }  # fmt: skip


def test_rows_without_a_label_or_a_required_value_are_left_out() -> None:
    rows = published(("a", 1, None, "UA", 1.0), ("b", 2, 1, None, 1.0), ("c", 3, 1, "UA", 1.0))
    assert labels(assemble(SPEC, Tables(rows, None, None), None, LATER, LATER)) == [("c", 1.0)]


def test_a_served_row_gets_the_outcome_of_its_id() -> None:
    tables = Tables(None, served(("1", "f1", 0), ("2", "f2", 1)), outcomes(("2", None, 1, 5), ("1", None, 0, 6)))
    assert labels(assemble(SPEC, tables, None, LATER, LATER)) == [("f1", 0.0), ("f2", 1.0)]


def test_without_one_by_id_it_gets_the_outcome_of_its_entity() -> None:
    tables = Tables(None, served(("1", "f1", 0), ("2", "f2", 1)), outcomes((None, "f2", 1, 5), ("1", "f1", 0, 6)))
    assert labels(assemble(SPEC, tables, None, LATER, LATER)) == [("f1", 0.0), ("f2", 1.0)]


def test_an_outcome_that_names_an_id_is_that_of_no_other_prediction_of_its_entity() -> None:
    tables = Tables(None, served(("1", "c", 0), ("2", "c", 1)), outcomes(("2", "c", 1, 5)))
    frame = assemble(SPEC, tables, None, LATER, LATER)
    assert frame.select("departure", "late").rows() == [(at(1), 1.0)]


def test_by_id_the_outcome_known_last_counts() -> None:
    tables = Tables(None, served(("1", "f1", 0)), outcomes(("1", None, 0, 5), ("1", None, 1, 7)))
    assert labels(assemble(SPEC, tables, None, LATER, LATER)) == [("f1", 1.0)]


def test_by_entity_the_first_outcome_after_the_prediction_counts() -> None:
    """A customer returns: the outcome of the second visit is not that of the first."""
    observed = outcomes((None, "c", 0, -1), (None, "c", 1, 5), (None, "c", 0, 9))
    frame = assemble(SPEC, Tables(None, served(("1", "c", 0), ("2", "c", 6)), observed), None, LATER, LATER)
    assert labels(frame) == [("c", 1.0), ("c", 0.0)]


@pytest.mark.parametrize("has_event_time", [True, False])
def test_a_request_that_was_sent_again_is_one_row_with_its_last_answer(*, has_event_time: bool) -> None:
    distances, answered = [100.0, 200.0, 300.0], [at(2), at(3), at(1)]
    asked = served(("1", "f1", 0), ("1", "f1", 0), ("1", "f1", 0)).with_columns(
        pl.Series("feature.distance", distances, pl.Float32), pl.Series("made_at", answered, TIME)
    )
    if not has_event_time:
        asked = asked.with_columns(pl.lit(None, TIME).alias("event_time"))
    known = outcomes(("1", None, 1, 5))
    assert assemble(SPEC, Tables(None, asked, known), None, LATER, LATER)["distance"].to_list() == [200.0]
    assert join_feedback(SPEC, Tables(None, asked, known), LATER).collect().height == 1


def test_one_id_at_two_event_times_is_two_rows() -> None:
    tables = Tables(None, served(("1", "f1", 0), ("1", "f1", 1)), outcomes(("1", None, 1, 5)))
    assert assemble(SPEC, tables, None, LATER, LATER).height == 2


@pytest.mark.parametrize("role", ["shadow", "canary", "from-the-future"])
def test_only_the_rows_of_the_primary_are_trained_on(role: str) -> None:
    asked, known = served(("1", "f1", 0), ("2", "f2", 1)), outcomes(("1", None, 0, 5), ("2", None, 1, 6))
    other = served(("1", "f1", 2), ("2", "f2", 3), ("3", "f1", 4), role=role)
    frame = assemble(SPEC, Tables(None, pl.concat([other, asked, other]), known), None, LATER, LATER)
    assert (
        labels(frame)
        == labels(assemble(SPEC, Tables(None, asked, known), None, LATER, LATER))
        == [("f1", 0), ("f2", 1)]
    )


def test_an_outcome_known_later_does_not_count() -> None:
    tables = Tables(None, served(("1", "f1", 0), ("2", "f2", 1)), outcomes(("1", None, 0, 5), ("2", None, 1, 6)))
    assert labels(assemble(SPEC, tables, None, at(5), at(5))) == [("f1", 0.0)]


def test_of_an_occurrence_both_published_and_served_the_served_row_is_kept() -> None:
    tables = Tables(
        published(("f1", 0, 0, "corrected", 1.0), ("f1", 24, 0, "AA", 1.0)),
        served(("1", "f1", 0)),
        outcomes(("1", None, 1, 5)),
    )
    frame = assemble(SPEC, tables, None, LATER, LATER)
    assert frame.select("flight", "late", "carrier").rows() == [("f1", 1.0, "UA"), ("f1", 0.0, "AA")]


def test_of_an_occurrence_published_twice_the_later_is_kept() -> None:
    first = published(("f1", 0, 0, "AA", 1.0), ("f2", 0, 1, "AA", 1.0))
    corrected = published(("f1", 0, 1, "UA", 1.0)).with_columns(batch_id=pl.lit("a"))
    for parts in ([first, corrected], [corrected, first]):
        tables = Tables(pl.concat(parts), None, None, {"b1": 0, "a": 1})
        frame = assemble(SPEC, tables, None, LATER, LATER)
        assert frame.select("flight", "late", "carrier").rows() == [("f1", 1.0, "UA"), ("f2", 1.0, "AA")]


def test_the_same_rows_make_the_same_frame_in_any_order_of_the_table() -> None:
    """Two predictions of one occurrence tie in event time and entity."""
    asked, observed = served(("1", "f1", 0), ("2", "f1", 0)), outcomes(("1", None, 1, 5), ("2", None, 0, 5))
    twice = published(("f2", 0, 1, "AA", 1.0), ("f2", 0, 0, "UA", 2.0))
    frames = [
        assemble(
            SPEC,
            Tables(*(table.reverse() if turned else table for table in (twice, asked, observed))),
            None,
            LATER,
            LATER,
        )
        for turned in (False, True)
    ]
    assert frames[0].rows() == frames[1].rows()


def test_published_rows_without_a_required_feature_are_counted_unless_they_were_published_again_or_served() -> None:
    rows = published(
        ("older", -1, 0, None, 1.0), ("a", 1, 0, None, 1.0), ("b", 2, 0, None, 1.0), ("again", 3, 0, None, 1.0),
        ("again", 3, 0, "UA", 1.0), ("f1", 4, 0, None, 1.0), ("whole", 5, 1, "UA", 1.0),
        ("no label", 6, None, None, 1.0),
    )  # fmt: skip
    tables = Tables(rows, served(("1", "f1", 4)), outcomes(("1", None, 1, 5)))
    found = assemble(SPEC, tables, at(0), LATER, LATER)
    assert rows_left_out(SPEC, rows, at(0), LATER, found) == (RowsLeftOut(2, {"carrier": 2}), None)
    assert rows_left_out(SPEC, published(("a", 1, 0, "UA", 1.0)), at(0), LATER, found) == (None, None)


LIMITED = ModelSpec.model_validate(
    SPEC.model_dump(mode="json", exclude_unset=True)
    | {
        "features": {
            "carrier": {"type": "category", "values": ["AA", "UA"], "optional": True},
            "distance": {"type": "float", "min": 0.1, "max": 100},
            "gust": {"type": "float", "optional": True, "max": 90},
        }
    }
)


def test_published_rows_outside_the_limits_of_the_model_are_left_out_and_counted() -> None:
    """The dataset may be declared with wider ones. A value that equals a limit as float32 is allowed."""
    rows = published(
        ("low", 1, 0, "UA", 0.05), ("high", 2, 0, "UA", 101.0), ("other", 3, 0, "DL", 300.0),
        ("least", 4, 0, "AA", 0.1), ("most", 5, 1, None, 100.0),
        ("corrected", 6, 1, "DL", 50.0), ("corrected", 6, 1, "UA", 50.0),
        ("no label", 7, None, "DL", 50.0), ("before", -1, 1, "DL", 50.0),
    )  # fmt: skip
    batches = pl.Series("batch_id", ["1"] * 6 + ["2"] * 3)
    rows = rows.collect().with_columns(batches).lazy()
    found = assemble(LIMITED, Tables(rows, None, None, {"1": 1, "2": 2}), at(0), LATER, LATER)
    assert [name for name, _ in labels(found)] == ["least", "most", "corrected"]
    assert rows_left_out(LIMITED, rows, at(0), LATER, found) == (None, RowsLeftOut(3, {"carrier": 1, "distance": 3}))


def test_a_row_that_was_corrected_to_a_value_outside_the_limits_is_out() -> None:
    rows = published(("a", 1, 0, "UA", 50.0), ("a", 1, 0, "UA", 500.0)).collect()
    tables = Tables(rows.with_columns(batch_id=pl.Series(["1", "2"])).lazy(), None, None, {"1": 1, "2": 2})
    assert labels(assemble(LIMITED, tables, at(0), LATER, LATER)) == []


def test_a_served_row_is_in_whatever_the_limits_are_now() -> None:
    tables = Tables(None, served(("1", "f1", 1)), outcomes(("1", None, 1, 5)))
    assert labels(assemble(LIMITED, tables, at(0), LATER, LATER)) == [("f1", 1.0)]


@pytest.mark.parametrize("name", ["len", "count", "literal", "index"])
def test_a_feature_may_have_a_name_that_polars_gives_to_what_it_computes(name: str) -> None:
    described = SPEC.model_dump(mode="json", exclude_unset=True)
    spec = ModelSpec.model_validate(described | {"features": {name: {"type": "category"}}})
    rows = published(("a", 1, 0, None, 1.0), ("b", 2, 1, "UA", 1.0)).rename({"carrier": name})
    found = assemble(spec, Tables(rows, None, None), at(0), LATER, LATER)
    assert found[name].to_list() == ["UA"]
    assert rows_left_out(spec, rows, at(0), LATER, found) == (RowsLeftOut(1, {name: 1}), None)


def test_only_the_window_counts() -> None:
    rows = published(("a", 0, 0, "UA", 1.0), ("b", 1, 0, "UA", 1.0), ("c", 2, 1, "UA", 1.0), ("d", 3, 1, "UA", 1.0))
    assert labels(assemble(SPEC, Tables(rows, None, None), at(0), at(2), at(2))) == [("b", 0.0), ("c", 1.0)]


def test_a_column_that_the_data_lacks_is_named() -> None:
    rows = published(("a", 1, 0, "UA", 1.0)).drop("distance", "late")
    with pytest.raises(ColumnMissingError) as caught:
        assemble(SPEC, Tables(rows, None, None), None, LATER, LATER)
    assert caught.value.missing == ["late", "distance"]


def test_an_optional_feature_may_be_missing_and_a_required_one_leaves_served_rows_out() -> None:
    rows = published(("a", 1, 0, "UA", 1.0)).drop("gust")
    earlier = served(("1", "f1", 0)).drop("feature.distance")
    frame = assemble(SPEC, Tables(rows, earlier, outcomes(("1", None, 1, 5))), None, LATER, LATER)
    assert frame.select("flight", "gust").rows() == [("a", None)]


def test_as_of_is_the_later_of_the_trigger_and_the_newest_outcome_but_not_in_the_future() -> None:
    latest = latest_plausible(LATER)
    assert known_as_of(at(1), None, latest) == at(1)
    assert known_as_of(at(1), at(2), latest) == at(2)
    assert known_as_of(at(3), at(2), latest) == at(3)
    assert known_as_of(at(24 * 4000), at(2), latest) == LATER + timedelta(days=1)


def test_outcomes_known_at_the_same_time_count_by_their_position_in_the_log() -> None:
    """A correction has a later position, whatever its value."""
    observed = outcomes(("1", None, 1, 5), ("1", None, 0, 5), ("2", None, 0, 5), ("2", None, 1, 5)).with_columns(
        log_offset=pl.Series([7, 8, 9, 9]), log_row=pl.Series([1, 0, 0, 1])
    )
    for order in (observed, observed.reverse()):
        tables = Tables(None, served(("1", "f1", 0), ("2", "f2", 1)), order)
        assert labels(assemble(SPEC, tables, None, LATER, LATER)) == [("f1", 0.0), ("f2", 1.0)]


def test_so_do_outcomes_of_an_entity() -> None:
    observed = outcomes((None, "c", 1, 5), (None, "c", 0, 5), (None, "c", 1, 9)).with_columns(
        log_offset=pl.Series([7, 8, 9]), log_row=pl.Series([0, 0, 0])
    )
    for order in (observed, observed.reverse()):
        assert labels(assemble(SPEC, Tables(None, served(("1", "c", 0)), order), None, LATER, LATER)) == [("c", 0.0)]


@pytest.mark.parametrize(("value", "exact"), [(2**24, True), (2**24 + 1, False), (-(2**24) - 1, False), (2**62, False)])
def test_a_whole_number_that_float32_cannot_hold_is_refused_with_its_column(value: int, *, exact: bool) -> None:
    spec = ModelSpec.model_validate(SPEC.as_dict() | {"features": {"cents": {"type": "int"}, "x": {"type": "int"}}})
    rows = published(("a", 1, 0, "UA", 1.0), ("b", 2, 1, "UA", 2.0))
    tables = Tables(rows.with_columns(cents=pl.Series([5, value]), x=pl.Series([1, None], dtype=pl.Int64)), None, None)
    if exact:
        optional = spec.model_copy(update={"features": {"cents": spec.features["cents"]}})
        assert assemble(optional, tables, None, LATER, LATER)["cents"].to_list() == [5.0, float(value)]
        return
    tables = Tables(rows.with_columns(cents=pl.Series([5, value]), x=pl.lit(1)), None, None)
    with pytest.raises(InexactIntegerError) as refusal:
        assemble(spec, tables, None, LATER, LATER)
    assert refusal.value.features == ["cents"]
    assert "whole numbers beyond 16,777,216" in str(refusal.value)


def test_a_whole_number_outside_the_window_is_not_looked_at() -> None:
    spec = ModelSpec.model_validate(SPEC.as_dict() | {"features": {"cents": {"type": "int"}}})
    rows = published(("a", 1, 0, "UA", 1.0), ("b", 2, 1, "UA", 2.0)).with_columns(cents=pl.Series([2**30 + 1, 5]))
    assert assemble(spec, Tables(rows, None, None), at(1), LATER, LATER)["cents"].to_list() == [5.0]


def test_a_whole_number_outside_the_limits_is_left_out_and_fails_no_run() -> None:
    limited = {"features": {"cents": {"type": "int", "max": 1000}}}
    spec = ModelSpec.model_validate(SPEC.as_dict() | limited)
    rows = published(("a", 1, 0, "UA", 1.0), ("b", 2, 1, "UA", 2.0)).with_columns(cents=pl.Series([2**30 + 1, 5]))
    found = assemble(spec, Tables(rows, None, None), None, LATER, LATER)
    assert found["cents"].to_list() == [5.0]
    assert rows_left_out(spec, rows, None, LATER, found) == (None, RowsLeftOut(1, {"cents": 1}))


def test_the_digest_is_that_of_the_rows() -> None:
    def made(*rows: tuple[str, float, int | None, str | None, float]) -> TrainingSet:
        found = assemble(SPEC, Tables(published(*rows), None, None), None, LATER, LATER)
        return TrainingSet(found, (), LATER, None, LATER)

    one, other = ("a", 1, 0, "UA", 1.0), ("b", 2, 1, "AA", 1.0)
    assert made(one, other).digest == made(other, one).digest
    assert made(one, other).digest != made(one, ("b", 2, 0, "AA", 1.0)).digest
    assert made(one).digest != made(one, other).digest


def test_the_window_reaches_back_from_the_newest_labelled_row() -> None:
    assert window(SPEC, at(0), at(5)) == (at(0) - timedelta(days=30), at(0))
    assert window(SPEC, at(24 * 4000), at(5)) == (at(5) - timedelta(days=30), at(5))
    assert window(SPEC, at(0), None) == (at(0) - timedelta(days=30), at(0))


@pytest.mark.medium
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), min_size=1, max_size=15),
    st.lists(
        st.tuples(st.none() | st.integers(0, 20), st.integers(0, 5), st.sampled_from([0, 1]), st.integers(0, 30)),
        max_size=20,
    ),
    st.integers(0, 30),
)
def test_one_row_per_prediction_and_never_an_outcome_with_unknown_words(
    predictions: list[tuple[int, int]], observed: list[tuple[int | None, int, int, int]], hours: int
) -> None:
    """Checked against the definition, row by row."""
    rows = [(str(n), f"e{entity}", hour) for n, (entity, hour) in enumerate(predictions)]
    known = [(None if i is None else str(i), f"e{e}", o, h + n / 1000) for n, (i, e, o, h) in enumerate(observed)]
    expected = sorted(
        (entity, label) for row in rows for entity in [row[1]] if (label := _expected(row, known, hours)) is not None
    )
    frame = assemble(SPEC, Tables(None, served(*rows), outcomes(*known)), None, at(hours), at(hours))
    assert sorted(labels(frame)) == expected


def _expected(row: tuple[str, str, int], observed: list[tuple[str | None, str, int, float]], now: int) -> float | None:
    name, entity, hour = row
    known = sorted((t for t in observed if t[3] <= now), key=lambda t: t[3])
    if hour > now:
        return None
    by_id = [o for i, _, o, _ in known if i == name]
    by_entity = [o for i, e, o, h in known if i is None and e == entity and h >= hour]
    return float(by_id[-1]) if by_id else float(by_entity[0]) if by_entity else None


TEMPTING = ("id", "entity", "event_time", "made_at", "outcome", "outcome_right", "outcome_of_entity", "known_at", "x")


@pytest.mark.medium
@given(st.permutations(TEMPTING).map(lambda names: names[:4]))
def test_the_columns_of_a_spec_may_have_the_names_that_the_logs_use(names: list[str]) -> None:
    """A feature `outcome` that became the label would give a perfect and useless model."""
    entity, time, label, number = names
    spec = ModelSpec.model_validate(
        {
            "model": "m",
            "data": {"dataset": "d", "entity": entity, "event_time": time, "label": label},
            "features": {number: {"type": "float"}},
        }
    )
    frame = served(("p1", "a", 1), ("p2", "b", 2), ("p3", "c", 3))
    frame = frame.with_columns(pl.Series([0.25, 0.5, 0.75], dtype=pl.Float32).alias(f"feature.{number}"))
    observed = outcomes(("p1", None, 1.0, 5), (None, "b", 0.0, 6))
    found = assemble(spec, Tables(None, frame, observed), None, LATER, LATER)
    assert found.select(entity, time, label, number).rows() == [("a", at(1), 1.0, 0.25), ("b", at(2), 0.0, 0.5)]


@pytest.mark.parametrize(
    ("kind", "stored", "expected"),
    [
        ("bool", ["1", "0", "true", "false", "7", "storm"], [1.0, 0.0, 1.0, 0.0, None, None]),
        ("int", ["1", "true", "-3", "2.5", "no", ""], [1.0, 1.0, -3.0, 2.5, None, None]),
        ("float", ["12.5", "1e3", "false", "x", "inf", "nan"], [12.5, 1000.0, 0.0, None, None, None]),
    ],
)
def test_a_column_that_became_text_is_read_as_the_numbers_it_holds(
    kind: str, stored: list[str], expected: list[float | None]
) -> None:
    """Rows from before a dataset was declared may have another type, and the table keeps both as text."""
    known = SPEC.as_dict()
    features = known["features"] | {"gust": {"type": kind, "optional": True}}
    optional = ModelSpec.model_validate(known | {"features": features})
    rows = published(*((f"p{n}", float(n), 0, "UA", 1.0) for n in range(len(stored))))
    tables = Tables(rows.with_columns(pl.Series("gust", stored)), None, None)
    assert assemble(optional, tables, None, LATER, LATER)["gust"].to_list() == expected
    needed = ModelSpec.model_validate(known | {"features": features | {"gust": {"type": kind}}})
    frame = assemble(needed, tables, None, LATER, LATER)
    assert frame["gust"].to_list() == [value for value in expected if value is not None]
    left_out, _ = rows_left_out(needed, tables.published, None, LATER, frame)
    assert left_out is not None
    assert left_out.by_feature == {"gust": expected.count(None)}
