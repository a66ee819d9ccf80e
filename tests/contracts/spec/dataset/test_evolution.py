"""The allowed changes of a dataset spec. Stored rows stay readable after all of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.dataset.evolution import changes
from rondo.contracts.vocabularies import SchemaChange as Is

from tests.contracts.spec.dataset.builders import dataset_of

FLOAT, INT, TEXT = {"type": "float"}, {"type": "int"}, {"type": "category"}
LISTED = TEXT | {"values": ["a", "b"]}


@pytest.mark.parametrize(
    ("before", "after", "kind", "is_stricter"),
    [
        ({}, {"x": FLOAT | {"optional": True}}, Is.ADDED, False),
        ({}, {"x": FLOAT}, Is.ADDED, True),
        ({"x": FLOAT}, {}, Is.DROPPED, True),
        ({"x": FLOAT}, {"x": FLOAT | {"optional": True}}, Is.MADE_OPTIONAL, False),
        ({"x": FLOAT | {"optional": True}}, {"x": FLOAT}, Is.MADE_REQUIRED, True),
        ({"x": FLOAT | {"min": 0}}, {"x": FLOAT | {"min": -1}}, Is.WIDENED, False),
        ({"x": FLOAT | {"min": 0}}, {"x": FLOAT}, Is.WIDENED, False),
        ({"x": FLOAT | {"max": 9}}, {"x": FLOAT | {"max": 8}}, Is.NARROWED, True),
        ({"x": FLOAT}, {"x": FLOAT | {"max": 8}}, Is.NARROWED, True),
        ({"x": FLOAT | {"min": 0, "max": 5}}, {"x": FLOAT | {"min": 1, "max": 9}}, Is.NARROWED, True),
        ({"x": LISTED}, {"x": TEXT | {"values": ["c", "a", "b"]}}, Is.WIDENED, False),
        ({"x": LISTED}, {"x": TEXT}, Is.WIDENED, False),
        ({"x": LISTED}, {"x": TEXT | {"values": ["a", "c"]}}, Is.NARROWED, True),
        ({"x": TEXT}, {"x": LISTED}, Is.NARROWED, True),
        ({}, {"origin": LISTED}, Is.NARROWED, True),
        ({"origin": LISTED}, {}, Is.WIDENED, False),
        ({"x": INT}, {"x": FLOAT}, Is.WIDENED, False),
        ({"x": FLOAT}, {"x": INT}, Is.RETYPED, False),
        ({"x": FLOAT}, {"x": TEXT}, Is.RETYPED, False),
        ({"x": {"type": "bool"}}, {"x": INT}, Is.RETYPED, False),
    ],
)
def test_a_change_of_a_column(before: dict[str, Any], after: dict[str, Any], kind: Is, is_stricter: bool) -> None:  # noqa: FBT001
    other = {"temp": FLOAT}
    (change,) = changes([dataset_of(other | before)], dataset_of(other | after))
    assert (change.kind, change.is_stricter, change.is_refused) == (kind, is_stricter, kind is Is.RETYPED)
    assert change.column == next(iter(before | after))


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ({}, {"entity": ["station"]}, Is.KEY_CHANGED),
        ({}, {"entity": ["origin", "station"]}, Is.KEY_CHANGED),
        ({}, {"event_time": "measured_at"}, Is.KEY_CHANGED),
        ({"time_zone": "UTC"}, {"time_zone": "Europe/Berlin"}, Is.KEY_CHANGED),
        ({"time_zone": "UTC"}, {}, Is.NARROWED),
        ({}, {"time_zone": "UTC"}, Is.WIDENED),
        ({}, {"known_after": "1h"}, Is.WIDENED),
        ({}, {"known_at": "sent_at"}, Is.ADDED),
        ({"known_after": "1h"}, {"known_after": "2h"}, Is.KEY_CHANGED),
        ({"known_after": "1h"}, {}, Is.KEY_CHANGED),
        ({"known_after": "1h"}, {"known_at": "sent_at"}, Is.KEY_CHANGED),
        ({"known_at": "sent_at"}, {"known_at": "arrived_at"}, Is.KEY_CHANGED),
        ({"known_at": "sent_at"}, {}, Is.KEY_CHANGED),
    ],
)
def test_a_change_of_a_key(before: dict[str, Any], after: dict[str, Any], kind: Is) -> None:
    found = changes([dataset_of(**before)], dataset_of(**after))
    assert kind in [change.kind for change in found]
    assert any(change.is_refused for change in found) is (kind is Is.KEY_CHANGED)


def test_a_time_zone_that_was_left_out_comes_back_as_it_was() -> None:
    history = [dataset_of(time_zone="Europe/Berlin"), dataset_of(), dataset_of()]
    (same,) = changes(history, dataset_of(time_zone="Europe/Berlin"))
    (other,) = changes(history, dataset_of(time_zone="America/New_York"))
    assert (same.kind, other.kind) == (Is.WIDENED, Is.KEY_CHANGED)


def test_when_rows_are_known_stays_what_it_was_before_it_was_left_out() -> None:
    history = [dataset_of(known_after="1h"), dataset_of()]
    assert changes(history, dataset_of(known_after="60m")) == ()
    (change,) = changes(history, dataset_of(known_after="2h"))
    assert change.is_refused


def test_a_first_known_at_says_that_earlier_rows_have_to_be_published_again() -> None:
    (change,) = changes([dataset_of()], dataset_of(known_at="sent_at"))
    assert (change.column, change.is_stricter) == ("sent_at", True)
    assert "publish them again" in change.sentence


def test_a_column_with_another_type_does_not_become_the_time_of_known_at() -> None:
    history = [dataset_of({"temp": FLOAT, "sent_at": TEXT}), dataset_of({"temp": FLOAT})]
    assert any(change.is_refused for change in changes(history, dataset_of({"temp": FLOAT}, known_at="Sent_at")))


def test_the_first_spec_and_the_same_spec_change_nothing() -> None:
    assert changes([], dataset_of()) == ()
    assert changes([dataset_of()], dataset_of(max_bad_share=0.5)) == ()


def test_limits_that_become_narrower_beside_a_wider_type_are_stricter() -> None:
    before = dataset_of({"x": INT | {"max": 9}})
    found = changes([before], dataset_of({"x": FLOAT | {"max": 8}}))
    assert [(each.kind, each.is_stricter) for each in found] == [(Is.NARROWED, True), (Is.WIDENED, False)]


def test_a_column_that_was_dropped_comes_back_with_its_type_alone() -> None:
    """The table still has the values of the column."""
    history = [dataset_of({"temp": FLOAT, "x": FLOAT}), dataset_of({"temp": FLOAT})]
    (same,) = changes(history, dataset_of({"temp": FLOAT, "x": FLOAT | {"optional": True}}))
    other = changes(history, dataset_of({"temp": FLOAT, "x": TEXT | {"optional": True}}))
    assert (same.kind, [each.kind for each in other]) == (Is.ADDED, [Is.ADDED, Is.RETYPED])


def test_a_column_does_not_come_back_with_other_capitals() -> None:
    """Tables do not distinguish the two names and refuse to have both, so no batch could be stored."""
    for dropped in ([], [dataset_of({"temp": FLOAT})]):
        history = [dataset_of({"temp": FLOAT, "gusts": INT}), *dropped]
        found = changes(history, dataset_of({"temp": FLOAT, "Gusts": INT}))
        assert [each.column for each in found if each.is_refused] == ["Gusts"]


COLUMN = st.builds(
    lambda kind, optional, low, width: {
        "type": kind,
        "optional": optional,
        **({} if kind in ("category", "bool") or low is None else {"min": low, "max": low + width}),
    },
    st.sampled_from(["category", "float", "int", "bool"]),
    st.booleans(),
    st.none() | st.integers(-5, 5),
    st.integers(0, 5),
)
SPEC = st.dictionaries(st.sampled_from("abc"), COLUMN, min_size=1).map(dataset_of)
# Arrow converts every value of the first type to one of the second.
READ_AS = {("int", "float"), *((kind, kind) for kind in ("category", "float", "int", "bool"))}


@given(st.lists(SPEC, min_size=2, max_size=8))
def test_no_chain_of_allowed_changes_makes_a_stored_row_unreadable(drawn: list[Any]) -> None:
    history = [drawn[0]]
    for spec in drawn[1:]:
        if not any(change.is_refused for change in changes(history, spec)):
            history.append(spec)
    for name in "abc":
        kinds = [spec.columns[name].type for spec in history if name in spec.columns]
        assert all(pair in READ_AS for pair in pairwise(kinds))


@given(SPEC, SPEC, st.integers(-6, 11), st.sampled_from("abc"))
def test_a_value_that_no_stricter_change_concerns_stays_valid(before: Any, after: Any, value: int, name: str) -> None:
    def fits(spec: Any) -> bool:
        column = spec.columns.get(name)
        low, high = (None, None) if column is None else (column.min, column.max)
        return column is not None and (low is None or value >= low) and (high is None or value <= high)

    found = [change for change in changes([before], after) if change.column == name]
    if fits(before) and not any(change.is_stricter or change.is_refused for change in found):
        assert fits(after)
