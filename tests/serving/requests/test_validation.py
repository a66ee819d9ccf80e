"""Requests have the same data contract as the rows of a batch, over Kafka and over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Feature
from rondo.contracts.vocabularies import UnknownFields
from rondo.ingestion.validation.arrow_columns import RawBatch
from rondo.ingestion.validation.contract import Column, Contract
from rondo.ingestion.validation.rules import check_rows
from rondo.serving.errors import RequestRefusedError
from rondo.serving.inference.joined_rows import join
from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
from rondo.serving.open_inference.protocol import InferenceRequest, Tensor
from rondo.serving.open_inference.rows import rows
from rondo.serving.open_inference.tensors import DATATYPES
from rondo.serving.requests.limits import Limits, example
from rondo.serving.requests.parser import RequestParser
from rondo.serving.requests.schema import RequestSchema
from rondo.serving.requests.validation import invalid_rows

from tests.serving.builders import NOW, infer_values, version_of

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = tuple(f"A{number}" for number in range(21))
FEATURES = {
    "temp": Feature(type="float", min=-60, max=130),
    "distance": Feature(type="float", min=0, optional=True),
    "seats": Feature(type="int", max=853, optional=True),
    "origin": Feature(type="category", values=("EWR", "JFK", "LGA"), optional=True),
    "dest": Feature(type="category", values=MANY, optional=True),
}
SCHEMA = RequestSchema("delay", FEATURES)
WRONG = [
    ({"temp": 131}, "out_of_range", "the feature `temp`{at} is the number 131: send a number from -60 to 130"),
    ({"temp": -60.5}, "out_of_range", "the feature `temp`{at} is the number -60.5: send a number from -60 to 130"),
    ({"distance": -1}, "out_of_range", "the feature `distance`{at} is the number -1: send a number of at least 0"),
    ({"seats": 854}, "out_of_range", "the feature `seats`{at} is the number 854: send a whole number of at most 853"),
    ({"origin": "SFO"}, "not_listed", 'the feature `origin`{at} is the text \'SFO\': send one of "EWR", "JFK", "LGA"'),
    (
        {"dest": "B"}, "not_listed",
        "the feature `dest`{at} is the text 'B': send one of the 21 texts that the model's spec lists, such as 'A0'",
    ),
]  # fmt: skip


def made_of(model: Callable[..., bytes], schema: RequestSchema) -> LoadedVersion:
    version = version_of(schema.model, 1, model(1.0, schema.features), schema.features)
    return replace(version, schema=schema)


@pytest.fixture(scope="module")
def mine(model: Callable[..., bytes]) -> LoadedVersion:
    return made_of(model, SCHEMA)


def over_kafka(version: LoadedVersion, *features: dict[str, Any]) -> tuple[list[str], dict[int, RequestRefusedError]]:
    """Return the ids of the logged rows, and the errors of refused rows."""
    sent = [{"id": f"r{n}", "model": "delay", "features": each} for n, each in enumerate(features)]
    values = [json.dumps(each).encode() for each in sent]
    found = infer_values(values, ServedModel("delay", 1, (version,), (1.0,)))
    logged = [row["id"] for row in found.logged]
    assert logged == list(found.ids.values())
    return logged, found.refused


def over_http(schema: RequestSchema, *features: dict[str, Any]) -> RequestRefusedError | None:
    """Return the error of a request with these rows. None if it is accepted."""
    return refusal_of(schema, {name: [each[name] for each in features] for name in features[0]})


def refusal_of(schema: RequestSchema, sent: dict[str, list[Any]]) -> RequestRefusedError | None:
    """Return the error of tensors. None if they are accepted."""
    types = {name: DATATYPES[feature.type] for name, feature in schema.features.items()}
    tensors = [Tensor(name, [len(data), 1], types.get(name, "BYTES"), data) for name, data in sent.items()]
    try:
        refused = invalid_rows(join([rows(InferenceRequest(tensors), schema, "q")], schema), schema, NOW)
    except RequestRefusedError as error:
        return error
    return refused[min(refused)] if refused else None


@pytest.mark.parametrize(("wrong", "code", "expected"), WRONG)
def test_what_the_contract_does_not_allow_is_refused_alone_and_never_logged(
    mine: LoadedVersion, wrong: dict[str, Any], code: str, expected: str
) -> None:
    logged, refused = over_kafka(mine, {"temp": 50}, {"temp": 50} | wrong, {"temp": 60})
    assert logged == ["r0", "r2"]
    assert {place: (e.code, str(e)) for place, e in refused.items()} == {1: (code, expected.format(at=""))}


@pytest.mark.parametrize(("wrong", "code", "expected"), WRONG)
def test_over_http_the_error_is_the_same_with_the_row(wrong: dict[str, Any], code: str, expected: str) -> None:
    (name,) = wrong
    right = {"temp": 50} | {name: example(FEATURES[name])}
    assert over_http(SCHEMA, right) is None
    error = over_http(SCHEMA, right, {"temp": 50} | wrong)
    assert error is not None
    assert (error.code, str(error)) == (code, expected.format(at=" at row 1"))


def test_the_bounds_themselves_and_what_may_be_missing_are_answered(mine: LoadedVersion) -> None:
    none = dict.fromkeys(("distance", "seats", "origin", "dest"))
    logged, refused = over_kafka(mine, {"temp": -60}, {"temp": 130, "origin": "JFK", "seats": 853}, {"temp": 0} | none)
    assert (logged, refused) == (["r0", "r1", "r2"], {})
    assert over_http(SCHEMA, {"temp": 130} | none) is None


@pytest.mark.parametrize("values", [None, ("a",), ("a", "")])
def test_an_empty_text_is_a_missing_value(values: tuple[str, ...] | None) -> None:
    column = np.array(["a", ""], dtype=np.object_)
    assert Limits.of(Feature(type="category", values=values)).outside(column) == [1]
    assert Limits.of(Feature(type="category", values=values, optional=True)).outside(column) == []


def test_an_empty_text_is_refused_for_a_required_category_over_kafka_and_http(model: Callable[..., bytes]) -> None:
    schema = RequestSchema("delay", {"temp": Feature(type="float"), "origin": Feature(type="category")})
    logged, refused = over_kafka(made_of(model, schema), {"temp": 1, "origin": "JFK"}, {"temp": 1, "origin": ""})
    assert (logged, refused[1].code, refused[1].facts) == (["r0"], "missing_feature", {"feature": "origin"})
    error = over_http(schema, {"temp": 1, "origin": "JFK"}, {"temp": 1, "origin": ""})
    assert error is not None
    assert str(error) == 'the feature `origin` at row 1 is empty, and it may not be missing: send a text, such as "AA"'


@pytest.mark.parametrize(
    ("sent", "code"),
    [({"id": "a\0"}, "bad_id"), ({"entity": "é\0"}, "bad_entity"), ({"features": {"note": "\0"}}, "unstorable_text")],
)
def test_a_text_with_nul_is_refused_alone(model: Callable[..., bytes], sent: dict[str, Any], code: str) -> None:
    schema = RequestSchema("delay", {"temp": Feature(type="float", optional=True), "note": Feature(type="category")})
    requests = [{"id": f"r{n}", "model": "delay", "features": {"note": "é"}} for n in range(3)]
    values = [json.dumps(each).encode() for each in (requests[0], requests[1] | sent, requests[2])]
    found = infer_values(values, ServedModel("delay", 1, (made_of(model, schema),), (1.0,)))
    assert (found.codes(), list(found.ids.values())) == ({1: code}, ["r0", "r2"])
    assert "U+0000" in str(found.refused[1])


def test_a_text_with_nul_is_refused_over_http() -> None:
    sent = {"temp": [1, 2], "rondo.id": ["a", "b\0"]}
    error = refusal_of(SCHEMA, sent)
    assert error is not None
    assert str(error) == "`id` at row 1 holds U+0000, which can't be stored: remove it"


def test_an_unknown_tensor_is_refused_over_http_unless_the_spec_allows_it() -> None:
    sent = {"temp": [1, 2], "distanc": [3, 4]}
    error = refusal_of(SCHEMA, sent)
    assert error is not None
    assert (error.code, error.facts["nearest"]) == ("unknown_feature", "distance")
    assert refusal_of(RequestSchema("delay", FEATURES, UnknownFields.IGNORE), sent) is None
    error = refusal_of(SCHEMA, {"temp": [1], "rondo.entty": ["N1"]})
    assert error is not None
    assert error.facts["nearest"] == "rondo.entity"


def test_a_tensor_that_is_sent_twice_is_refused() -> None:
    tensor = Tensor("temp", [1, 1], "FP32", [1])
    with pytest.raises(RequestRefusedError) as caught:
        rows(InferenceRequest([tensor, tensor]), SCHEMA, "q")
    assert caught.value.code == "duplicate_input"


_BOUND = st.none() | st.integers(-3, 3).map(lambda n: n / 10)


@st.composite
def contracts(draw: st.DrawFn) -> Feature:
    kind, optional = draw(st.sampled_from(["category", "float", "int", "bool"])), draw(st.booleans())
    if kind == "category":
        values = draw(st.none() | st.lists(st.sampled_from("abc"), min_size=1, unique=True))
        return Feature(type="category", optional=optional, values=None if values is None else tuple(values))
    low, high = draw(_BOUND), draw(_BOUND)
    if low is not None and high is not None:
        low, high = min(low, high), max(low, high)
    return Feature(type=kind, optional=optional, min=low, max=high)  # type: ignore[arg-type]


def in_a_batch(feature: Feature, value: Any) -> bool:
    """Return whether ingestion accepts a row with the value."""
    values = None if feature.values is None else frozenset(feature.values)
    x = Column("x", feature.type, feature.optional, feature.min, feature.max, values)
    columns = (Column("who", "entity"), Column("at", "time"), x)
    typed = {"category": pl.String, "float": pl.Float64, "int": pl.Int64, "bool": pl.Boolean}[feature.type]
    frame = pl.DataFrame({"who": ["w"], "at": [NOW], "x": pl.Series([value], dtype=typed)})
    return check_rows(
        RawBatch(frame), Contract("d", columns, (("at", "who"),), 1.0, "report", "sha256:0"), NOW
    ).bad.is_empty()


@given(contracts(), st.data())
def test_a_request_is_taken_where_a_row_of_a_batch_is(feature: Feature, data: st.DataObject) -> None:
    known = {
        "category": st.sampled_from([*"abcd", ""]),
        "float": st.integers(-5, 5).map(lambda n: n / 10) | st.sampled_from([1e39, -1e39, 0.10000000001]),
        "int": st.integers(-2, 2), "bool": st.booleans(),
    }  # fmt: skip
    value = data.draw(st.none() | known[feature.type])
    schema = RequestSchema("m", {"x": feature})
    values = [json.dumps({"id": "r", "model": "m", "features": {"x": value}}).encode()]
    groups = RequestParser([schema]).parse(values).groups
    taken = bool(groups) and not invalid_rows(groups[0].rows, schema, NOW)
    assert taken == in_a_batch(feature, value)
    assert taken == (over_http(schema, {"x": value}) is None)


def test_a_bound_that_float32_has_no_number_for_is_the_nearest_that_it_has() -> None:
    """A file of float32 numbers that meets `max: 0.1` is within the limit."""
    value = float(np.float32(0.1))
    assert value > 0.1
    assert in_a_batch(Feature(type="float", max=0.1), value)


@pytest.mark.medium
@given(contracts().filter(lambda feature: feature.type in ("float", "category")))
def test_the_request_of_a_warm_up_is_one_that_the_contract_allows(feature: Feature) -> None:
    assert in_a_batch(feature, example(feature))
    assert over_http(RequestSchema("m", {"x": feature}), {"x": example(feature)}) is None
