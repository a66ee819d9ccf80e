"""Parsing requests: for any bytes, no row reaches another client, and every error says what to send."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.predictions import MAX_REQUEST_BYTES, PredictionRequested
from rondo.contracts.spec.model import Feature
from rondo.contracts.vocabularies import UnknownFields
from rondo.serving.requests.parser import RequestParser
from rondo.serving.requests.request_errors import explain
from rondo.serving.requests.schema import RequestSchema
from rondo.serving.requests.suggestions import NameSuggester
from rondo.serving.requests.validation import invalid_rows

from tests.serving.builders import NOW

FEATURES = {
    "distance": Feature(type="float"),
    "seats": Feature(type="int", optional=True),
    "night": Feature(type="bool"),
    "carrier": Feature(type="category", optional=True),
    "class": Feature(type="category", optional=True),
}
GOOD: dict[str, Any] = {"id": "r1", "model": "delay", "features": {"distance": 1.5, "night": True}}
AREA = {"area": Feature(type="float")}
PARSER = RequestParser([RequestSchema("delay", FEATURES), RequestSchema("price", AREA)])


def refused(value: bytes | None) -> tuple[str, str]:
    error = PARSER.parse([value]).refused[0]
    return error.code, str(error)


def changed(**change: Any) -> bytes:
    return json.dumps(GOOD | change).encode()


def test_a_request_becomes_a_row_with_its_features_and_the_defaults() -> None:
    ((_, _, rows),) = PARSER.parse([changed(entity="N1", event_time="2013-03-01T05:00:00-05:00")]).groups
    assert (rows.ids, rows.entities) == (["r1"], ["N1"])
    assert [time and time.isoformat() for time in rows.event_times] == ["2013-03-01T05:00:00-05:00"]
    assert {name: column.tolist()[0] for name, column in rows.columns.items() if name != "seats"} == {
        "distance": 1.5, "night": 1.0, "carrier": "", "class": "",
    }  # fmt: skip


def test_rows_are_grouped_by_model() -> None:
    price = b'{"id": "p", "model": "price", "features": {"area": 3}}'
    groups = PARSER.parse([changed(), price, changed(id="r2")]).groups
    assert {schema.model: (places, rows.ids) for schema, places, rows in groups} == {
        "delay": ([0, 2], ["r1", "r2"]), "price": ([1], ["p"]),
    }  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (None, "null_value", "the message has no value: send a JSON object"),
        (b"", "not_json", "the value is not JSON"),
        (b"hello", "not_json", "send a JSON object"),
        (b"\xff\xfe", "not_json", "the value is not JSON"),
        (b'{"id": NaN}', "not_json", "the value is not JSON"),
        (b"[" * 100_000, "not_json", "the value is not JSON"),
        (b"[1, 2]", "not_an_object", "the value is a list, not a JSON object: send"),
        (b"null", "not_an_object", "the value is null"),
        (b"3", "not_an_object", "the value is the number 3"),
        (b"x" * (MAX_REQUEST_BYTES + 1), "too_large", "1,048,577 bytes, more than the 1,048,576 that are allowed"),
        (b'{"id": "a", "features": {}}', "missing_model", "`model` is missing: name the model"),
        (changed(model="dela"), "unknown_model", "no version is deployed of the model 'dela': did you mean delay?"),
        (changed(model="zz"), "unknown_model", "models that are deployed: delay, price."),
        (changed(model=7), "unknown_model", "`model` is the number 7: send the name of one"),
        (b'{"model":%b}' % (b"[" * 900 + b"]" * 900), "unknown_model", "`model` is a list: send the name of one"),
        (changed(model="x" * 10_000), "unknown_model", f"the model '{'x' * 56}...: models that are deployed"),
        (b'{"model": "delay", "features": {}}', "missing_id", "`id` is missing: send a text that is unique"),
        (changed(id=""), "bad_id", "`id` is 0 characters: send a text of 1 to 256 characters"),
        (changed(id="x" * 257), "bad_id", "`id` is 257 characters: send a text of 1 to 256 characters"),
        (changed(id=7), "bad_id", "`id` is the number 7: send a text of 1 to 256 characters"),
        (changed(entity="x" * 257), "bad_entity", "`entity` is 257 characters"),
        (changed(features=None), "bad_features", "`features` is null: send an object with one value per feature"),
        (b'{"id": "a", "model": "delay"}', "bad_features", "`features` is missing"),
        (changed(features={"night": True}), "missing_feature", "the feature `distance` is missing: send a number"),
        (
            changed(features={"distanse": 1, "night": True}),
            "missing_feature",
            "`distance` is missing (there is a `distanse`, which the model does not know): send a number",
        ),
        (
            changed(features={"distance": None, "night": True}),
            "missing_feature",
            "`distance` is null, and it may not be missing: send a number, such as 12.5",
        ),
        (
            changed(features={"distance": "far", "night": True}),
            "wrong_type",
            "`distance` is the text 'far': send a number, such as 12.5",
        ),
        (
            changed(features={"distance": True, "night": 1}),
            "wrong_type",
            "`distance` is a boolean: send a number, such as 12.5; the feature `night` is the number 1: send true or",
        ),
        (changed(features={"distance": 1, "night": True, "carrier": 9}), "wrong_type", 'send a text, such as "AA"'),
        (b'{"id": 1%b, "model": "delay", "features": {}}' % (b"0" * 100), "bad_id", "`id` is a number past all bounds"),
        (b"1" * 6000, "not_json", "the value is not JSON (Integer value out of range"),
        (
            changed(event_time="yesterday"),
            "bad_event_time",
            "`event_time` is the text 'yesterday': send a time from 1900",
        ),
        (
            changed(event_time="2013-03-01T05:00:00"),
            "bad_event_time",
            "as RFC 3339 with an offset, such as 2013-03-01T12",
        ),
        (changed(event_time=1362135600), "bad_event_time", "`event_time` is the number 1362135600: send a time"),
    ],
)
def test_a_refusal_names_what_to_send_instead(value: bytes | None, code: str, expected: str) -> None:
    found_code, message = refused(value)
    assert found_code == code
    assert expected in message


@pytest.mark.parametrize(
    ("sent", "code", "nearest"),
    [
        ({"features": {"distance": 1, "night": True, "seets": 2}}, "unknown_feature", "seats"),
        ({"features": {"distance": 1, "night": True, "Carrier": "AA"}}, "unknown_feature", "carrier"),
        ({"features": {"distance": 1, "night": True, "\0" * 70: 1}}, "unknown_feature", None),
        ({"features": {"distanse": 1, "night": True, "seets": 2}}, "missing_feature", "distanse"),
        ({"entitty": "N1"}, "unknown_field", "entity"),
        ({"priority": 1}, "unknown_field", None),
    ],
)
def test_unknown_features_and_fields_are_refused_with_the_nearest_name(
    sent: dict[str, Any], code: str, nearest: str | None
) -> None:
    error = PARSER.parse([changed(**sent)]).refused[0]
    assert (error.code, error.facts.get("nearest")) == (code, nearest)
    assert "\0" not in str(error)


def test_every_unknown_feature_is_named_beside_the_missing_ones() -> None:
    sent = {"distanse": 1, "night": True, "seets": 2, "zzz": 3}
    message = str(PARSER.parse([changed(features=sent)]).refused[0])
    assert message == (
        "the feature `distance` is missing (there is a `distanse`, which the model does not know): send a number, such"
        " as 12.5; the model has no feature 'seets': did you mean `seats`? Correct the name, or leave it out; the model"
        " has no feature 'zzz': it has distance, seats, night, carrier, class. Correct the name, or leave it out"
    )


def test_a_spec_may_let_requests_have_unknown_features_and_fields() -> None:
    schema = RequestSchema("delay", FEATURES, UnknownFields.IGNORE)
    value = changed(features={"distance": 1, "night": True, "seets": 2}, entitty="N1")
    ((_, places, rows),) = RequestParser([schema]).parse([value]).groups
    assert (places, rows.columns["distance"].tolist()) == ([0], [1.0])


def unknown_in(unknown: UnknownFields, *values: bytes) -> dict[int, list[str]]:
    """Return the names that a parser reports as ignored, by place. All requests are answered."""
    parsed = RequestParser([RequestSchema("delay", FEATURES, unknown), RequestSchema("price", AREA)]).parse(values)
    assert not parsed.refused
    assert sorted(place for group in parsed.groups for place in group.places) == list(range(len(values)))
    return {place: [each.name for each in names] for place, names in parsed.unknown.items()}


SPOILED = changed(features={"distance": 1, "night": True, "seets": 2, "zzz": 3}, entitty="N1", xyz=0)


def test_a_spec_may_have_unknown_names_answered_with_a_warning() -> None:
    price = b'{"id":"p","model":"price","features":{"area":1}}'
    assert unknown_in(UnknownFields.WARN, changed(), SPOILED, price) == {1: ["entitty", "xyz", "seets", "zzz"]}


def test_a_warning_names_the_nearest_known_name_and_there_are_a_few_at_most() -> None:
    parser = RequestParser([RequestSchema("delay", FEATURES, UnknownFields.WARN)])
    many = changed(features={"distance": 1, "night": True} | {f"x{number}": 1 for number in range(50)}, entitty="N1")
    first, *others = parser.parse([many]).unknown[0]
    assert ("did you mean `entity`" in first.warning, len(others)) == (True, 4)


def test_requests_with_unknown_names_keep_their_order_and_are_explained_as_others() -> None:
    schema = RequestSchema("delay", FEATURES, UnknownFields.WARN)
    late = changed(features={"distance": 1, "night": True, "class": "a\0"}, id="c", more=1)
    ((_, places, rows),) = RequestParser([schema]).parse([SPOILED, changed(id="b"), late]).groups
    assert (places, list(rows.ids)) == ([0, 1, 2], ["r1", "b", "c"])
    assert {row: error.code for row, error in invalid_rows(rows, schema, NOW).items()} == {2: "unstorable_text"}


def test_what_resembles_a_name_beside_features_is_found_in_samples_where_others_are_ignored() -> None:
    assert unknown_in(UnknownFields.IGNORE, SPOILED) == {0: ["entitty"]}
    assert unknown_in(UnknownFields.IGNORE, changed(), SPOILED) == {}
    assert unknown_in(UnknownFields.IGNORE, changed(xyz=1)) == {}


def test_what_is_ignored_and_can_not_be_read_is_no_error() -> None:
    deep = b'{"id":"1","model":"delay","features":{"distance":1,"night":true},"more":%b}' % (b"[" * 500 + b"]" * 500)
    for value in (deep, deep.replace(b"[", b"[" * 20).replace(b"]", b"]" * 20)):
        for unknown in (UnknownFields.WARN, UnknownFields.IGNORE):
            parsed = RequestParser([RequestSchema("delay", FEATURES, unknown)]).parse([value])
            assert len(parsed.groups) + len(parsed.refused) == 1


@pytest.mark.parametrize("models", [["delay"], ["delay", "price"]])
@pytest.mark.parametrize("sent", [{}, {"model": None}, {"model": ""}])
def test_a_request_names_its_model_also_where_only_one_is_deployed(models: list[str], sent: dict[str, Any]) -> None:
    parser = RequestParser(RequestSchema(model, FEATURES) for model in models)
    request = {"id": "r1", "features": {"distance": 1.5, "night": True}}
    for value in (request | sent, request | sent | {"id": 1}):
        parsed = parser.parse([json.dumps(value).encode()])
        assert not parsed.groups
        assert parsed.refused[0].code in {"missing_model", "unknown_model"}


def test_without_models_the_error_is_that_none_is_deployed() -> None:
    error = RequestParser([]).parse([changed()]).refused[0]
    assert error.code == "unknown_model"
    assert "none yet" in str(error)


def test_a_number_past_float32_or_with_a_fraction_is_found_in_the_columns() -> None:
    values = [
        changed(features={"distance": 1e39, "night": True}),
        changed(features={"distance": 1, "night": True, "seats": 3.5}),
        changed(features={"distance": 1, "night": True, "seats": 3.0}),
    ]
    ((schema, _, rows),) = PARSER.parse(values).groups
    assert invalid_rows(rows, schema, NOW).keys() == {0, 1}


@given(st.lists(st.binary() | st.just(None) | st.sampled_from([b"[", b"]", b"{", b'"', b'{"a":[1', b"2]},{}"])))
def test_arbitrary_bytes_are_refused_one_by_one_and_never_raise(values: list[bytes | None]) -> None:
    assert sorted(PARSER.parse(values).refused) == list(range(len(values)))


@given(
    st.sampled_from(["model", "id", "entity", "event_time", "features", "distance"]),
    st.integers(800, 1_010),
    st.booleans(),
)
def test_no_depth_of_nesting_makes_reading_raise(place: str, depth: int, lists: bool) -> None:  # noqa: FBT001
    opening, closing = (b"[", b"]") if lists else (b'{"a":', b"}")
    nested = opening * depth + (b"" if lists else b"1") + closing * depth
    inner = b'{"distance": %b, "night": true}' % (nested if place == "distance" else b"1")
    fields = {"id": b'"r"', "model": b'"delay"', "features": inner} | ({} if place == "distance" else {place: nested})
    value = b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), content) for name, content in fields.items())
    assert PARSER.parse([value]).refused[0].code


def test_a_bug_of_ours_refuses_the_request_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    broken: Any = {"delay": None}  # not a layout
    for _ in range(3):
        assert explain(changed(), broken, {}, NameSuggester(), "its detail").code == "invalid"
    assert [(record.levelname, bool(record.exc_info)) for record in caplog.records] == [("ERROR", True)]


def test_the_first_few_of_many_wrong_features_are_named() -> None:
    many = {f"f{number}": Feature(type="float") for number in range(20)}
    reader = RequestParser([RequestSchema("many", many)])
    error = reader.parse([b'{"id": "a", "model": "many", "features": {}}']).refused[0]
    assert re.findall("`f[0-9]+`", str(error)) == [f"`f{number}`" for number in range(5)]
    assert str(error).endswith("; and more")


def test_a_micro_batch_searches_for_similar_names_a_limited_number_of_times() -> None:
    hints = NameSuggester(max_searches=2)
    asked = [
        hints.nearest(name, {"distance", "night"}) for name in ("distanse", "distanse", "nigt", "distnace", "nigt")
    ]
    assert asked == ["distance", "distance", "night", None, "night"]


@pytest.mark.parametrize("unknown", [[f"distance{n}" for n in range(65)], ["distance" * 10]])
def test_many_or_long_names_are_not_searched(unknown: list[str]) -> None:
    assert NameSuggester().nearest("distance", unknown) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": _JSON, "model": st.sampled_from(["delay", "price", "other"]) | _JSON, "entity": _JSON,
            "event_time": _JSON,
            "features": st.dictionaries(st.sampled_from([*FEATURES, "area", "more"]), _JSON) | _JSON,
        },
    )
)  # fmt: skip
def test_what_is_read_is_what_the_contract_allows_and_all_else_is_explained(request_: dict[str, Any]) -> None:
    read = PARSER.parse([json.dumps(request_).encode()])
    if read.groups:
        PredictionRequested.model_validate(request_)
    else:
        assert str(read.refused[0])


@given(st.permutations([*range(8)]), st.sets(st.integers(0, 7)))
def test_every_row_stays_at_the_place_of_its_request(order: list[int], spoiled: set[int]) -> None:
    values = [
        b"spoiled" if n in spoiled else changed(id=f"r{n}", features={"distance": n, "night": True}) for n in order
    ]
    read = PARSER.parse(values)
    found = {
        place: (id_, distance)
        for _, places, rows in read.groups
        for place, id_, distance in zip(places, rows.ids, rows.columns["distance"].tolist(), strict=True)
    }
    assert found == {place: (f"r{n}", n) for place, n in enumerate(order) if n not in spoiled}
    assert set(read.refused) == {place for place, n in enumerate(order) if n in spoiled}


def test_a_large_micro_batch_is_parsed_in_parts_that_make_one_table() -> None:
    values = [changed(id=f"r{n}", features={"distance": n, "night": True, "carrier": f"c{n}"}) for n in range(700)]
    values[300] = b"spoiled"
    values[600] = changed(features={"distance": 1, "night": True, "seats": 3.5})
    parsed = PARSER.parse(values)
    assert parsed.refused.keys() == {300}
    ((schema, places, rows),) = parsed.groups
    assert places == [n for n in range(700) if n != 300]
    assert rows.ids == [f"r{n}" if n != 600 else "r1" for n in places]
    assert rows.columns["carrier"].tolist()[:300] == [f"c{n}" for n in range(300)]
    assert rows.numbers is not None
    assert rows.columns["distance"].base is rows.numbers, "checks look at all numbers at once"
    ((row, error),) = invalid_rows(rows, schema, NOW).items()
    assert (places[row], "3.5" in str(error)) == (600, True)
